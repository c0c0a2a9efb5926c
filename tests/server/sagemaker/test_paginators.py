"""boto3's paginators come through every list that SageMaker has here, whatever size the pages have."""

import pytest

from workflows.local.records import (
    ENDPOINT,
    ENDPOINT_CONFIG,
    HYPER_PARAMETER_TUNING_JOB,
    MODEL,
    MODEL_PACKAGE_GROUP,
    PROCESSING_JOB,
    TRAINING_JOB,
    TRANSFORM_JOB,
)

COUNT = 7
ARN = "arn:aws:sagemaker:eu-west-1:123456789012"
TUNING = "HyperParameterTuningJob"
# A record needs what its summary needs.
MORE = {
    TUNING: {"Strategy": "Random", "HyperParameterTuningJobStatus": "Completed"}
    | {"TrainingJobStatusCounters": {}, "ObjectiveStatusCounters": {}}
}
RESOURCES = [
    pytest.param(TRAINING_JOB, "TrainingJob", "list_training_jobs", "TrainingJobSummaries", id="training"),
    pytest.param(
        PROCESSING_JOB, "ProcessingJob", "list_processing_jobs", "ProcessingJobSummaries", id="processing"
    ),
    pytest.param(
        TRANSFORM_JOB, "TransformJob", "list_transform_jobs", "TransformJobSummaries", id="transform"
    ),
    pytest.param(
        HYPER_PARAMETER_TUNING_JOB,
        TUNING,
        "list_hyper_parameter_tuning_jobs",
        "HyperParameterTuningJobSummaries",
        id="tuning",
    ),
    pytest.param(MODEL, "Model", "list_models", "Models", id="models"),
    pytest.param(
        ENDPOINT_CONFIG, "EndpointConfig", "list_endpoint_configs", "EndpointConfigs", id="endpoint-configs"
    ),
    pytest.param(ENDPOINT, "Endpoint", "list_endpoints", "Endpoints", id="endpoints"),
    pytest.param(
        MODEL_PACKAGE_GROUP,
        "ModelPackageGroup",
        "list_model_package_groups",
        "ModelPackageGroupSummaryList",
        id="model-package-groups",
    ),
]


def record(cloud, kind, prefix):
    for number in range(COUNT):
        name, at = f"{kind}-{number}", f"2026-02-0{number + 1}T00:00:00Z"
        fields = {
            f"{prefix}Name": name,
            f"{prefix}Arn": f"{ARN}:{kind}/{name}",
            f"{prefix}Status": "Completed",
        }
        times = {"CreationTime": at, "LastModifiedTime": at}
        cloud.store.put(kind, name, {**fields, **times, **MORE.get(prefix, {})})


@pytest.mark.parametrize("size", [1, 3, COUNT, 100])
@pytest.mark.parametrize(("kind", "prefix", "operation", "summaries"), RESOURCES)
def test_a_paginator_meets_every_resource_once(cloud, kind, prefix, operation, summaries, size):
    record(cloud, kind, prefix)
    paginator = cloud.client("sagemaker").get_paginator(operation)
    pages = list(
        paginator.paginate(SortBy="CreationTime", SortOrder="Ascending", PaginationConfig={"PageSize": size})
    )
    assert [len(page[summaries]) for page in pages if page[summaries]] == [
        min(size, COUNT - start) for start in range(0, COUNT, size)
    ]
    names = [entry[f"{prefix}Name"] for page in pages for entry in page[summaries]]
    assert names == [f"{kind}-{number}" for number in range(COUNT)]


def test_a_paginator_goes_on_where_another_has_stopped(cloud):
    record(cloud, MODEL, "Model")
    paginator = cloud.client("sagemaker").get_paginator("list_models")
    order = {"SortBy": "Name", "SortOrder": "Ascending"}
    first = paginator.paginate(**order, PaginationConfig={"MaxItems": 4, "PageSize": 2}).build_full_result()
    rest = paginator.paginate(
        **order, PaginationConfig={"StartingToken": first["NextToken"]}
    ).build_full_result()
    names = [entry["ModelName"] for part in (first, rest) for entry in part["Models"]]
    assert names == [f"model-{number}" for number in range(COUNT)]
