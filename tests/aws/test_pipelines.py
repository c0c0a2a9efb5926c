"""Pipelines over HTTP, against the served machine."""

import json

import pytest
from botocore.exceptions import ClientError

from tests.aws.interruptions import AFTER, BEFORE, every_interruption
from tests.aws.toy_pipelines import FIRST, SECOND, wanted
from workflows.aws import pipelines
from workflows.aws.errors import NotFound


def versions(clients):
    return [entry["PipelineVersionId"] for entry in pipelines.versions(clients, "toys")]


def test_a_pipeline_is_created_then_unchanged_then_updated(here):
    created = pipelines.upsert(here, wanted())
    assert (created.arn.rpartition("/")[2], created.action) == ("toys", "created")
    assert pipelines.upsert(here, wanted()).action == "unchanged"
    assert pipelines.upsert(here, wanted(SECOND)).action == "updated"
    assert versions(here) == [1, 2]
    assert pipelines.get(here, "toys", version=1)["PipelineDefinition"] == FIRST


def test_layout_and_order_of_members_make_no_version(here):
    pipelines.upsert(here, wanted())
    document = json.loads(FIRST)
    other = json.dumps(dict(reversed(document.items())), indent=4)
    assert pipelines.upsert(here, wanted(other)).action == "unchanged"
    assert versions(here) == [1]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"role": "arn:aws:iam::123456789012:role/others"}, id="role"),
        pytest.param({"description": "Counts birds."}, id="description"),
    ],
)
def test_role_and_description_are_updated(here, change):
    pipelines.upsert(here, wanted(description="Counts."))
    assert pipelines.upsert(here, wanted(**{"description": "Counts.", **change})).action == "updated"
    found = pipelines.get(here, "toys")
    assert {"role": found["RoleArn"], "description": found["PipelineDescription"]}.items() >= change.items()


def test_a_description_that_nobody_gives_stays(here):
    pipelines.upsert(here, wanted(description="Counts birds."))
    assert pipelines.upsert(here, wanted()).action == "unchanged"
    assert pipelines.get(here, "toys")["PipelineDescription"] == "Counts birds."


def test_tags_are_put_on_a_new_and_on_an_unchanged_pipeline(here):
    arn = pipelines.upsert(here, wanted(tags={"team": "birds"})).arn
    pipelines.upsert(here, wanted(tags={"team": "owls", "cost": "1"}))
    tags = here.sagemaker.list_tags(ResourceArn=arn)["Tags"]
    assert {tag["Key"]: tag["Value"] for tag in tags} == {"team": "owls", "cost": "1"}


@pytest.mark.parametrize("moment", [BEFORE, AFTER])
def test_an_upsert_can_be_repeated_after_any_interruption(here, moment):
    def create():
        pipelines.upsert(here, wanted(tags={"team": "birds"}))

    def update():
        pipelines.upsert(here, wanted(SECOND, tags={"team": "owls"}))

    interrupted = 0
    for work in (create, update):
        for _ in every_interruption(here.sagemaker, moment, work):
            interrupted += 1
    assert interrupted >= 4
    assert versions(here) == [1, 2]
    found = pipelines.get(here, "toys")
    assert found["PipelineDefinition"] == SECOND
    assert here.sagemaker.list_tags(ResourceArn=found["PipelineArn"])["Tags"] == [
        {"Key": "team", "Value": "owls"}
    ]


def meanwhile(client, call, work):
    """Does something once, when a call is about to be sent."""
    event = f"before-call.sagemaker.{call}"

    def once(**_):
        client.meta.events.unregister(event, once)
        work()

    client.meta.events.register(event, once)


def test_a_pipeline_that_somebody_creates_meanwhile_is_updated(here):
    meanwhile(here.sagemaker, "CreatePipeline", lambda: pipelines.upsert(here, wanted(SECOND)))
    assert pipelines.upsert(here, wanted()).action == "updated"
    assert pipelines.get(here, "toys")["PipelineDefinition"] == FIRST


def test_a_pipeline_that_somebody_deletes_meanwhile_is_created_again(here):
    pipelines.upsert(here, wanted())
    meanwhile(here.sagemaker, "UpdatePipeline", lambda: here.sagemaker.delete_pipeline(PipelineName="toys"))
    assert pipelines.upsert(here, wanted(SECOND)).action == "created"
    assert pipelines.get(here, "toys")["PipelineDefinition"] == SECOND


def test_what_the_service_refuses_is_told_as_it_is(here):
    with pytest.raises(ClientError, match="ValidationException"):
        pipelines.upsert(here, wanted('{"Version": "2020-12-01", "Steps": [{"Name": "x"}]}'))
    assert pipelines.find(here, "toys") is None


def test_an_unknown_pipeline_or_version_is_told_with_what_there_is(here):
    pipelines.upsert(here, wanted())
    with pytest.raises(NotFound, match="no pipeline 'tois' is here; did you mean 'toys'"):
        pipelines.get(here, "tois")
    with pytest.raises(NotFound, match="pipeline 'toys' has no version 7; it has 1 to 1"):
        pipelines.get(here, "toys", version=7)
