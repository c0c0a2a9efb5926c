"""A second opinion: moto's own server, for the calls that it answers as AWS does.

It has no UpdateEndpoint, and executions that are over at once; nothing here asks for more.
"""

from contextlib import closing

import pytest
from moto.server import ThreadedMotoServer

from tests.aws.toy_models import DETECTOR, ROLE
from tests.aws.toy_pipelines import FIRST, SECOND, wanted
from workflows.aws import deployment, endpoints, executions, objects, pipelines, registry, schedules
from workflows.aws.changes import changes
from workflows.aws.clients import Clients
from workflows.aws.deployment import CannotDeploy, Deployment
from workflows.aws.errors import NotFound
from workflows.aws.executions import Start
from workflows.aws.schedules import Schedule


@pytest.fixture(scope="module")
def moto():
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        with closing(
            Clients("eu-west-1", endpoint_url=f"http://{host}:{port}", access_key="none")
        ) as clients:
            yield clients
    finally:
        server.stop()


def test_a_pipeline_is_created_updated_and_left_alone(moto):
    assert changes(pipelines.find(moto, "toys"), wanted()).action == "created"
    assert pipelines.upsert(moto, wanted(tags={"team": "birds"})).action == "created"
    assert pipelines.upsert(moto, wanted()).action == "unchanged"
    assert changes(pipelines.find(moto, "toys"), wanted(SECOND)).action == "updated"
    assert pipelines.upsert(moto, wanted(SECOND)).action == "updated"
    assert pipelines.get(moto, "toys")["PipelineDefinition"] == SECOND
    assert [entry["PipelineName"] for entry in executions.pipelines(moto)] == ["toys"]
    with pytest.raises(NotFound, match="no pipeline 'tois' is here; did you mean 'toys'"):
        pipelines.get(moto, "tois")


def test_an_execution_is_started_and_found(moto):
    pipelines.upsert(moto, wanted(FIRST, name="started"))
    arn = executions.start(moto, "started", Start(parameters={"Epochs": "3"}), token="t" * 32)
    assert executions.find(moto, arn)["PipelineExecutionArn"] == arn
    assert executions.find(moto, "latest", pipeline="started")["PipelineExecutionArn"] == arn
    assert executions.parameters(moto, arn) == [{"Name": "Epochs", "Value": "3"}]
    assert executions.definition(moto, arn) == FIRST


def register(clients, group):
    return clients.sagemaker.create_model_package(
        ModelPackageGroupName=group,
        ModelApprovalStatus="PendingManualApproval",
        InferenceSpecification={
            "Containers": [{"Image": DETECTOR, "ModelDataUrl": "s3://toys/model.tar.gz"}],
            "SupportedContentTypes": ["image/jpeg"],
            "SupportedResponseMIMETypes": ["application/json"],
            "SupportedRealtimeInferenceInstanceTypes": ["ml.m5.large"],
        },
    )["ModelPackageArn"]


def test_versions_are_listed_and_approved(moto):
    moto.sagemaker.create_model_package_group(ModelPackageGroupName="birds")
    arn = register(moto, "birds")
    assert [entry["ModelPackageArn"] for entry in registry.versions(moto, "birds")] == [arn]
    registry.set_status(moto, arn, registry.APPROVED, reason="looks right")
    found = registry.find(moto, "birds/1")
    assert (found["ModelApprovalStatus"], found["ApprovalDescription"]) == ("Approved", "looks right")


def test_an_endpoint_is_created_once_described_and_deleted(moto):
    moto.sagemaker.create_model_package_group(ModelPackageGroupName="owls")
    arn = register(moto, "owls")

    def wanted_endpoint():
        return Deployment(package=registry.describe(moto, arn), endpoint="owls", role=ROLE)

    with pytest.raises(CannotDeploy, match="only an Approved one"):
        deployment.plan(moto, wanted_endpoint())
    registry.set_status(moto, arn, registry.APPROVED, reason=None)
    planned = deployment.plan(moto, wanted_endpoint())
    assert planned.action == "create"
    deployment.begin(moto, planned)
    config = planned.deployment.config
    record = deployment.wait(moto, "owls", config, every_s=0.02, report=lambda _: None)
    assert record["EndpointConfigName"] == config
    assert deployment.plan(moto, wanted_endpoint()).action == "nothing"
    assert [entry["EndpointName"] for entry in endpoints.listed(moto)] == ["owls"]
    endpoints.delete(moto, "owls")
    assert endpoints.find(moto, "owls") is None
    assert deployment.plan(moto, wanted_endpoint()).action == "create"


def test_a_schedule_is_created_replaced_and_deleted(moto):
    arn = pipelines.upsert(moto, wanted(name="weekly")).arn
    made = Schedule(
        name="weekly",
        pipeline_arn=arn,
        expression="cron(0 3 ? * SUN *)",
        zone="UTC",
        role=ROLE,
        parameters={"Epochs": "3"},
    )
    schedules.put(moto, made)
    schedules.put(moto, made)
    (found,) = schedules.listed(moto)
    assert (schedules.pipeline_of(found), schedules.parameters_of(found)) == ("weekly", {"Epochs": "3"})
    schedules.delete(moto, "weekly")
    with pytest.raises(NotFound, match="no schedule is named 'weekly'"):
        schedules.delete(moto, "weekly")


def test_files_are_sent_once(moto, tmp_path):
    (tmp_path / "a b+ü.jpg").write_text("x")
    objects.ensure_bucket(moto, "pictures")
    objects.ensure_bucket(moto, "pictures")
    sent = [objects.upload(moto, tmp_path, "s3://pictures/in", report=lambda *_: None) for _ in range(2)]
    assert sent == [1, 0]
    assert list(objects.keys(moto, "s3://pictures/in")) == ["s3://pictures/in/a b+ü.jpg"]
