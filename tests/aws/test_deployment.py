"""Versions brought to an endpoint of the served machine, and taken back."""

import json

import boto3
import pytest

from tests.aws.deploying import deploy, go_back, make, names, served, settle, wanted
from tests.aws.interruptions import AFTER, BEFORE, every_interruption
from tests.aws.toy_models import IMAGES, ROLE, answer, register
from tests.server.toy_requests import eventually
from workflows.aws import deployment, endpoints, registry, rollback
from workflows.aws.deployment import (
    CANARY,
    LINEAR,
    CannotDeploy,
    Deployment,
    DeploymentFailed,
    EndpointBusy,
    Shift,
    version_in,
)
from workflows.aws.errors import NotFound

NO_JSON = "no JSON, no container"


@pytest.fixture
def images():
    return IMAGES


@pytest.fixture
def picture(tmp_path):
    file = tmp_path / "cardinal.jpg"
    file.write_bytes(b"a picture")
    return file


def test_an_endpoint_is_created_updated_in_place_and_left_alone(cloud, here):
    first, second = register(cloud, here), register(cloud, here)
    assert deploy(here, first) == "create"
    assert deploy(here, first) == "nothing"
    assert deploy(here, second) == "update"
    assert served(here) == 2
    models, configs = names(here)
    assert [version_in(name, stem="toys") for name in models] == [1, 2]
    assert [version_in(name, stem="birds") for name in configs] == [1, 2]


def test_another_instance_type_is_another_configuration_of_the_same_model(cloud, here):
    arn = register(cloud, here)
    deploy(here, arn)
    assert deploy(here, arn, instance_type="ml.m5.xlarge") == "update"
    models, configs = names(here)
    assert (len(models), len(configs)) == (1, 2)


def test_an_unhealthy_container_leaves_the_old_one_in_place(cloud, here):
    good, bad = register(cloud, here), register(cloud, here, NO_JSON)
    deploy(here, good)
    with pytest.raises(
        DeploymentFailed, match=r"(?s)did not pass the ping health check.*; it still serves birds-v1-"
    ):
        deploy(here, bad)
    assert served(here) == 1


def test_an_endpoint_that_never_came_into_service_has_to_be_deleted_first(cloud, here):
    bad, good = register(cloud, here, NO_JSON), register(cloud, here)
    with pytest.raises(DeploymentFailed, match="; it is Failed"):
        deploy(here, bad)
    with pytest.raises(CannotDeploy, match="(?s)is Failed: .*deploy again: workflows endpoints delete birds"):
        deploy(here, good)
    endpoints.delete(here, "birds")
    eventually(lambda: endpoints.find(here, "birds"), None)
    assert deploy(here, good) == "create"


@pytest.mark.parametrize(
    ("status", "fragment"),
    [
        pytest.param("PendingManualApproval", "is PendingManualApproval; only an Approved one", id="pending"),
        pytest.param("Rejected", "workflows models approve toys/1", id="rejected"),
    ],
)
def test_what_is_not_approved_is_refused(cloud, here, status, fragment):
    arn = register(cloud, here, status=status)
    with pytest.raises(CannotDeploy, match=fragment):
        deployment.plan(here, wanted(here, arn))
    assert names(here) == ([], [])


def test_versions_that_cannot_be_deployed_here_are_refused(cloud, here):
    package = registry.describe(here, register(cloud, here))
    elsewhere = {**package, "ModelPackageArn": package["ModelPackageArn"].replace("eu-west-1", "us-west-2")}
    with pytest.raises(CannotDeploy, match="toys/1 is in us-west-2, the endpoint would be in eu-west-1"):
        deployment.plan(here, Deployment(package=elsewhere, endpoint="birds", role=ROLE))
    with pytest.raises(CannotDeploy, match="for ml.m5.large, ml.m5.xlarge, not for ml.p3.2xlarge"):
        deployment.plan(
            here, Deployment(package=package, endpoint="birds", role=ROLE, instance_type="ml.p3.2xlarge")
        )
    with pytest.raises(CannotDeploy, match="toys/1 is Pending, not Completed"):
        pending = {**package, "ModelPackageStatus": "Pending"}
        deployment.plan(here, Deployment(package=pending, endpoint="birds", role=ROLE))
    unversioned = {key: value for key, value in package.items() if key != "ModelPackageGroupName"}
    with pytest.raises(CannotDeploy, match="a version of no group"):
        deployment.plan(here, Deployment(package=unversioned, endpoint="birds", role=ROLE))


