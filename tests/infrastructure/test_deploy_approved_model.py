"""Approval deploys: over EventBridge on this machine, and by the function's own answers."""

import pytest

from tests.infrastructure.accounts import DEPLOY, served
from tests.infrastructure.versions import (
    BIRDS,
    GROUP,
    approved,
    event,
    in_service,
    load_function,
    register,
    rule_of_the_template,
    set_status,
    start,
    status_of,
)
from tests.server.toy_requests import ROLE, eventually
from workflows.aws.deployment import SERVES, CannotDeploy, EndpointBusy
from workflows.local.records import ENDPOINT

function = load_function("deploy_approved_model")


@pytest.fixture
def sagemaker(cloud):
    client = cloud.client("sagemaker")
    client.create_model_package_group(ModelPackageGroupName=GROUP)
    return client


@pytest.fixture
def deploy(cloud, monkeypatch):
    """Calls the function with the event that an approval makes."""
    for name, value in cloud.environment(DEPLOY).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("ENDPOINT_ROLE_ARN", ROLE)

    def call(arn):
        return function.handler(event(arn), None)

    return call


def said(cloud):
    answer = cloud.client("sagemaker-runtime").invoke_endpoint(**BIRDS, ContentType="text/plain", Body=b"hi")
    return answer["Body"].read()


def served_versions(sagemaker):
    """The versions that endpoint configurations have been made for."""
    found = []
    for entry in sagemaker.list_endpoint_configs()["EndpointConfigs"]:
        tags = sagemaker.list_tags(ResourceArn=entry["EndpointConfigArn"])["Tags"]
        found += [tag["Value"] for tag in tags if tag["Key"] == SERVES]
    return sorted(found)


def test_an_approval_brings_a_version_to_its_endpoint_and_a_rejection_does_not(tmp_path):
    with served(tmp_path / "machine") as cloud:
        sagemaker = cloud.client("sagemaker")
        sagemaker.create_model_package_group(ModelPackageGroupName=GROUP)
        rule_of_the_template(cloud)
        rejected, chosen = register(cloud, sagemaker, "wren"), register(cloud, sagemaker, "robin")
        set_status(sagemaker, rejected, "Rejected")
        set_status(sagemaker, chosen, "Approved")
        # Events are delivered in their order: the rejection has been, when the approval has.
        assert eventually(lambda: len(sagemaker.list_endpoints()["Endpoints"]), 1, limit_s=120) == 1
        in_service(sagemaker)
        assert said(cloud) == b"robin says hi"
        assert served_versions(sagemaker) == [chosen]


def test_an_event_that_comes_again_changes_nothing(cloud, sagemaker, deploy):
    arn = approved(cloud, sagemaker, "robin")
    assert deploy(arn) == {"ModelPackageArn": arn, "EndpointName": GROUP, "Action": "create"}
    in_service(sagemaker)
    before = sagemaker.describe_endpoint(**BIRDS)
    answer = deploy(arn)
    assert (answer["Action"], answer["Reason"]) == ("nothing", "the endpoint serves it already")
    after = sagemaker.describe_endpoint(**BIRDS)
    assert after["LastModifiedTime"] == before["LastModifiedTime"]
    assert served_versions(sagemaker) == [arn]


def test_a_late_event_does_not_take_a_newer_version_away(cloud, sagemaker, deploy):
    first, second = approved(cloud, sagemaker, "robin"), approved(cloud, sagemaker, "wren")
    deploy(second)
    in_service(sagemaker)
    answer = deploy(first)
    assert (answer["Action"], answer["Reason"]) == ("nothing", f"{GROUP}/2 was approved later")
    assert said(cloud) == b"wren says hi"


def test_an_older_version_comes_back_when_it_is_approved_again(cloud, sagemaker, deploy):
    first, second = approved(cloud, sagemaker, "robin"), approved(cloud, sagemaker, "wren")
    deploy(second)
    in_service(sagemaker)
    set_status(sagemaker, first, "Approved")
    assert deploy(first)["Action"] == "update"
    in_service(sagemaker)
    assert said(cloud) == b"robin says hi"


@pytest.mark.parametrize("status", ["Rejected", "PendingManualApproval"])
def test_a_version_that_is_not_approved_any_more_is_left(cloud, sagemaker, deploy, status):
    arn = set_status(sagemaker, approved(cloud, sagemaker, "robin"), status)
    assert deploy(arn)["Reason"] == f"the version is {status} by now"
    assert sagemaker.list_endpoints()["Endpoints"] == []


def test_while_the_endpoint_is_changed_lambda_is_to_try_again(cloud, sagemaker, deploy):
    deploy(approved(cloud, sagemaker, "robin"))
    in_service(sagemaker)
    arn = approved(cloud, sagemaker, "wren")
    state(cloud, "Updating")
    with pytest.raises(EndpointBusy, match=f"endpoint '{GROUP}' is Updating"):
        deploy(arn)
    assert served_versions(sagemaker) == [f"{arn.rpartition('/')[0]}/1"]
    state(cloud, "InService")
    assert deploy(arn)["Action"] == "update"


def test_an_endpoint_that_has_failed_is_named(cloud, sagemaker, deploy):
    deploy(approved(cloud, sagemaker, "robin"))
    in_service(sagemaker)
    state(cloud, "Failed")
    with pytest.raises(CannotDeploy, match=f"workflows endpoints delete {GROUP}"):
        deploy(approved(cloud, sagemaker, "wren"))


def state(cloud, status):
    cloud.store.change(ENDPOINT, GROUP, lambda record: {**record, "EndpointStatus": status})


@pytest.mark.parametrize(
    ("parameter", "wanted"),
    [
        pytest.param("Approved", "nothing", id="registered-as-approved"),
        pytest.param("PendingManualApproval", "create", id="approved-by-somebody"),
    ],
)
def test_a_pipeline_that_still_runs_deploys_what_it_registers_as_approved(
    cloud, sagemaker, deploy, tmp_path, parameter, wanted
):
    gate = tmp_path / "gate"
    gate.touch()
    execution = start(sagemaker, f"while [ -e {gate} ]; do sleep 0.05; done", parameter)
    made_by = {"PipelineExecutionArn": execution}
    arn = register(
        cloud, sagemaker, "robin", ModelApprovalStatus="Approved", CustomerMetadataProperties=made_by
    )
    try:
        assert deploy(arn)["Action"] == wanted
    finally:
        gate.unlink()
    ended = eventually(lambda: status_of(sagemaker, execution), "Succeeded", limit_s=60)
    assert ended == "Succeeded"
    if wanted == "nothing":
        assert deploy(arn)["Action"] == "create"
    in_service(sagemaker)
