"""A function for SageMaker Pipelines: which version of a model package group is approved now?

Retraining goes on from that version. Runs in AWS Lambda as `find_approved_model.handler`; region, credentials
and endpoint (AWS_ENDPOINT_URL_SAGEMAKER) come from the environment, as boto3 finds them.
"""

from collections.abc import Mapping
from contextlib import closing

import boto3
from botocore.client import BaseClient
from botocore.exceptions import ClientError

_UNKNOWN_GROUP_CODES = ("ValidationException", "ResourceNotFound")


class NoApprovedModel(Exception):
    """There is nothing to retrain from; the message says what to do."""


def handler(event: Mapping[str, str], _context: object) -> dict[str, str]:
    """Find the newest version that is approved.

    Args:
        event: the inputs of the Lambda step: ModelPackageGroupName.
        _context: what Lambda tells about the call; unused.

    Returns:
        ModelPackageArn, ModelPackageVersion, ModelDataUrl (S3 URI of model.tar.gz) and Image (of inference):
        strings, as a Lambda step's OutputParameters are flat.

    Raises:
        NoApprovedModel: no version of the group is approved, or what is approved has no single model.tar.gz.
    """
    group = event["ModelPackageGroupName"]
    with closing(boto3.client("sagemaker")) as client:
        arn = _newest_approved(client, group)
        version = client.describe_model_package(ModelPackageName=arn)
    containers = version.get("InferenceSpecification", {}).get("Containers", [])
    if len(containers) != 1 or "ModelDataUrl" not in containers[0]:
        raise NoApprovedModel(
            f"{arn} is approved but is not one container with a ModelDataUrl, so no training can start from "
            "it; approve a version that these pipelines registered"
        )
    return {
        "ModelPackageArn": arn,
        "ModelPackageVersion": str(version["ModelPackageVersion"]),
        "ModelDataUrl": containers[0]["ModelDataUrl"],
        "Image": containers[0]["Image"],
    }


def _newest_approved(client: BaseClient, group: str) -> str:
    # By pages, because a page of a filtered list may be empty although another one follows.
    pages = client.get_paginator("list_model_packages").paginate(
        ModelPackageGroupName=group,
        ModelApprovalStatus="Approved",
        SortBy="CreationTime",
        SortOrder="Descending",
        PaginationConfig={"PageSize": 1},
    )
    try:
        for page in pages:
            for summary in page["ModelPackageSummaryList"]:
                return str(summary["ModelPackageArn"])
    except ClientError as error:
        if not _says_unknown_group(error):
            raise
    raise NoApprovedModel(
        f"group {group} has no approved model version; approve one, with `workflows models approve "
        f"{group}/VERSION` or in the model registry, or run the pipeline first that trains from the start"
    )


def _says_unknown_group(error: ClientError) -> bool:
    """The group is made with the first version, so before that it is not there at all."""
    fault = error.response["Error"]
    return fault["Code"] in _UNKNOWN_GROUP_CODES and "does not exist" in fault["Message"]