@pytest.mark.parametrize(
    ("instances", "shift", "fragment"),
    [
        pytest.param(1, Shift(kind=CANARY, percent=10), "10 % of 1 instances is less than one", id="canary"),
        pytest.param(4, Shift(kind=LINEAR, percent=20), "20 % of 4 instances is less than one", id="linear"),
        pytest.param(
            10,
            Shift(kind=LINEAR, percent=10, wait_s=3600),
            "would wait for 32700 s, and SageMaker",
            id="long",
        ),
    ],
)
def test_shifts_that_cannot_be_are_refused(cloud, here, instances, shift, fragment):
    arn = register(cloud, here)
    with pytest.raises(CannotDeploy, match=fragment):
        deployment.plan(here, wanted(here, arn, instances=instances, shift=shift))


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"EndpointStatus": "Creating"}, id="created"),
        pytest.param({"EndpointStatus": "Updating", "EndpointConfigName": "birds-old"}, id="updated"),
    ],
)
def test_what_has_been_begun_already_is_followed(cloud, here, change):
    arn = register(cloud, here)
    deploy(here, arn)
    config = endpoints.get(here, "birds")["EndpointConfigName"]
    pending = {"PendingDeploymentSummary": {"EndpointConfigName": config}}
    cloud.store.change("endpoint", "birds", lambda record: {**record, **pending, **change})
    planned = deployment.plan(here, wanted(here, arn))
    assert (planned.action, planned.replaces) == ("follow", change.get("EndpointConfigName"))
    before = here.sagemaker.describe_endpoint(EndpointName="birds")["LastModifiedTime"]
    deployment.begin(here, planned)
    assert here.sagemaker.describe_endpoint(EndpointName="birds")["LastModifiedTime"] == before


def test_an_endpoint_that_is_being_changed_for_something_else_is_busy(cloud, here):
    first, second = register(cloud, here), register(cloud, here)
    deploy(here, first)
    cloud.store.change("endpoint", "birds", lambda record: {**record, "EndpointStatus": "Updating"})
    with pytest.raises(EndpointBusy, match="'birds' is Updating; wait until that has ended"):
        deployment.plan(here, wanted(here, second))
    with pytest.raises(EndpointBusy):
        rollback.previous_config(here, "birds")


@pytest.mark.parametrize("moment", [BEFORE, AFTER])
def test_a_deployment_can_be_repeated_after_any_interruption(cloud, here, moment):
    first, second = register(cloud, here), register(cloud, here)
    interrupted = 0
    for arn in (first, second):
        for _ in every_interruption(here.sagemaker, moment, lambda arn=arn: deploy(here, arn)):
            interrupted += 1
    assert interrupted > 6
    assert served(here) == 2
    models, configs = names(here)
    assert (len(models), len(configs)) == (2, 2)
    go_back(here)
    assert served(here) == 1


def test_a_rollback_goes_along_several_versions(cloud, here):
    for arn in [register(cloud, here) for _ in range(3)]:
        deploy(here, arn)
    visited = [served(here)]
    for _ in range(2):
        go_back(here)
        visited.append(served(here))
    assert visited == [3, 2, 1]
    with pytest.raises(CannotDeploy, match="'birds' has nothing to go back to"):
        go_back(here)


def test_a_version_that_is_deployed_again_goes_back_to_what_it_then_replaced(cloud, here):
    one, two, three = (register(cloud, here) for _ in range(3))
    for arn in (one, two, three, one):
        deploy(here, arn)
    go_back(here)
    assert served(here) == 3


