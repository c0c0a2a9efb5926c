"""What a pipeline has left is found and deleted, and nothing that anybody needs."""

import pytest

from tests.aws.deploying import deploy, go_back, make, names, settle
from tests.aws.history import ran, upsert
from tests.aws.interruptions import AFTER, BEFORE, every_interruption
from tests.aws.toy_models import IMAGES, ROLE, register
from tests.server.toy_requests import eventually
from workflows.aws import cleanup, deployment, endpoints, pipelines, registry, schedules
from workflows.aws.cleanup import StillInUse
from workflows.aws.deployment import Deployment, EndpointBusy, version_in
from workflows.aws.errors import NotFound
from workflows.aws.schedules import Schedule


@pytest.fixture
def images():
    return IMAGES


@pytest.fixture
def versions(cloud, here):
    """Four versions that the pipeline toys has registered."""
    upsert(here, "toys")
    arns = [register(cloud, here) for _ in range(4)]
    for number, arn in enumerate(arns):
        ran(cloud, "toys", f"aaaaaaaaaaa{number}", RegisterModel=arn)
    return arns


def plan(clients, pipeline="toys", *, everything=False):
    return cleanup.plan(clients, pipeline, everything=everything)


def kinds(left):
    return [entry.kind for entry in left]


def clean(clients, pipeline="toys", *, everything=False):
    cleanup.carry_out(clients, plan(clients, pipeline, everything=everything), report=lambda _: None)


def test_what_is_served_and_what_a_rollback_needs_stay(here, versions):
    for arn in versions:
        deploy(here, arn)
    before = names(here)
    left = plan(here)
    assert kinds(left) == ["endpoint configuration", "endpoint configuration", "model", "model"]
    assert names(here) == before  # to plan is to look
    clean(here)
    assert [len(found) for found in names(here)] == [2, 2]
    go_back(here)
    # What was rolled back from is not needed any more.
    assert [version_in(entry.name, stem="birds") for entry in plan(here)] == [4, None]


def test_an_endpoint_by_another_name_is_found_by_what_it_serves(cloud, here, versions):
    wanted = Deployment(package=registry.describe(here, versions[0]), endpoint="canary", role=ROLE)
    deployment.begin(here, deployment.plan(here, wanted))
    deployment.wait(here, "canary", wanted.config, every_s=0.02, report=lambda _: None)
    left = plan(here, everything=True)
    assert ("endpoint", "canary", True) in [(e.kind, e.name, e.costs_while_idle) for e in left]


def test_what_a_pipelines_own_steps_have_made_is_found(cloud, here):
    upsert(here, "birds")
    arn = "arn:aws:sagemaker:eu-west-1:123456789012"
    for number in (1, 2, 3):
        config = f"birds-aaaaaaaaaaa{number}"
        make(cloud, here, config)
        ran(
            cloud,
            "birds",
            f"aaaaaaaaaaa{number}",
            Model=f"{arn}:model/model-{config}",
            EndpointConfig=f"{arn}:endpoint-config/{config}",
            Endpoint=f"{arn}:endpoint/birds",
        )
    here.sagemaker.create_endpoint(EndpointName="birds", EndpointConfigName="birds-aaaaaaaaaaa3")
    settle(here, "birds-aaaaaaaaaaa3")
    assert [(entry.kind, entry.name) for entry in plan(here, "birds")] == [
        ("endpoint configuration", "birds-aaaaaaaaaaa1"),
        ("model", "model-birds-aaaaaaaaaaa1"),
    ]


def test_what_belongs_to_a_pipeline_of_a_longer_name_is_not_touched(cloud, here, versions):
    upsert(here, "toys-two")
    other = register(cloud, here, group="toys-two")
    ran(cloud, "toys-two", "bbbbbbbbbbb1", RegisterModel=other)
    wanted = Deployment(package=registry.describe(here, other), endpoint="toys-two", role=ROLE)
    deployment.begin(here, deployment.plan(here, wanted))
    deployment.wait(here, "toys-two", wanted.config, every_s=0.02, report=lambda _: None)
    make(cloud, here, "toys-mine")
    assert [(entry.kind, entry.name) for entry in plan(here, everything=True)] == [("pipeline", "toys")]
    assert plan(here, "toys-two") == []


