"""Model, RegisterModel, EndpointConfig and Endpoint steps: what is made, and what AWS would reject."""

import io
import json
import sys
import tarfile
import threading
import time
from pathlib import Path

import pytest

from tests import toys
from tests.toys import REGISTRY, TOY_IMAGES, definition, endpoint, endpoint_config, get
from workflows.local.images import ImageTable
from workflows.local.model_resources import (
    endpoint_config_refusals,
    endpoint_refusals,
    model_refusals,
    package_refusals,
)
from workflows.local.records import (
    ENDPOINT,
    ENDPOINT_CONFIG,
    MODEL,
    MODEL_PACKAGE,
    MODEL_PACKAGE_GROUP,
)

SERVER = str(Path(toys.__file__).with_name("toy_batch_server.py"))
ARTIFACT = "s3://toys/model.tar.gz"


@pytest.fixture
def served(machine, tmp_path):
    """A machine whose models start the toy server; `starts` tells how often one has."""
    machine.images = ImageTable({**TOY_IMAGES, "toy-batch": {"command": [sys.executable, SERVER]}})
    machine.seen = tmp_path / "seen.jsonl"
    put_artifact(machine)
    return machine


def put_artifact(machine, content=b"1"):
    file = machine.store.home / "put"
    with tarfile.open(file, "w:gz") as tar:
        member = tarfile.TarInfo("weights")
        member.size = len(content)
        tar.addfile(member, io.BytesIO(content))
    machine.store.objects.adopt_file(file, ARTIFACT)
    file.unlink()


def starts(machine):
    lines = machine.seen.read_text().splitlines() if machine.seen.exists() else []
    return sum("environment" in json.loads(line) for line in lines)


def model_step(machine=None, name=None, **variables):
    environment = {**({"SEEN": str(machine.seen)} if machine else {}), **variables}
    container = {"Image": f"{REGISTRY}/toy-batch:1", "ModelDataUrl": ARTIFACT, "Environment": environment}
    arguments = {"PrimaryContainer": container}
    return {"Name": "Model", "Type": "Model", "Arguments": arguments | ({"ModelName": name} if name else {})}


def deployed(machine, **variables):
    steps = model_step(machine, **variables), endpoint_config("Config", "Model")
    return definition(*steps, endpoint("Deploy", "Config", "birds"))


def reason(outcome, step):
    return outcome.steps[step]["FailureReason"]


def test_a_model_of_a_name_that_exists_is_not_made_again(served):
    assert served.run(definition(model_step(name="birds"))).status == "Succeeded"
    (before,) = served.store.all(MODEL)
    outcome = served.run(definition(model_step(name="birds", OTHER="1")))
    expected = 'Cannot create already existing model "arn:aws:sagemaker:eu-west-1:123456789012:model/birds".'
    assert reason(outcome, "Model") == f"ClientError: {expected}"
    assert served.store.all(MODEL) == [before]


def test_an_endpoint_configuration_of_a_name_that_exists_is_not_made_again(served):
    config = endpoint_config("Config", "Model")
    config["Arguments"]["EndpointConfigName"] = "birds"
    text = definition(model_step(), config)
    assert served.run(text).status == "Succeeded"
    outcome = served.run(text)
    arn = "arn:aws:sagemaker:eu-west-1:123456789012:endpoint-config/birds"
    assert (
        reason(outcome, "Config")
        == f'ClientError: Cannot create already existing endpoint configuration "{arn}".'
    )
    assert len(served.store.all(ENDPOINT_CONFIG)) == 1


def test_models_without_a_name_get_one_of_their_own_in_each_execution(served):
    for _ in range(2):
        assert served.run(definition(model_step())).status == "Succeeded"
    assert len(served.store.all(MODEL)) == 2


def package(**more):
    container = {"Image": f"{REGISTRY}/toy-batch:1", "ModelDataUrl": ARTIFACT}
    arguments = {"InferenceSpecification": {"Containers": [container]}, **more}
    return {"Name": "Register", "Type": "RegisterModel", "Arguments": arguments}


def test_a_group_may_be_given_by_its_arn(served):
    arn = "arn:aws:sagemaker:eu-west-1:123456789012:model-package-group/birds"
    for group in ("birds", arn):
        assert served.run(definition(package(ModelPackageGroupName=group))).status == "Succeeded"
    packages = served.store.all(MODEL_PACKAGE, parent="birds")
    assert [entry["ModelPackageVersion"] for entry in packages] == [1, 2]
    assert {entry["ModelPackageGroupName"] for entry in packages} == {"birds"}
    (group,) = served.store.all(MODEL_PACKAGE_GROUP)
    assert group["ModelPackageGroupArn"] == arn


