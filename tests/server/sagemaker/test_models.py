"""Models, endpoint configurations, tags and Search through boto3's own client."""

import pytest
from botocore.exceptions import ClientError

from tests.server.toy_requests import TRAINER, endpoint_config, lacking, model, put_model
from tests.toys import REGISTRY
from workflows.local.records import MODEL, PIPELINE, TRAINING_JOB

ARN = "arn:aws:sagemaker:eu-west-1:123456789012"


@pytest.fixture
def sagemaker(cloud):
    return cloud.client("sagemaker")


def refused(call, **request):
    with pytest.raises(ClientError) as caught:
        call(**request)
    return caught.value.response["Error"]["Code"], caught.value.response["Error"]["Message"]


def register(client, group="birds", status="Approved", **container):
    given = {"Image": TRAINER, "ModelDataUrl": "s3://toys/models/model.tar.gz", **container}
    return client.create_model_package(
        ModelPackageGroupName=group,
        ModelApprovalStatus=status,
        InferenceSpecification={"Containers": [given]},
    )["ModelPackageArn"]


def test_a_model_is_made_described_listed_and_deleted(sagemaker):
    request = model("wrens", "s3://toys/models/model.tar.gz", Environment={"A": "b"})
    made = sagemaker.create_model(**request, Tags=[{"Key": "team", "Value": "birds"}])
    assert made["ModelArn"] == f"{ARN}:model/wrens"
    described = sagemaker.describe_model(ModelName="wrens")
    assert lacking(sagemaker, "DescribeModel", described) == set()
    assert described["PrimaryContainer"] == request["PrimaryContainer"]
    (listed,) = sagemaker.list_models(NameContains="wren")["Models"]
    assert listed == {key: described[key] for key in ("ModelName", "ModelArn", "CreationTime")}
    assert refused(sagemaker.create_model, **request) == (
        "ValidationException",
        f'Cannot create already existing model "{ARN}:model/wrens".',
    )
    sagemaker.delete_model(ModelName="wrens")
    for call in (sagemaker.describe_model, sagemaker.delete_model):
        assert refused(call, ModelName="wrens") == (
            "ValidationException",
            f'Could not find model "{ARN}:model/wrens".',
        )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param({"Image": f"{REGISTRY}/unheard-of:1"}, "nothing stands in for image", id="image"),
        pytest.param({"ModelDataUrl": None}, "ModelDataUrl: is missing", id="no-artifact"),
        pytest.param({"Mode": "MultiModel"}, "multi-model containers do not run", id="multi-model"),
        pytest.param(
            {"ModelPackageName": f"{ARN}:model-package/birds/7"},
            f"ModelPackage {ARN}:model-package/birds/7 does not exist.",
            id="unknown-package",
        ),
    ],
)
def test_a_model_that_cannot_run_here_is_refused(sagemaker, change, message):
    request = model("wrens", "s3://toys/models/model.tar.gz")
    changed = {**request["PrimaryContainer"], **change}
    request["PrimaryContainer"] = {key: value for key, value in changed.items() if value is not None}
    code, text = refused(sagemaker.create_model, **request)
    assert (code, message in text) == ("ValidationException", True), text


def test_a_model_of_an_approved_package_has_its_image_and_artifact(sagemaker):
    sagemaker.create_model_package_group(ModelPackageGroupName="birds")
    arn = register(sagemaker, Environment={"A": "package", "B": "package"})
    sagemaker.create_model(
        ModelName="wrens",
        ExecutionRoleArn="arn:aws:iam::123456789012:role/toys",
        Containers=[{"ModelPackageName": arn, "Environment": {"B": "own"}}],
    )
    (container,) = sagemaker.describe_model(ModelName="wrens")["Containers"]
    assert container == {
        "ModelPackageName": arn,
        "Image": TRAINER,
        "ModelDataUrl": "s3://toys/models/model.tar.gz",
        "Environment": {"A": "package", "B": "own"},
    }