def test_after_a_deployment_that_failed_a_rollback_goes_to_what_was_served_before(cloud, here):
    one, two, bad = register(cloud, here), register(cloud, here), register(cloud, here, NO_JSON)
    deploy(here, one)
    deploy(here, two)
    with pytest.raises(DeploymentFailed):
        deploy(here, bad)
    go_back(here)
    assert served(here) == 1


def test_a_configuration_that_was_deleted_is_nothing_to_go_back_to(cloud, here):
    for arn in [register(cloud, here) for _ in range(2)]:
        deploy(here, arn)
    config = rollback.previous_config(here, "birds")
    here.sagemaker.delete_endpoint_config(EndpointConfigName=config)
    with pytest.raises(CannotDeploy, match="nothing to go back to"):
        rollback.previous_config(here, "birds")


def test_an_endpoint_that_is_not_there_is_told_with_the_nearest(cloud, here):
    deploy(here, register(cloud, here))
    with pytest.raises(NotFound, match="no endpoint is named 'brids'; did you mean 'birds'"):
        rollback.previous_config(here, "brids")


def test_what_a_pipeline_has_deployed_goes_back_to_its_execution_before(cloud, here):
    for name in ("birds-aaaaaaaaaaa1", "birds-two-aaaaaaaaaaa2", "birds-mine", "birds-aaaaaaaaaaa3"):
        make(cloud, here, name)
    here.sagemaker.create_endpoint(EndpointName="birds", EndpointConfigName="birds-aaaaaaaaaaa3")
    settle(here, "birds-aaaaaaaaaaa3")
    assert rollback.previous_config(here, "birds") == "birds-aaaaaaaaaaa1"
    # A deployment notes what it replaces, whoever made it.
    deploy(here, register(cloud, here))
    assert rollback.previous_config(here, "birds") == "birds-aaaaaaaaaaa3"


@pytest.mark.parametrize(
    "shift",
    [
        pytest.param(Shift(), id="all-at-once"),
        pytest.param(Shift(kind=CANARY, percent=25, wait_s=600), id="canary"),
        pytest.param(Shift(kind=LINEAR, percent=50, wait_s=0, terminate_after_s=0), id="linear"),
        pytest.param(Shift(alarms=("latency", "errors")), id="alarms"),
    ],
)
def test_each_shift_is_one_that_the_services_model_accepts(shift):
    client = boto3.client("sagemaker", region_name="eu-west-1")
    shape = client.meta.service_model.operation_model("UpdateEndpoint").input_shape.members[
        "DeploymentConfig"
    ]
    assert list(faults(shape, shift.config(), "DeploymentConfig")) == []
    client.close()


def faults(shape, value, where):
    """Everything in which a value is not of its shape: members, types, choices, ranges, lengths, patterns."""
    limits = shape.metadata
    if shape.type_name == "structure":
        for name in {*shape.required_members, *value}:
            if name not in value or name not in shape.members:
                yield f"{where}.{name}"
            else:
                yield from faults(shape.members[name], value[name], f"{where}.{name}")
    elif shape.type_name == "list":
        if not limits.get("min", 0) <= len(value) <= limits.get("max", len(value)):
            yield where
        for entry in value:
            yield from faults(shape.member, entry, f"{where}[]")
    elif shape.type_name == "integer":
        if not limits.get("min", value) <= value <= limits.get("max", value):
            yield where
    elif limits.get("enum") and value not in limits["enum"]:
        yield where


def test_canary_linear_and_alarms_are_what_they_say():
    canary = Shift(kind=CANARY, percent=25).config()["BlueGreenUpdatePolicy"]["TrafficRoutingConfiguration"]
    assert (canary["Type"], canary["CanarySize"]) == ("CANARY", {"Type": "CAPACITY_PERCENT", "Value": 25})
    linear = Shift(kind=LINEAR, percent=10).config()["BlueGreenUpdatePolicy"]["TrafficRoutingConfiguration"]
    assert linear["LinearStepSize"] == {"Type": "CAPACITY_PERCENT", "Value": 10}
    assert Shift(alarms=("late",)).config()["AutoRollbackConfiguration"] == {
        "Alarms": [{"AlarmName": "late"}]
    }