def test_the_same_container_is_proved_once(served):
    assert served.run(deployed(served)).status == "Succeeded"
    second = served.run(deployed(served))
    assert second.status == "Succeeded"
    assert starts(served) == 1
    (record,) = served.store.all(ENDPOINT)
    assert record["EndpointConfigName"] == f"toys-{second.execution.id}"
    line = "the same container has answered /ping before; it is not started again"
    assert ("Deploy", line) in second.recorder.lines


@pytest.mark.parametrize("change", ["artifact", "environment", "settings", "image", "deleted"])
def test_another_container_is_proved_again(served, change):
    served.run(deployed(served))
    text = deployed(served)
    if change == "artifact":
        put_artifact(served, b"2")
    elif change == "environment":
        text = deployed(served, THRESHOLD="0.5")
    elif change == "image":
        text = text.replace("toy-batch:1", "toy-batch:2")
    elif change == "deleted":
        served.store.delete(ENDPOINT, "birds")
    else:
        served.images = ImageTable({"toy-batch": {"command": [sys.executable, "-u", SERVER]}})
    assert served.run(text).status == "Succeeded"
    assert starts(served) == 2


def test_a_container_that_was_not_proved_stays_unproved(served):
    broken = {"toy-batch": {"command": [sys.executable, "-c", "raise SystemExit('no weights')"]}}
    served.images = ImageTable(broken)
    for _ in range(2):
        outcome = served.run(deployed(served))
        assert "the endpoint did not become InService" in reason(outcome, "Deploy")
        assert "no weights" in reason(outcome, "Deploy")
    assert served.store.all(ENDPOINT) == []


def test_stopping_ends_a_container_that_is_not_ready(served, tmp_path):
    sign = tmp_path / "started"
    script = f"open({str(sign)!r}, 'w').close(); import time; time.sleep(300)"
    served.images = ImageTable({"toy-batch": {"command": [sys.executable, "-c", script]}})
    execution, recorder = served.prepare(deployed(served))
    thread = threading.Thread(target=execution.run)
    thread.start()
    deadline = time.monotonic() + 20
    while not sign.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    started = time.monotonic()
    execution._stopped.set()
    thread.join()
    assert time.monotonic() - started < 10
    assert recorder.ended["Deploy"] == ("Stopped", "the execution was stopped")


CONTAINER = {"Image": "i", "ModelDataUrl": ARTIFACT}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param({}, "needs either PrimaryContainer or Containers", id="none"),
        pytest.param(
            {"PrimaryContainer": CONTAINER, "Containers": [CONTAINER]},
            "needs either PrimaryContainer or Containers",
            id="both",
        ),
        pytest.param(
            {"PrimaryContainer": CONTAINER, "ModelName": "a_b"},
            "'a_b' must satisfy regular expression pattern",
            id="name",
        ),
        pytest.param(
            {"PrimaryContainer": CONTAINER, "ModelName": "a" * 64},
            "has 64 characters; at most 63",
            id="long-name",
        ),
        pytest.param(
            {"PrimaryContainer": {"ModelDataUrl": "s3://a/b"}},
            "PrimaryContainer.Image: is missing",
            id="no-image",
        ),
        pytest.param(
            {"PrimaryContainer": {"Image": "i"}},
            "PrimaryContainer.ModelDataUrl: is missing",
            id="no-artifact",
        ),
        pytest.param(
            {"PrimaryContainer": {"ModelPackageName": "arn"}},
            "not made from model packages on this machine",
            id="package",
        ),
        pytest.param(
            {"PrimaryContainer": {**CONTAINER, "Mode": "MultiModel"}},
            "multi-model containers do not run",
            id="multi-model",
        ),
        pytest.param(
            {"PrimaryContainer": {**CONTAINER, "ModelDataSource": {"S3DataSource": {}}}},
            "ModelDataSource: is not available",
            id="unpacked",
        ),
        pytest.param(
            {"Containers": [CONTAINER, CONTAINER]},
            "several containers behind each other",
            id="inference-pipeline",
        ),
        pytest.param(
            {"PrimaryContainer": {**CONTAINER, "Environment": {str(n): "" for n in range(101)}}},
            "has 101 entries; at most 100",
            id="environment",
        ),
    ],
)
def test_models_that_cannot_be_made_are_refused(arguments, message):
    assert message in "\n".join(model_refusals(arguments, {}, "Steps[0] 'Model'"))


