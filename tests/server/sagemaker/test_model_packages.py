"""The model registry through boto3's own client."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError

from tests.server.toy_requests import TRAINER, lacking

ARN = "arn:aws:sagemaker:eu-west-1:123456789012"
URL = "s3://toys/models/model.tar.gz"


@pytest.fixture
def sagemaker(cloud):
    client = cloud.client("sagemaker")
    client.create_model_package_group(ModelPackageGroupName="birds", ModelPackageGroupDescription="All birds")
    return client


def refused(call, **request):
    with pytest.raises(ClientError) as caught:
        call(**request)
    return caught.value.response["Error"]["Code"], caught.value.response["Error"]["Message"]


def register(client, group="birds", url=URL, **more):
    containers = [{"Image": TRAINER, "ModelDataUrl": url}]
    return client.create_model_package(
        ModelPackageGroupName=group, InferenceSpecification={"Containers": containers}, **more
    )["ModelPackageArn"]


def versions(client, **given):
    paginator = client.get_paginator("list_model_packages")
    pages = paginator.paginate(**{"ModelPackageGroupName": "birds", **given})
    return [[package["ModelPackageVersion"] for package in page["ModelPackageSummaryList"]] for page in pages]


def test_a_group_is_made_described_listed_and_deleted(sagemaker):
    arn = f"{ARN}:model-package-group/birds"
    for name in ("birds", arn):
        described = sagemaker.describe_model_package_group(ModelPackageGroupName=name)
        assert described["ModelPackageGroupArn"] == arn
        assert described["ModelPackageGroupDescription"] == "All birds"
    assert lacking(sagemaker, "DescribeModelPackageGroup", described) == set()
    assert described["ModelPackageGroupStatus"] == "Completed"
    assert described["CreatedBy"]["IamIdentity"]["Arn"].startswith("arn:aws:sts::123456789012:")
    assert refused(sagemaker.create_model_package_group, ModelPackageGroupName="birds") == (
        "ValidationException",
        f"Model Package Group already exists: {arn}",
    )
    sagemaker.create_model_package_group(ModelPackageGroupName="bats")
    listed = sagemaker.list_model_package_groups()["ModelPackageGroupSummaryList"]
    assert [group["ModelPackageGroupName"] for group in listed] == ["birds", "bats"]
    sagemaker.delete_model_package_group(ModelPackageGroupName="bats")
    assert refused(sagemaker.describe_model_package_group, ModelPackageGroupName="bats") == (
        "ValidationException",
        f"ModelPackageGroup {ARN}:model-package-group/bats does not exist.",
    )


def test_a_group_with_versions_is_not_deleted(sagemaker):
    register(sagemaker)
    code, text = refused(sagemaker.delete_model_package_group, ModelPackageGroupName="birds")
    assert (code, "contains Model Packages" in text) == ("ConflictException", True)
    sagemaker.delete_model_package(ModelPackageName=f"{ARN}:model-package/birds/1")
    sagemaker.delete_model_package_group(ModelPackageGroupName="birds")
    assert sagemaker.list_model_package_groups()["ModelPackageGroupSummaryList"] == []


def test_a_version_has_what_it_was_registered_with(sagemaker):
    metrics = {
        "ModelQuality": {"Statistics": {"ContentType": "application/json", "S3Uri": "s3://toys/e.json"}}
    }
    arn = register(
        sagemaker,
        ModelPackageDescription="first",
        ModelMetrics=metrics,
        CustomerMetadataProperties={"MAP": "0.5"},
    )
    assert arn == f"{ARN}:model-package/birds/1"
    described = sagemaker.describe_model_package(ModelPackageName=arn)
    # Versions have no name of their own, whatever the service model says.
    assert lacking(sagemaker, "DescribeModelPackage", described) == {"ModelPackageName"}
    assert (described["ModelPackageGroupName"], described["ModelPackageVersion"]) == ("birds", 1)
    assert (described["ModelPackageStatus"], described["ModelApprovalStatus"]) == (
        "Completed",
        "PendingManualApproval",
    )
    assert described["ModelPackageStatusDetails"] == {"ValidationStatuses": []}
    assert described["InferenceSpecification"]["Containers"] == [{"Image": TRAINER, "ModelDataUrl": URL}]
    assert described["ModelMetrics"] == metrics
    assert described["CustomerMetadataProperties"] == {"MAP": "0.5"}


def test_versions_count_up_and_numbers_of_deleted_ones_are_not_given_again(sagemaker):
    arns = [register(sagemaker, f"{ARN}:model-package-group/birds") for _ in range(3)]
    sagemaker.delete_model_package(ModelPackageName=arns[2])
    sagemaker.delete_model_package(ModelPackageName=arns[0])
    assert register(sagemaker) == f"{ARN}:model-package/birds/4"
    assert versions(sagemaker) == [[2, 4]]
    assert refused(sagemaker.describe_model_package, ModelPackageName=arns[2]) == (
        "ValidationException",
        f"ModelPackage {arns[2]} does not exist.",
    )


def test_many_clients_at_once_get_versions_of_their_own(cloud, sagemaker):
    clients = [cloud.client("sagemaker") for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        arns = list(pool.map(lambda number: register(clients[number % 4]), range(16)))
    assert sorted(int(arn.rpartition("/")[2]) for arn in arns) == list(range(1, 17))


def test_a_repeated_token_is_answered_with_the_first_version(cloud, sagemaker):
    arn = register(sagemaker, ClientToken="once-and-only-once")
    clients = [cloud.client("sagemaker") for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        again = list(pool.map(lambda client: register(client, ClientToken="once-and-only-once"), clients))
    assert set(again) == {arn}
    assert versions(sagemaker) == [[1]]


def test_an_update_approves_and_changes_metadata(sagemaker):
    arn = register(sagemaker, CustomerMetadataProperties={"a": "1", "b": "2"})
    sagemaker.update_model_package(
        ModelPackageArn=arn,
        ModelApprovalStatus="Approved",
        ApprovalDescription="good",
        CustomerMetadataProperties={"b": "3", "c": "4"},
        CustomerMetadataPropertiesToRemove=["a"],
    )
    described = sagemaker.describe_model_package(ModelPackageName=arn)
    assert (described["ModelApprovalStatus"], described["ApprovalDescription"]) == ("Approved", "good")
    assert described["CustomerMetadataProperties"] == {"b": "3", "c": "4"}
    assert described["LastModifiedTime"] >= described["CreationTime"]
    assert "IamIdentity" in described["LastModifiedBy"]
    sagemaker.update_model_package(ModelPackageArn=arn, SourceUri="s3://toys/source")
    described = sagemaker.describe_model_package(ModelPackageName=arn)
    assert (described["SourceUri"], described["ModelApprovalStatus"]) == ("s3://toys/source", "Approved")


def test_the_newest_approved_version_is_found(sagemaker):
    for number, status in enumerate(["Approved", "Approved", "Rejected", "PendingManualApproval"], start=1):
        register(sagemaker, url=f"s3://toys/{number}/model.tar.gz", ModelApprovalStatus=status)
    (newest,) = sagemaker.list_model_packages(
        ModelPackageGroupName="birds",
        ModelApprovalStatus="Approved",
        SortBy="CreationTime",
        SortOrder="Descending",
        MaxResults=1,
    )["ModelPackageSummaryList"]
    assert newest["ModelPackageVersion"] == 2
    found = sagemaker.describe_model_package(ModelPackageName=newest["ModelPackageArn"])
    assert found["InferenceSpecification"]["Containers"][0]["ModelDataUrl"] == "s3://toys/2/model.tar.gz"


def test_pages_hold_every_version_once_in_the_order_of_their_numbers(sagemaker):
    for _ in range(11):
        register(sagemaker)
    size = {"PaginationConfig": {"PageSize": 4}}
    assert versions(sagemaker, **size) == [[1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11]]
    assert versions(sagemaker, SortOrder="Descending", SortBy="Name", **size)[0] == [11, 10, 9, 8]
    group = f"{ARN}:model-package-group/birds"
    assert versions(sagemaker, ModelPackageGroupName=group, PaginationConfig={"PageSize": 100})[0][-1] == 11


def test_several_versions_are_described_at_once(sagemaker):
    known, unknown = register(sagemaker), f"{ARN}:model-package/birds/9"
    answer = sagemaker.batch_describe_model_package(ModelPackageArnList=[known, unknown])
    assert answer["ModelPackageSummaries"][known]["ModelPackageVersion"] == 1
    assert answer["BatchDescribeModelPackageErrorMap"][unknown]["ErrorCode"] == "ValidationException"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param(
            {"ModelPackageGroupName": "wrens"},
            f"ModelPackageGroup {ARN}:model-package-group/wrens does not exist.",
            id="unknown-group",
        ),
        pytest.param(
            {"ModelPackageName": "birds", "ModelPackageGroupName": None},
            "model packages without versions are not available",
            id="without-versions",
        ),
        pytest.param(
            {"Tags": [{"Key": "a", "Value": "b"}]},
            "Tags cannot be given to a versioned model package",
            id="tags",
        ),
        pytest.param(
            {"ModelApprovalStatus": "Fine"},
            "Member must satisfy enum value set: [Approved, Rejected, PendingManualApproval]",
            id="status",
        ),
    ],
)
def test_what_cannot_be_registered_is_refused(sagemaker, change, message):
    request = {
        "ModelPackageGroupName": "birds",
        "InferenceSpecification": {"Containers": [{"Image": TRAINER, "ModelDataUrl": URL}]},
        **change,
    }
    given = {key: value for key, value in request.items() if value is not None}
    code, text = refused(sagemaker.create_model_package, **given)
    assert (code, message in text) == ("ValidationException", True), text
    assert versions(sagemaker) == [[]]


def test_an_update_of_what_does_not_exist_is_refused(sagemaker):
    arn = f"{ARN}:model-package/birds/9"
    assert refused(sagemaker.update_model_package, ModelPackageArn=arn, ModelApprovalStatus="Approved") == (
        "ValidationException",
        f"ModelPackage {arn} does not exist.",
    )
