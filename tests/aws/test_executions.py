"""Executions are found by what people call them, over HTTP to the served machine."""

import pytest

from tests.aws.history import ran, upsert
from workflows.aws import executions
from workflows.aws.errors import NotFound


@pytest.fixture
def two(cloud, here):
    for name, execution in (("birds", "bbbbbbbbbbb1"), ("owls", "ooooooooooo1")):
        upsert(here, name)
        ran(cloud, name, execution)
    return here


def found(clients, name, **more):
    return executions.find(clients, name, **more)["PipelineExecutionArn"].rpartition("/")[2]


def test_an_execution_has_several_names(two):
    arn = executions.find(two, "bbbbbbbbbbb1")["PipelineExecutionArn"]
    assert {found(two, name) for name in (arn, "bbbbbbbbbbb1", "birds/bbbbbbbbbbb1")} == {"bbbbbbbbbbb1"}
    assert found(two, "latest", pipeline="birds") == "bbbbbbbbbbb1"


@pytest.mark.parametrize(
    "name",
    [
        "owls/bbbbbbbbbbb1",
        "bbbbbbbbbbb2",
        "arn:aws:sagemaker:eu-west-1:123456789012:pipeline/birds/execution/bbbbbbbbbbb2",
        "arn:aws:s3:::bucket",
    ],
)
def test_another_name_is_none(two, name):
    with pytest.raises(NotFound, match="`workflows executions` lists them"):
        executions.find(two, name)


def test_where_nothing_has_run_there_is_no_latest(here):
    upsert(here, "birds")
    with pytest.raises(NotFound, match="nothing has run here yet"):
        executions.find(here, "latest")


def test_the_newest_are_listed_over_all_pipelines(cloud, two):
    ran(cloud, "birds", "bbbbbbbbbbb2")
    listed = [entry["PipelineExecutionArn"] for entry in executions.listed(two, None, limit=2)]
    assert len(listed) == 2
    of_birds = executions.listed(two, "birds", limit=9)
    ids = {entry["PipelineExecutionArn"].rpartition("/")[2] for entry in of_birds}
    assert ids == {"bbbbbbbbbbb1", "bbbbbbbbbbb2"}