GROUP = {"ModelPackageGroupName": "birds"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param({}, "ModelPackageGroupName is missing", id="no-group"),
        pytest.param(
            {"ModelPackageName": "birds"},
            "model packages without versions are not available",
            id="unversioned",
        ),
        pytest.param({**GROUP, "ModelPackageName": "birds"}, "without versions", id="both"),
        pytest.param(
            {"ModelPackageGroupName": "-birds"},
            "'-birds' must satisfy regular expression pattern",
            id="group-name",
        ),
        pytest.param(
            {**GROUP, "ModelApprovalStatus": "Yes"},
            "must be Approved or Rejected or PendingManualApproval, is 'Yes'",
            id="status",
        ),
        pytest.param(
            {**GROUP, "CustomerMetadataProperties": {str(n): "" for n in range(51)}},
            "has 51 entries; at most 50",
            id="properties",
        ),
        pytest.param(
            {**GROUP, "InferenceSpecification": {}},
            "InferenceSpecification: Containers is missing",
            id="no-containers",
        ),
    ],
)
def test_packages_that_cannot_be_registered_are_refused(arguments, message):
    assert message in "\n".join(package_refusals(arguments, {}, "Steps[0] 'Register'"))


VARIANT = {"VariantName": "A", "ModelName": "m", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param({}, "ProductionVariants is missing", id="no-variants"),
        pytest.param({"ProductionVariants": []}, "ProductionVariants is missing", id="empty"),
        pytest.param(
            {"ProductionVariants": [VARIANT, VARIANT]}, "one runs on this machine, not 2", id="two-variants"
        ),
        pytest.param(
            {"ProductionVariants": [{**VARIANT, "InitialInstanceCount": 0}]},
            "must be at least 1, is 0",
            id="no-instance",
        ),
        pytest.param(
            {"ProductionVariants": [{"VariantName": "A", "InstanceType": "x"}]},
            "ModelName is missing; inference components",
            id="component",
        ),
        pytest.param(
            {"ProductionVariants": [{"VariantName": "A", "ModelName": "m"}]},
            "one of InstanceType, InstancePools, ServerlessConfig",
            id="no-type",
        ),
        pytest.param(
            {"ProductionVariants": [{"ModelName": "m", "InstanceType": "x"}]},
            "VariantName is missing",
            id="no-name",
        ),
        pytest.param(
            {"EndpointConfigName": "a-", "ProductionVariants": [VARIANT]}, "'a-' must satisfy", id="name"
        ),
    ],
)
def test_endpoint_configurations_that_cannot_be_made_are_refused(arguments, message):
    assert message in "\n".join(endpoint_config_refusals(arguments, {}, "Steps[0] 'Config'"))


def test_endpoints_that_cannot_be_made_are_refused():
    assert list(endpoint_refusals({}, {}, "Steps[0]")) == [
        "Steps[0] Arguments: EndpointConfigName is missing"
    ]
    arguments = {"EndpointConfigName": "c", "EndpointName": "a.b"}
    assert "'a.b' must satisfy" in "\n".join(endpoint_refusals(arguments, {}, "Steps[0]"))


X = get("Parameters.X")


@pytest.mark.parametrize(
    ("refusals", "arguments"),
    [
        pytest.param(model_refusals, {"ModelName": X, "PrimaryContainer": X}, id="model"),
        pytest.param(
            model_refusals, {"PrimaryContainer": {"Image": X, "ModelDataUrl": X, "Mode": X}}, id="container"
        ),
        pytest.param(
            package_refusals,
            {"ModelPackageGroupName": X, "ModelApprovalStatus": X, "InferenceSpecification": X},
            id="package",
        ),
        pytest.param(
            endpoint_config_refusals,
            {
                "EndpointConfigName": X,
                "ProductionVariants": [{**VARIANT, "ModelName": X, "InitialInstanceCount": X}],
            },
            id="config",
        ),
        pytest.param(endpoint_config_refusals, {"ProductionVariants": X}, id="variants"),
        pytest.param(endpoint_refusals, {"EndpointConfigName": X, "EndpointName": X}, id="endpoint"),
    ],
)
def test_values_that_are_still_expressions_are_not_refused(refusals, arguments):
    assert list(refusals(arguments, {}, "Steps[0]")) == []


def test_several_instances_of_a_variant_are_answered_for_by_one_container(served):
    config = endpoint_config("Config", "Model")
    config["Arguments"]["ProductionVariants"][0]["InitialInstanceCount"] = 3
    outcome = served.run(definition(model_step(served), config, endpoint("Deploy", "Config", "birds")))
    assert outcome.status == "Succeeded"
    (record,) = served.store.all(ENDPOINT)
    assert record["ProductionVariants"][0]["CurrentInstanceCount"] == 3
