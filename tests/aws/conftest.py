"""Clients of a served machine, or of a server that answers what a test tells it."""

import pytest

from tests.aws.answers import answering
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
    with answering() as (answers, url):
        yield answers, Clients("eu-west-1", endpoint_url=url, access_key="SECRETKEY")


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
