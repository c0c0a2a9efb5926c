"""Versions in the registry whose containers answer what a test wants."""

import json
import sys
from pathlib import Path

from tests.server.toy_requests import put_model
from tests.toys import REGISTRY

DETECTOR = f"{REGISTRY}/toy-detector:1"
IMAGES = {"toy-detector": {"command": [sys.executable, str(Path(__file__).with_name("toy_detector.py"))]}}
ROLE = "arn:aws:iam::123456789012:role/toys"
RIGHT = json.dumps({"prediction": [[2.0, 0.9, 0.1, 0.1, 0.5, 0.5]]})


def answer(body=RIGHT, status=200):
    return json.dumps({"status": status, "body": body})


def register(cloud, clients, text=None, *, status="Approved", group="toys", **specification):
    """A version whose model is `text`; returns its ARN."""
    sagemaker = clients.sagemaker
    if group not in {
        entry["ModelPackageGroupName"]
        for entry in sagemaker.list_model_package_groups()["ModelPackageGroupSummaryList"]
    }:
        sagemaker.create_model_package_group(ModelPackageGroupName=group)
    number = len(sagemaker.list_model_packages(ModelPackageGroupName=group)["ModelPackageSummaryList"]) + 1
    uri = put_model(
        cloud.store, answer() if text is None else text, f"s3://toys/{group}/{number}/model.tar.gz"
    )
    types = {"SupportedRealtimeInferenceInstanceTypes": ["ml.m5.large", "ml.m5.xlarge"]}
    return sagemaker.create_model_package(
        ModelPackageGroupName=group,
        ModelApprovalStatus=status,
        InferenceSpecification={
            "Containers": [{"Image": DETECTOR, "ModelDataUrl": uri}],
            "SupportedContentTypes": ["image/jpeg"],
            "SupportedResponseMIMETypes": ["application/json"],
            **types,
            **specification,
        },
    )["ModelPackageArn"]