def test_a_long_name_keeps_what_tells_versions_apart():
    package = {
        "ModelPackageArn": "arn:aws:sagemaker:eu-west-1:1:model-package/g/12",
        "ModelPackageGroupName": "g" * 63,
    }
    name = Deployment(package=package, endpoint="e" * 63, role=ROLE).config
    assert len(name) == 63
    assert version_in(name, stem="e" * 63) == 12
    assert version_in(name, stem="e" * 5) is None


# The command: what comes after the endpoint is in service.


def test_a_version_is_deployed_and_tried_with_a_picture(cloud, here, workflows, picture):
    register(cloud, here)
    done = workflows("deploy", "toys/1", "--endpoint", "birds", "--picture", picture)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("birds InService: toys/1 as birds-v1-")
    assert "* cardinal.jpg: 1 detections, the best with score 0.900" in done.stderr
    document = workflows.json("deploy", "toys/1", "--endpoint", "birds", "--picture", picture)
    assert (document["Action"], document["SmokeTest"][0]["Picture"]) == ("nothing", "cardinal.jpg")


def test_a_dry_run_changes_nothing(cloud, here, workflows):
    register(cloud, here)
    done = workflows("deploy", "toys/1", "--dry-run")
    assert (done.returncode, done.stdout.startswith("toys: would create")) == (0, True)
    assert workflows.json("deploy", "toys/1", "--dry-run")["Action"] == "create"
    assert names(here) == ([], [])


