"""A served machine, asked as a browser does."""

import io
import json
import sys
from pathlib import Path

import httpx
import pytest
from PIL import Image

from tests.server.sagemaker.gates import Gates
from tests.server.toy_requests import put, put_model
from workflows.local.records import ENDPOINT, ENDPOINT_CONFIG, MODEL, MODEL_PACKAGE, MODEL_PACKAGE_GROUP
from workflows.local.runners.table import RUNNERS

ARN = "arn:aws:sagemaker:eu-west-1:123456789012"
ARTIFACT = "s3://toys/detector/model.tar.gz"
REPORT = "s3://toys/reports/data.json"


@pytest.fixture
def images():
    return {"toy-detector": {"command": [sys.executable, str(Path(__file__).with_name("detector.py"))]}}


@pytest.fixture
def gates():
    return Gates()


@pytest.fixture
def runners(gates):
    return {**RUNNERS, "AutoML": gates}


@pytest.fixture
def sagemaker(cloud):
    return cloud.client("sagemaker")


@pytest.fixture
def browser(cloud):
    """A client that sends what a browser does when somebody types an address into it."""
    headers = {
        "Accept": "text/html,application/xhtml+xml",
        "User-Agent": "Mozilla/5.0",
        "Sec-Fetch-Site": "none",
    }
    with httpx.Client(base_url=cloud.url, headers=headers, timeout=30) as client:
        yield client


def picture(kind="JPEG"):
    file = io.BytesIO()
    Image.new("RGB", (40, 30), "steelblue").save(file, kind)
    return file.getvalue()


def register(store, version=1, *, group="birds", names=("finch", "wren"), **more):
    """A model version whose classes have names."""
    put(store, REPORT, json.dumps({"class_names": list(names)}))
    name = f"{group}/{version}"
    container = {"Image": "toy-detector:1", "ModelDataUrl": ARTIFACT}
    record = {
        "ModelPackageArn": f"{ARN}:model-package/{name}",
        "ModelPackageGroupName": group,
        "ModelPackageVersion": version,
        "ModelPackageStatus": "Completed",
        "ModelApprovalStatus": "PendingManualApproval",
        "CreationTime": "2026-01-02T03:04:05.000Z",
        "InferenceSpecification": {"Containers": [container]},
        "CustomerMetadataProperties": {"DataReport": REPORT},
        **more,
    }
    of_group = {
        "ModelPackageGroupName": group,
        "ModelPackageGroupArn": f"{ARN}:model-package-group/{group}",
        "ModelPackageGroupStatus": "Completed",
        "CreationTime": "2026-01-02T03:04:05.000Z",
    }
    store.put(MODEL_PACKAGE_GROUP, group, of_group)
    store.put(MODEL_PACKAGE, name, record, parent=group)
    return name


def deploy(store, name="birds"):
    """What an Endpoint step leaves behind, for the toy detector."""
    put_model(store, "any", ARTIFACT)
    container = {"Image": "toy-detector:1", "ModelDataUrl": ARTIFACT}
    store.put(MODEL, "detector", {"ModelName": "detector", "PrimaryContainer": container})
    variant = {"VariantName": "AllTraffic", "ModelName": "detector"}
    store.put(ENDPOINT_CONFIG, "config", {"EndpointConfigName": "config", "ProductionVariants": [variant]})
    endpoint = {"EndpointName": name, "EndpointConfigName": "config", "ProductionVariants": [variant]}
    store.put(ENDPOINT, name, {**endpoint, "EndpointStatus": "InService"})
