"""The function that finds the approved version, asked over HTTP by boto3's own client."""

import importlib.util
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import ModuleType

import boto3
import pytest
from botocore.exceptions import ClientError

from workflows.local.engine import Engine
from workflows.local.executor import Place
from workflows.local.images import ImageTable
from workflows.local.records import MODEL_PACKAGE
from workflows.local.store import Store
from workflows.server.app import answering
from workflows.server.listen import beside

FILE = Path(__file__).parents[2] / "infrastructure" / "functions" / "find_approved_model.py"
ARN = "arn:aws:sagemaker:eu-west-1:123456789012:model-package/birds"
CONTAINER = {"Image": "registry/detector:1", "ModelDataUrl": "s3://models/birds/7/model.tar.gz"}


def load_function() -> ModuleType:
    """The file as Lambda loads it: on its own, in no package."""
    spec = importlib.util.spec_from_file_location("find_approved_model", FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


function = load_function()


class Service:
    """Answers SageMaker's API from a script, and keeps what it was asked."""

    def __init__(self) -> None:
        self.pages = [summaries(7)]
        self.containers = [CONTAINER]
        self.fault = None
        self.asked = []

    def answer(self, operation: str, request: dict) -> tuple[int, dict]:
        self.asked.append((operation, request))
        if self.fault:
            return 400, {"__type": self.fault[0], "message": self.fault[1]}
        if operation == "DescribeModelPackage":
            version = int(request["ModelPackageName"].rpartition("/")[2])
            return 200, {
                "ModelPackageVersion": version,
                "InferenceSpecification": {"Containers": self.containers},
            }
        index = int(request.get("NextToken", 0))
        more = {"NextToken": str(index + 1)} if index + 1 < len(self.pages) else {}
        return 200, {"ModelPackageSummaryList": self.pages[index]} | more


def summaries(*versions: int) -> list[dict]:
    return [{"ModelPackageArn": f"{ARN}/{version}", "ModelPackageVersion": version} for version in versions]


@pytest.fixture
def environment(monkeypatch):
    """What Lambda sets, and nothing of the machine's own."""
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "none")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "none")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    return monkeypatch


@pytest.fixture
def service(environment) -> Iterator[Service]:
    served = Service()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            operation = self.headers["X-Amz-Target"].removeprefix("SageMaker.")
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status, answer = served.answer(operation, json.loads(body))
            content = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/x-amz-json-1.1")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        environment.setenv("AWS_ENDPOINT_URL_SAGEMAKER", f"http://127.0.0.1:{server.server_port}")
        yield served
        server.shutdown()
        thread.join()


def find() -> dict[str, str]:
    return function.handler({"ModelPackageGroupName": "birds"}, None)


def test_the_newest_approved_version_is_answered_as_four_strings(service):
    service.pages = [summaries(7, 3)]
    assert find() == {
        "ModelPackageArn": f"{ARN}/7",
        "ModelPackageVersion": "7",
        "ModelDataUrl": "s3://models/birds/7/model.tar.gz",
        "Image": "registry/detector:1",
    }


def test_it_asks_for_approved_versions_newest_first(service):
    find()
    operation, request = service.asked[0]
    assert operation == "ListModelPackages"
    assert request == {
        "ModelPackageGroupName": "birds",
        "ModelApprovalStatus": "Approved",
        "SortBy": "CreationTime",
        "SortOrder": "Descending",
        "MaxResults": 1,
    }


def test_it_reads_no_further_than_the_first_version(service):
    service.pages = [summaries(7), summaries(3)]
    find()
    assert [operation for operation, _ in service.asked] == ["ListModelPackages", "DescribeModelPackage"]


def test_an_empty_page_is_not_the_end(service):
    service.pages = [[], summaries(3)]
    assert find()["ModelPackageVersion"] == "3"


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(None, id="none-approved"),
        pytest.param(("ValidationException", "ModelPackageGroup birds does not exist."), id="no-group"),
        pytest.param(("ResourceNotFound", "ModelPackageGroup birds does not exist."), id="no-group-either"),
    ],
)
def test_without_an_approved_version_the_message_says_what_to_do(service, fault):
    service.pages, service.fault = [[]], fault
    with pytest.raises(function.NoApprovedModel) as caught:
        find()
    message = str(caught.value)
    assert message.startswith("group birds has no approved model version; approve one")
    assert "workflows models approve birds/VERSION" in message
    assert "run the pipeline first that trains from the start" in message


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(("AccessDeniedException", "role does not exist in the policy"), id="no-right"),
        pytest.param(("ValidationException", "group is malformed"), id="malformed"),
    ],
)
def test_other_faults_of_the_service_are_not_taken_for_no_model(service, fault):
    service.fault = fault
    with pytest.raises(ClientError, match=fault[1]):
        find()


@pytest.mark.parametrize(
    "containers",
    [
        pytest.param([], id="none"),
        pytest.param([{"Image": "i"}], id="no-artifact"),
        pytest.param([CONTAINER, CONTAINER], id="two"),
    ],
)
def test_a_version_that_no_training_can_start_from_is_named(service, containers):
    service.containers = containers
    with pytest.raises(function.NoApprovedModel, match=f"{ARN}/7 is approved but is not one container"):
        find()


def test_it_finds_the_version_in_this_machines_registry(environment, tmp_path):
    store = Store(tmp_path / "home")
    for version, status in enumerate(["Approved", "Approved", "Rejected"], start=1):
        record = {
            "ModelPackageGroupName": "birds",
            "ModelPackageVersion": version,
            "ModelPackageArn": f"{ARN}/{version}",
            "ModelApprovalStatus": status,
            "ModelPackageStatus": "Completed",
            "CreationTime": f"2026-01-0{version}T00:00:00.000Z",
            "InferenceSpecification": {"Containers": [{"Image": "i", "ModelDataUrl": f"s3://b/{version}"}]},
        }
        store.put(MODEL_PACKAGE, f"birds/{version}", record, parent="birds")
    place = Place(region="eu-west-1", account="123456789012", images=ImageTable())
    with answering(Engine(store=store, place=place), token="none") as app, beside(app) as url:
        environment.setenv("AWS_ENDPOINT_URL_SAGEMAKER", url)
        assert find()["ModelDataUrl"] == "s3://b/2"
        with pytest.raises(function.NoApprovedModel):
            function.handler({"ModelPackageGroupName": "owls"}, None)
