"""A served machine for all tests of a module, which must be none the worse for what it was asked."""

import json
import logging
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.server.conftest import make_machine
from tests.server.fuzz.asking import Target, check_json
from tests.server.toy_requests import ROLE, endpoint_config, model
from tests.toys import TOY_IMAGES
from workflows.local.runners.base import StepFailed
from workflows.local.runners.table import RUNNERS
from workflows.server.app import App
from workflows.server.listen import beside

CONTENT = b"what was there before"
# Jobs that the requests make after all: their programs do nothing.
IMAGES = {name: {**image, "command": ["true"]} for name, image in TOY_IMAGES.items()}
EMPTY_PIPELINE = json.dumps({"Version": "2020-12-01", "Parameters": [], "Steps": []})
PATTERN = json.dumps({"source": ["control"]})
# Made before, and to be the same afterwards: what makes it, and what shows it.
CONTROL = (
    (
        "SageMaker.CreatePipeline",
        {
            "PipelineName": "control",
            "ClientRequestToken": "t" * 32,
            "PipelineDefinition": EMPTY_PIPELINE,
            "RoleArn": ROLE,
        },
        ("SageMaker.DescribePipeline", {"PipelineName": "control"}),
    ),
    (
        "SageMaker.CreateModel",
        model("control", "s3://control/model.tar.gz"),
        ("SageMaker.DescribeModel", {"ModelName": "control"}),
    ),
    (
        "SageMaker.CreateEndpointConfig",
        endpoint_config("control", "control"),
        ("SageMaker.DescribeEndpointConfig", {"EndpointConfigName": "control"}),
    ),
    (
        "SageMaker.CreateModelPackageGroup",
        {"ModelPackageGroupName": "control"},
        ("SageMaker.DescribeModelPackageGroup", {"ModelPackageGroupName": "control"}),
    ),
    (
        "AWSEvents.PutRule",
        {"Name": "control", "EventPattern": PATTERN},
        ("AWSEvents.DescribeRule", {"Name": "control"}),
    ),
)
LISTS = (
    *(
        f"SageMaker.List{kind}"
        for kind in (
            "EndpointConfigs",
            "Endpoints",
            "HyperParameterTuningJobs",
            "ModelPackageGroups",
            "ModelPackages",
            "Models",
            "Pipelines",
            "ProcessingJobs",
            "TrainingJobs",
            "TransformJobs",
        )
    ),
    "AWSEvents.ListRules",
    "Logs_20140328.DescribeLogGroups",
)


class Faults(logging.Handler):
    """What the server's logs have of bugs."""

    LOGS = ("uvicorn.error", "workflows.server", "asyncio")

    def __init__(self):
        super().__init__(logging.ERROR)
        self.found = []

    def emit(self, record):
        self.found.append(self.format(record))

    def __enter__(self):
        for name in self.LOGS:
            logging.getLogger(name).addHandler(self)
        return self

    def __exit__(self, *_):
        for name in self.LOGS:
            logging.getLogger(name).removeHandler(self)


def nothing(task, _site):
    raise StepFailed(f"{task.step}: nothing runs here")


@pytest.fixture(scope="module")
def target(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fuzz")
    (folder / "outside").write_bytes(CONTENT)
    machine = make_machine(folder / "home", runners={**RUNNERS, "Tuning": nothing}, images=IMAGES)
    others = set(children())  # such as a server that another test file keeps for the whole session
    with Faults() as faults, beside(App(machine)) as url, closing(Target(url, machine)) as target:
        before = prepare(target)
        yield target
        machine.background.stop_all()
        machine.hosts.close()
        check_unharmed(target, folder, before)
    assert not faults.found, faults.found[0]
    assert not set(children()) - others, "a process was left"


def prepare(target):
    """Make the control set, and look at it."""
    assert target.s3("PUT", "/control").status == 200
    assert target.s3("PUT", "/control/a/b", CONTENT).status == 200
    for operation, given, _ in CONTROL:
        answer = target.call(operation, given)
        assert answer.status == 200, answer
    return control_set(target)


def control_set(target):
    shown = [target.call(*show).document for _, _, show in CONTROL]
    return [*shown, target.s3("GET", "/control/a/b").body, target.s3("GET", "/control?list-type=2").body]


def check_unharmed(target, folder, before):
    after = control_set(target)
    assert after == before
    assert after[-2] == CONTENT
    assert {path.name for path in folder.iterdir()} == {"home", "outside"}
    assert (folder / "outside").read_bytes() == CONTENT
    assert not list(Path(folder, "home", "partial").glob("*"))
    check_records(folder / "home" / "records.sqlite")
    for operation in LISTS:
        check_list(target, operation)


def check_records(file):
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        for (body,) in connection.execute("SELECT body FROM records"):
            assert isinstance(json.loads(body), dict)


def check_list(target, operation):
    """Every page of a list can still be read."""
    token_name = "nextToken" if operation.startswith("Logs") else "NextToken"
    token = None
    while True:
        answer = target.call(operation, {token_name: token} if token else {})
        check_json(answer)
        assert answer.status == 200, answer
        token = answer.document.get(token_name)
        if token is None:
            return


def children():
    """The processes that this one has started, and not seen the end of."""
    lists = Path("/proc/self/task").glob("*/children")
    return [child for each in lists for child in each.read_text().split()]
