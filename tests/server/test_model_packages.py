"""boto3's own client finds model versions in this machine's registry."""

import boto3
import pytest
from botocore.exceptions import ClientError

from workflows.local.records import MODEL_PACKAGE
from workflows.local.store import Store
from workflows.server.api import api_app
from workflows.server.listen import beside

ARN = "arn:aws:sagemaker:eu-west-1:123456789012:model-package"


def register(store, group, version, status):
    record = {
        "ModelPackageGroupName": group,
        "ModelPackageVersion": version,
        "ModelPackageArn": f"{ARN}/{group}/{version}",
        "ModelApprovalStatus": status,
        "ModelPackageStatus": "Completed",
        "CreationTime": f"2026-01-0{version}T00:00:00.000Z",
        "InferenceSpecification": {"Containers": [{"Image": "i", "ModelDataUrl": f"s3://b/{version}"}]},
    }
    store.put(MODEL_PACKAGE, f"{group}/{version}", record, parent=group)


@pytest.fixture
def client(tmp_path):
    store = Store(tmp_path / "home")
    for version, status in enumerate(["Approved", "Approved", "Rejected", "PendingManualApproval"], start=1):
        register(store, "birds", version, status)
    register(store, "caltech", 1, "Approved")
    with beside(api_app(store)) as url:
        client = boto3.client(
            "sagemaker",
            endpoint_url=url,
            region_name="eu-west-1",
            aws_access_key_id="none",
            aws_secret_access_key="none",
        )
        yield client
        client.close()


def versions(answer):
    return [entry["ModelPackageVersion"] for entry in answer["ModelPackageSummaryList"]]


def test_the_newest_approved_version_is_found(client):
    answer = client.list_model_packages(
        ModelPackageGroupName="birds",
        ModelApprovalStatus="Approved",
        SortBy="CreationTime",
        SortOrder="Descending",
        MaxResults=1,
    )
    assert versions(answer) == [2]
    found = client.describe_model_package(
        ModelPackageName=answer["ModelPackageSummaryList"][0]["ModelPackageArn"]
    )
    assert found["InferenceSpecification"]["Containers"][0]["ModelDataUrl"] == "s3://b/2"
    assert found["CreationTime"].isoformat() == "2026-01-02T00:00:00+00:00"


def test_pages_hold_every_version_once(client):
    pages = client.get_paginator("list_model_packages").paginate(
        ModelPackageGroupName="birds", SortOrder="Ascending", PaginationConfig={"PageSize": 3}
    )
    assert [versions(page) for page in pages] == [[1, 2, 3], [4]]


def test_a_version_that_does_not_exist_is_a_validation_error(client):
    with pytest.raises(ClientError, match="birds/9 does not exist") as caught:
        client.describe_model_package(ModelPackageName=f"{ARN}/birds/9")
    assert caught.value.response["Error"]["Code"] == "ValidationException"


def test_an_operation_that_is_not_here_is_told(client):
    with pytest.raises(ClientError) as caught:
        client.list_training_jobs()
    assert caught.value.response["Error"]["Code"] == "UnknownOperationException"