def test_a_package_that_is_not_approved_cannot_become_a_model(sagemaker):
    sagemaker.create_model_package_group(ModelPackageGroupName="birds")
    arn = register(sagemaker, status="PendingManualApproval")
    request = {"ModelName": "wrens", "PrimaryContainer": {"ModelPackageName": arn}}
    code, text = refused(sagemaker.create_model, **request)
    assert (code, text) == (
        "ValidationException",
        f"ModelPackage {arn} must be Approved to be deployed; its status is PendingManualApproval.",
    )
    sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved")
    assert sagemaker.create_model(**request)["ModelArn"] == f"{ARN}:model/wrens"


def test_an_endpoint_configuration_is_made_described_listed_and_deleted(cloud, sagemaker):
    sagemaker.create_model(**model("wrens", put_model(cloud.store, "wren")))
    request = endpoint_config("config-1", "wrens", DataCaptureConfig=CAPTURE)
    made = sagemaker.create_endpoint_config(**request)
    assert made["EndpointConfigArn"] == f"{ARN}:endpoint-config/config-1"
    described = sagemaker.describe_endpoint_config(EndpointConfigName="config-1")
    assert lacking(sagemaker, "DescribeEndpointConfig", described) == set()
    assert described["ProductionVariants"] == request["ProductionVariants"]
    assert described["DataCaptureConfig"] == CAPTURE
    assert refused(sagemaker.create_endpoint_config, **request) == (
        "ValidationException",
        f'Cannot create already existing endpoint configuration "{ARN}:endpoint-config/config-1".',
    )
    sagemaker.create_endpoint_config(**endpoint_config("config-2", "wrens"))
    names = [entry["EndpointConfigName"] for entry in sagemaker.list_endpoint_configs()["EndpointConfigs"]]
    assert names == ["config-2", "config-1"]
    sagemaker.delete_endpoint_config(EndpointConfigName="config-1")
    assert refused(sagemaker.describe_endpoint_config, EndpointConfigName="config-1") == (
        "ValidationException",
        f'Could not find endpoint configuration "{ARN}:endpoint-config/config-1".',
    )


CAPTURE = {
    "EnableCapture": False,
    "InitialSamplingPercentage": 1,
    "DestinationS3Uri": "s3://toys/capture",
    "CaptureOptions": [{"CaptureMode": "Input"}],
}


def test_an_endpoint_configuration_of_an_unknown_model_is_refused(sagemaker):
    assert refused(sagemaker.create_endpoint_config, **endpoint_config("config", "wrens")) == (
        "ValidationException",
        f'Could not find model "{ARN}:model/wrens".',
    )


def tags(**values):
    return [{"Key": key, "Value": value} for key, value in values.items()]


def tagged(client, arn):
    return {tag["Key"]: tag["Value"] for tag in client.list_tags(ResourceArn=arn)["Tags"]}


def test_tags_are_added_changed_and_deleted(sagemaker):
    arn = sagemaker.create_model(
        **model("wrens", "s3://toys/m.tar.gz"), Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}]
    )["ModelArn"]
    answer = sagemaker.add_tags(
        ResourceArn=arn, Tags=[{"Key": "b", "Value": "3"}, {"Key": "c", "Value": "4"}]
    )
    assert {tag["Key"]: tag["Value"] for tag in answer["Tags"]} == {"a": "1", "b": "3", "c": "4"}
    sagemaker.delete_tags(ResourceArn=arn, TagKeys=["a", "unknown"])
    assert tagged(sagemaker, arn) == {"b": "3", "c": "4"}


def test_a_model_does_not_inherit_the_tags_of_a_deleted_one(sagemaker):
    request = model("wrens", "s3://toys/m.tar.gz")
    arn = sagemaker.create_model(**request, Tags=[{"Key": "a", "Value": "1"}])["ModelArn"]
    sagemaker.delete_model(ModelName="wrens")
    sagemaker.create_model(**request)
    assert tagged(sagemaker, arn) == {}