def test_a_model_that_somebody_elses_configuration_uses_stays(cloud, here, versions):
    deploy(here, versions[0])
    deploy(here, versions[1])
    deploy(here, versions[2])
    model = deployment.Deployment(
        package=registry.describe(here, versions[0]), endpoint="birds", role=ROLE
    ).model
    variant = {
        "VariantName": "A",
        "ModelName": model,
        "InitialInstanceCount": 1,
        "InstanceType": "ml.m5.large",
    }
    here.sagemaker.create_endpoint_config(EndpointConfigName="by-hand", ProductionVariants=[variant])
    here.sagemaker.create_endpoint(EndpointName="by-hand", EndpointConfigName="by-hand")
    eventually(lambda: endpoints.get(here, "by-hand")["EndpointStatus"], "InService")
    clean(here)
    assert model in names(here)[0]
    assert "by-hand" in names(here)[1]


def test_everything_goes_in_an_order_that_works(here, versions):
    for arn in versions[:2]:
        deploy(here, arn)
    arn = pipelines.get(here, "toys")["PipelineArn"]
    schedules.put(
        here,
        Schedule(
            name="weekly",
            pipeline_arn=str(arn),
            expression="rate(7 days)",
            zone="UTC",
            role=ROLE,
            parameters={},
        ),
    )
    assert kinds(plan(here, everything=True)) == [
        "schedule",
        "endpoint",
        "endpoint configuration",
        "endpoint configuration",
        "model",
        "model",
        "pipeline",
    ]
    clean(here, everything=True)
    assert names(here) == ([], [])
    assert schedules.listed(here) == []
    assert pipelines.find(here, "toys") is None
    assert eventually(lambda: endpoints.find(here, "birds"), None) is None
    assert len(list(registry.versions(here, "toys"))) == 4
    with pytest.raises(NotFound, match="no pipeline 'toys' is here"):
        plan(here, everything=True)


@pytest.mark.parametrize("moment", [BEFORE, AFTER])
def test_a_clean_up_can_be_repeated_after_any_interruption(here, versions, moment):
    for arn in versions[:2]:
        deploy(here, arn)
    endpoints.delete(here, "birds")
    eventually(lambda: endpoints.find(here, "birds"), None)
    interrupted = sum(1 for _ in every_interruption(here.sagemaker, moment, lambda: clean(here)))
    assert interrupted > 4
    assert names(here) == ([], [])


def test_an_endpoint_that_is_being_changed_is_waited_for(cloud, here, versions):
    deploy(here, versions[0])
    cloud.store.change("endpoint", "birds", lambda record: {**record, "EndpointStatus": "Updating"})
    with pytest.raises(EndpointBusy, match="'birds' is Updating; .*then clean up"):
        plan(here)


def test_a_pipeline_that_runs_loses_nothing(cloud, here, versions):
    make(cloud, here, "in-use")
    model = "arn:aws:sagemaker:eu-west-1:123456789012:model/model-in-use"
    ran(cloud, "toys", "ccccccccccc1", status="Executing", Model=model)
    with pytest.raises(StillInUse, match="ccccccccccc1 of toys is Executing; stop it first"):
        plan(here, everything=True)
    assert plan(here) == []


def test_the_command_deletes_only_when_it_is_told_to(here, versions, workflows):
    for arn in versions[:3]:
        deploy(here, arn)
    dry = workflows("cleanup", "toys")
    assert (dry.returncode, "nothing was deleted; --delete does it" in dry.stderr) == (0, True)
    assert len(names(here)[1]) == 3
    document = workflows.json("cleanup", "toys", "--delete")
    assert [entry["Kind"] for entry in document["Leftovers"]] == ["endpoint configuration", "model"]
    assert workflows("cleanup", "toys").stdout == "toys: nothing to clean up\n"
