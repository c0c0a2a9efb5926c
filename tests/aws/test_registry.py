"""The registry, and what an endpoint's model is known to be, over HTTP to the served machine."""

import json

import pytest

from tests.aws.deploying import deploy
from tests.aws.toy_models import IMAGES, register
from workflows.aws import endpoints, registry
from workflows.aws.errors import NotFound
from workflows.definition.errors import WorkflowError


@pytest.fixture
def images():
    return IMAGES


def names(found):
    return [entry["ModelPackageArn"].rpartition(":model-package/")[2] for entry in found]


def test_versions_are_listed_group_by_group_the_oldest_first(cloud, here):
    for group in ("owls", "birds", "owls"):
        register(cloud, here, group=group)
    assert names(registry.versions(here)) == ["birds/1", "owls/1", "owls/2"]
    assert names(registry.versions(here, "owls")) == ["owls/1", "owls/2"]
    with pytest.raises(NotFound, match="no model group 'owl'; did you mean 'owls'"):
        list(registry.versions(here, "owl"))


def test_a_version_is_found_by_its_name_and_its_arn(cloud, here):
    arn = register(cloud, here)
    assert registry.find(here, "toys/1")["ModelPackageArn"] == arn
    assert registry.find(here, arn)["ModelPackageArn"] == arn


@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [
        pytest.param("toys/7", NotFound, "no model version 'toys/7'; did you mean 'toys/1'", id="version"),
        pytest.param("tois/1", NotFound, "no model version 'tois/1'; did you mean 'toys'", id="group"),
        pytest.param("toys", WorkflowError, "write GROUP/VERSION, or its ARN", id="no-version"),
        pytest.param("toys/latest", WorkflowError, "write GROUP/VERSION, or its ARN", id="no-number"),
        pytest.param(
            "arn:aws:sagemaker:eu-west-1:123456789012:model-package/toys/7", NotFound, "'toys/7'", id="arn"
        ),
    ],
)
def test_what_is_no_version_is_told_with_the_nearest(cloud, here, name, kind, message):
    register(cloud, here)
    with pytest.raises(kind, match=message):
        registry.find(here, name)


def test_a_decision_is_kept_with_its_reason(cloud, here):
    arn = register(cloud, here, status="PendingManualApproval")
    registry.set_status(here, arn, registry.REJECTED, reason="too few owls")
    found = registry.describe(here, arn)
    assert (found["ModelApprovalStatus"], found["ApprovalDescription"]) == ("Rejected", "too few owls")


def test_the_classes_of_an_endpoint_are_those_of_its_versions_report(cloud, here):
    arn = register(cloud, here)
    deploy(here, arn)
    endpoint = endpoints.get(here, "birds")
    assert endpoints.artifact_of(here, endpoint) == "s3://toys/toys/1/model.tar.gz"
    assert endpoints.class_names(here, endpoint) == []
    here.sagemaker.update_model_package(
        ModelPackageArn=arn, CustomerMetadataProperties={"DataReport": "s3://toys/report.json"}
    )
    assert endpoints.class_names(here, endpoint) == []  # the report is gone: numbers have to do
    report = json.dumps({"class_names": ["cardinal", "blue jay"]}).encode()
    here.s3.put_object(Bucket="toys", Key="report.json", Body=report)
    assert endpoints.class_names(here, endpoint) == ["cardinal", "blue jay"]