def test_tags_that_a_pipelines_step_gave_are_listed_until_they_are_changed(cloud, sagemaker):
    record = {
        "ModelName": "wrens",
        "ModelArn": f"{ARN}:model/wrens",
        "CreationTime": "2026-01-01T00:00:00.000Z",
        "Tags": [{"Key": "step", "Value": "1"}],
    }
    cloud.store.put(MODEL, "wrens", record)
    assert tagged(sagemaker, record["ModelArn"]) == {"step": "1"}
    sagemaker.add_tags(ResourceArn=record["ModelArn"], Tags=[{"Key": "own", "Value": "2"}])
    assert tagged(sagemaker, record["ModelArn"]) == {"step": "1", "own": "2"}
    sagemaker.delete_tags(ResourceArn=record["ModelArn"], TagKeys=["step"])
    assert tagged(sagemaker, record["ModelArn"]) == {"own": "2"}


@pytest.mark.parametrize(
    ("added", "message"),
    [
        pytest.param({"aws:x": "1"}, "tag keys that begin with 'aws:'", id="reserved"),
        pytest.param({f"k{number}": "" for number in range(50)}, "would have 51", id="too-many"),
    ],
)
def test_tags_that_aws_would_not_take_are_refused_and_nothing_changes(sagemaker, added, message):
    arn = sagemaker.create_model(**model("wrens", "s3://toys/m.tar.gz"), Tags=tags(a="1"))["ModelArn"]
    code, text = refused(sagemaker.add_tags, ResourceArn=arn, Tags=tags(**added))
    assert (code, message in text) == ("ValidationException", True), text
    assert tagged(sagemaker, arn) == {"a": "1"}


def test_tags_of_what_does_not_exist_are_refused(sagemaker):
    arn = f"{ARN}:model/none"
    for call, more in ((sagemaker.list_tags, {}), (sagemaker.add_tags, {"Tags": []})):
        assert refused(call, ResourceArn=arn, **more) == (
            "ValidationException",
            f"Resource {arn} does not exist",
        )


@pytest.fixture
def jobs(cloud):
    """Three training jobs that ended one after the other."""
    for number, (status, depth, value) in enumerate(
        [("Completed", "9", 0.5), ("Failed", "10", None), ("Completed", "11", 0.75)]
    ):
        metrics = [{"MetricName": "validation:mAP", "Value": value}] if value else []
        cloud.store.put(
            TRAINING_JOB,
            f"job-{number}",
            {
                "TrainingJobName": f"job-{number}",
                "TrainingJobArn": f"{ARN}:training-job/job-{number}",
                "TrainingJobStatus": status,
                "HyperParameters": {"depth": depth},
                "ResourceConfig": {
                    "InstanceType": "ml.m5.large",
                    "InstanceCount": 1,
                    "VolumeSizeInGB": number,
                },
                "FinalMetricDataList": metrics,
                "CreationTime": f"2026-01-0{number + 1}T00:00:00.000Z",
                "LastModifiedTime": f"2026-01-0{number + 1}T01:00:00.000Z",
                "Tags": [{"Key": "team", "Value": ("birds", "bats", "birds")[number]}],
            },
        )


def found(client, *filters, **given):
    expression = {"Filters": list(filters)} if filters else {}
    expression |= given.pop("SearchExpression", {})
    more = {"SearchExpression": expression} if expression else {}
    results = client.search(Resource="TrainingJob", **more, **given)["Results"]
    return [result["TrainingJob"]["TrainingJobName"] for result in results]


def only(name, operator, value=None):
    return {"Name": name, "Operator": operator} | ({} if value is None else {"Value": value})


