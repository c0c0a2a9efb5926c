"""Clients of a served machine, or of a server that answers what a test tells it."""

from contextlib import closing

import pytest

from tests.aws.answers import answering
from tests.aws.toy_models import ROLE
from tests.cli.typed import Typed
from tests.server.conftest import REGION, cloud, door, images, runners  # noqa: F401 - fixtures
from workflows.aws.clients import Clients


@pytest.fixture(autouse=True)
def environment(monkeypatch, tmp_path):
    """Nothing of the machine that runs the tests leads boto3 anywhere."""
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "aws-config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "aws-credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "2")


@pytest.fixture(scope="session")
def answering_server():
    with (
        answering() as (answers, url),
        closing(Clients("eu-west-1", endpoint_url=url, access_key="SECRETKEY")) as clients,
    ):
        yield answers, clients


@pytest.fixture
def answers(answering_server):
    """Nothing is asked yet, and no answer is known."""
    answers, clients = answering_server
    answers.forget()
    answers.url = clients.endpoint_url
    return answers


@pytest.fixture
def clients(answers, answering_server):
    return answering_server[1]


@pytest.fixture(scope="session")
def door_clients(door):  # noqa: F811
    with closing(Clients(REGION, endpoint_url=door[1], access_key="none")) as clients:
        yield clients


@pytest.fixture
def here(cloud, door_clients):  # noqa: F811
    """Clients of the served machine."""
    return door_clients


@pytest.fixture
def workflows(here, tmp_path, monkeypatch, capsys):
    """Types commands that work on the served machine as they would on AWS."""
    for name, value in {
        "AWS_ENDPOINT_URL": here.endpoint_url,
        "AWS_ACCESS_KEY_ID": "none",
        "AWS_SECRET_ACCESS_KEY": "none",
        "AWS_REGION": REGION,
        "SAGEMAKER_PIPELINE_ROLE_ARN": ROLE,
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    return Typed(monkeypatch, capsys)
