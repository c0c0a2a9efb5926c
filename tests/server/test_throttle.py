"""Throttling on demand, as boto3 meets it."""

from contextlib import closing

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.server.conftest import REGION
from workflows.definition.errors import WorkflowError
from workflows.server.app import App
from workflows.server.throttle import parse_throttle

KNOWN = ("ListPipelines", "DescribePipeline", "ListRules")


@pytest.fixture
def throttled(cloud, door):
    """A client of a machine that throttles two calls of ListPipelines, and that asks so often at most."""
    door[0].app = App(cloud.machine, throttle=parse_throttle(["ListPipelines=2"], known=KNOWN))

    def client(attempts):
        return closing(
            boto3.client(
                "sagemaker",
                endpoint_url=cloud.url,
                region_name=REGION,
                aws_access_key_id="none",
                aws_secret_access_key="none",
                config=Config(retries={"mode": "standard", "total_max_attempts": attempts}),
            )
        )

    return client


def test_boto3_asks_again_until_it_is_answered(throttled):
    with throttled(attempts=3) as client:
        answer = client.list_pipelines()
    assert answer["PipelineSummaries"] == []
    assert answer["ResponseMetadata"]["RetryAttempts"] == 2


def test_without_patience_it_is_the_services_error(throttled):
    with throttled(attempts=1) as client:
        with pytest.raises(ClientError) as caught:
            client.list_pipelines()
        assert client.list_models()["Models"] == []
    response = caught.value.response
    assert response["Error"] == {"Code": "ThrottlingException", "Message": "Rate exceeded"}
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 400


def test_so_many_calls_are_throttled_and_no_more(throttled):
    with throttled(attempts=1) as client:
        for _ in range(2):
            with pytest.raises(ClientError, match="Rate exceeded"):
                client.list_pipelines()
        assert client.list_pipelines()["PipelineSummaries"] == []


@pytest.mark.parametrize(
    ("texts", "reason"),
    [
        pytest.param(["ListPipelines=0"], "not of the form OPERATION or OPERATION=TIMES", id="never"),
        pytest.param(["ListPipelines=many"], "not of the form", id="no-number"),
        pytest.param([""], "not of the form", id="empty"),
        pytest.param(["ListPipeline"], "did you mean 'ListPipelines'?", id="misspelt"),
        pytest.param(["ListRules", "ListRules=2"], "stands there twice", id="twice"),
    ],
)
def test_what_cannot_be_throttled_is_said(texts, reason):
    with pytest.raises(WorkflowError) as caught:
        parse_throttle(texts, known=KNOWN)
    assert reason in str(caught.value)