@pytest.mark.parametrize(
    ("filters", "numbers"),
    [
        pytest.param([], "210", id="all-newest-first"),
        pytest.param([only("TrainingJobStatus", "Equals", "Completed")], "20", id="equals"),
        pytest.param([only("TrainingJobStatus", "NotEquals", "Completed")], "1", id="not-equals"),
        pytest.param([only("TrainingJobName", "Contains", "B-1")], "1", id="contains"),
        pytest.param([only("TrainingJobName", "In", "job-0,job-2")], "20", id="in"),
        pytest.param([only("FailureReason", "Exists")], "", id="exists"),
        pytest.param([only("FailureReason", "NotExists")], "210", id="not-exists"),
        pytest.param([only("HyperParameters.depth", "GreaterThan", "9")], "21", id="number-in-a-text"),
        pytest.param([only("ResourceConfig.VolumeSizeInGB", "LessThanOrEqualTo", "1")], "10", id="number"),
        pytest.param([only("Metrics.validation:mAP", "GreaterThanOrEqualTo", "0.6")], "2", id="metric"),
        pytest.param([only("CreationTime", "LessThan", "2026-01-02T12:00:00Z")], "10", id="time"),
        pytest.param([only("Tags.team", "Equals", "birds")], "20", id="tag"),
        pytest.param(
            [only("Tags.team", "Equals", "birds"), only("TrainingJobName", "Contains", "2")], "2", id="both"
        ),
    ],
)
def test_resources_are_found_by_their_fields_metrics_and_tags(sagemaker, jobs, filters, numbers):
    assert found(sagemaker, *filters) == [f"job-{number}" for number in numbers]


def test_conditions_are_joined_by_or_and_nested(sagemaker, jobs):
    either = {
        "Operator": "Or",
        "Filters": [only("TrainingJobStatus", "Equals", "Failed")],
        "SubExpressions": [
            {"Filters": [only("Tags.team", "Equals", "birds"), only("TrainingJobName", "Contains", "0")]}
        ],
    }
    assert found(sagemaker, SearchExpression=either) == ["job-1", "job-0"]


def test_results_come_sorted_and_in_pages(sagemaker, jobs):
    pages = sagemaker.get_paginator("search").paginate(
        Resource="TrainingJob",
        SortBy="ResourceConfig.VolumeSizeInGB",
        SortOrder="Ascending",
        PaginationConfig={"PageSize": 2},
    )
    names = [[result["TrainingJob"]["TrainingJobName"] for result in page["Results"]] for page in pages]
    assert names == [["job-0", "job-1"], ["job-2"]]


def test_model_package_groups_are_searched_as_the_sdk_does_before_it_registers(sagemaker):
    sagemaker.create_model_package_group(ModelPackageGroupName="birds")
    for name, count in (("birds", 1), ("bats", 0)):
        expression = {"Filters": [only("ModelPackageGroupName", "Equals", name)]}
        answer = sagemaker.search(Resource="ModelPackageGroup", SearchExpression=expression)
        assert len(answer["Results"]) == count


def test_pipelines_are_searched_with_their_tags(cloud, sagemaker):
    arn = f"{ARN}:pipeline/birds"
    record = {"PipelineName": "birds", "PipelineArn": arn, "CreationTime": "2026-01-01T00:00:00.000Z"}
    cloud.store.put(PIPELINE, "birds", record)
    sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": "team", "Value": "birds"}])
    expression = {"Filters": [only("Tags.team", "Exists")]}
    (result,) = sagemaker.search(Resource="Pipeline", SearchExpression=expression)["Results"]
    assert result["Pipeline"]["PipelineName"] == "birds"
    assert result["Pipeline"]["Tags"] == [{"Key": "team", "Value": "birds"}]


@pytest.mark.parametrize("resource", ["FeatureGroup", "ExperimentTrialComponent"])
def test_what_cannot_be_searched_here_is_said(sagemaker, resource):
    code, text = refused(sagemaker.search, Resource=resource)
    assert (code, f"Search: {resource} is not available" in text) == ("ValidationException", True)