WRONG = {
    "score": (answer('{"prediction": [[0, 9.0, 0, 0, 1, 1]]}'), "its score 9 is not between 0 and 1"),
    "html": (answer("<html>"), "the endpoint's answer is not JSON"),
    "refusal": (answer("cannot read the picture", status=400), "the endpoint answered 400: cannot read"),
    "fault": (answer("out of memory", status=500), "the endpoint answered 500: out of memory"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_a_wrong_answer_takes_the_deployment_back(cloud, here, workflows, picture, kind):
    text, reason = WRONG[kind]
    good, _ = register(cloud, here), register(cloud, here, text)
    deploy(here, good)
    done = workflows("deploy", "toys/2", "--endpoint", "birds", "--picture", picture)
    assert done.returncode == 1
    assert f"ERROR the smoke test failed: {picture.name}" in done.stderr or str(picture) in done.stderr
    assert reason in done.stderr
    assert "birds went back to birds-v1-" in done.stderr
    assert "Traceback" not in done.stderr
    assert served(here) == 1


def test_a_first_deployment_with_wrong_answers_says_that_there_is_nothing_to_go_back_to(
    cloud, here, workflows, picture
):
    register(cloud, here, WRONG["score"][0])
    done = workflows("deploy", "toys/1", "--endpoint", "birds", "--picture", picture)
    assert done.returncode == 1
    assert "nothing before that it could go back to: workflows endpoints delete birds --on aws" in done.stderr
    again = workflows("deploy", "toys/1", "--endpoint", "birds", "--picture", picture)
    assert (again.returncode, "workflows rollback birds --on aws" in again.stderr) == (1, True)


def test_an_unhealthy_container_ends_the_command_with_1(cloud, here, workflows, picture):
    good, _ = register(cloud, here), register(cloud, here, NO_JSON)
    deploy(here, good)
    done = workflows("deploy", "toys/2", "--endpoint", "birds", "--picture", picture)
    assert done.returncode == 1
    assert "did not pass the ping health check" in done.stderr
    assert "< birds  the model cannot be loaded" in done.stderr
    assert served(here) == 1


def test_a_version_without_held_out_pictures_is_refused_before_anything_is_changed(cloud, here, workflows):
    register(cloud, here)
    done = workflows("deploy", "toys/1")
    assert done.returncode == 2
    assert "give --picture, or --no-smoke-test" in done.stderr
    assert names(here) == ([], [])
    assert workflows("deploy", "toys/1", "--no-smoke-test").returncode == 0


def test_held_out_pictures_and_the_number_of_classes_come_from_the_version(cloud, here, workflows):
    here.s3.create_bucket(Bucket="pictures", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    for key in ("held/a.jpg", "held/b.png", "held/notes.txt", "held/c.JPG", "held/d.jpg"):
        here.s3.put_object(Bucket="pictures", Key=key, Body=b"x")
    here.s3.put_object(Bucket="pictures", Key="report.json", Body=json.dumps({"num_classes": 2}).encode())
    arn = register(cloud, here)
    here.sagemaker.update_model_package(
        ModelPackageArn=arn,
        CustomerMetadataProperties={
            "ValidationPictures": "s3://pictures/held",
            "DataReport": "s3://pictures/report.json",
        },
    )
    done = workflows("deploy", "toys/1")
    assert (done.returncode, "a.jpg: prediction[0]: 2 is no class of 2" in done.stderr) == (1, True)
    here.s3.put_object(Bucket="pictures", Key="report.json", Body=json.dumps({"num_classes": 3}).encode())
    tried = workflows.json("deploy", "toys/1")["SmokeTest"]
    assert [entry["Picture"] for entry in tried] == ["a.jpg", "b.png", "c.JPG"]


def test_the_command_rolls_back(cloud, here, workflows):
    for arn in [register(cloud, here) for _ in range(2)]:
        deploy(here, arn)
    assert "birds: would go back from birds-v2-" in workflows("rollback", "birds", "--dry-run").stdout
    assert served(here) == 2
    document = workflows.json("rollback", "birds")
    assert (version_in(document["To"], stem="birds"), document["Done"]) == (1, True)
    again = workflows("rollback", "birds")
    assert (again.returncode, "nothing to go back to" in again.stderr) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "fragment"),
    [
        pytest.param(["toys/9"], "no model version 'toys/9'; did you mean 'toys/1'?", id="version"),
        pytest.param(["toys"], "write GROUP/VERSION, or its ARN", id="no-version"),
        pytest.param(["toys/1", "--canary", "10", "--linear", "10"], "exclude each other", id="two-shifts"),
        pytest.param(["toys/1", "--canary", "10"], "is less than one", id="canary-of-one"),
        pytest.param(["toys/1", "--instance-type", "ml.p3.2xlarge"], "not for ml.p3.2xlarge", id="type"),
        pytest.param(["toys/1", "--picture", "nowhere.jpg"], "does not exist", id="picture"),
    ],
)
def test_wrong_use_exits_with_2(cloud, here, workflows, arguments, fragment):
    register(cloud, here)
    done = workflows("deploy", *arguments)
    assert (done.returncode, fragment in done.stderr) == (2, True), done.stderr
    assert names(here) == ([], [])


def test_the_role_of_this_machine_is_none_of_aws(cloud, here, workflows, monkeypatch):
    register(cloud, here)
    monkeypatch.delenv("SAGEMAKER_PIPELINE_ROLE_ARN")
    done = workflows("deploy", "toys/1", "--no-smoke-test")
    assert (done.returncode, "SAGEMAKER_PIPELINE_ROLE_ARN" in done.stderr) == (2, True)


def test_a_smoke_test_that_may_not_ask_takes_the_deployment_back(
    cloud, here, workflows, picture, answers, monkeypatch
):
    good, _ = register(cloud, here), register(cloud, here)
    deploy(here, good)
    answers.refuse("AccessDeniedException", "not authorized", status=403)
    monkeypatch.setenv("AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME", answers.url)
    done = workflows("deploy", "toys/2", "--endpoint", "birds", "--picture", picture)
    assert (done.returncode, "InvokeEndpoint is not allowed" in done.stderr) == (1, True)
    assert served(here) == 1
