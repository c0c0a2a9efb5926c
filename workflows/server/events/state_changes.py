"""The events that SageMaker emits when the state of a resource changes. Pure functions of records.

Source: SageMaker Developer Guide, "Events that Amazon SageMaker AI sends to Amazon EventBridge". Pipelines
have fields of their own; for everything else `detail` is what the Describe call returns, with times in
milliseconds.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from botocore.model import ListShape, MapShape, Shape, StructureShape

from workflows.definition.model import JSON
from workflows.definition.records import Record
from workflows.local.naming import Names
from workflows.local.records import (
    ENDPOINT,
    HYPER_PARAMETER_TUNING_JOB,
    MODEL_PACKAGE,
    PROCESSING_JOB,
    TRAINING_JOB,
    TRANSFORM_JOB,
)
from workflows.server.events.bus import new_event
from workflows.server.shapes import service_model

_SOURCE = "aws.sagemaker"
_WORDS = re.compile(r"(?<=[a-z])(?=[A-Z])")
_EXECUTION_ENDED = ("Succeeded", "Failed", "Stopped")


@dataclass(frozen=True, kw_only=True)
class Watched:
    """A kind of record whose changes are events."""

    kind: str
    fields: Sequence[str]  # that make up its status
    detail_type: str
    arn: str
    detail: Callable[[Record], dict[str, JSON]]


def _job(kind: str, prefix: str, words: str) -> Watched:
    return Watched(
        kind=kind,
        fields=(f"{prefix}Status",),
        detail_type=f"SageMaker {words} State Change",
        arn=f"{prefix}Arn",
        detail=lambda record: {**described(f"Describe{prefix}", record), "Tags": {}},
    )


def _package(record: Record) -> dict[str, JSON]:
    name = f"{record['ModelPackageGroupName']}/{record['ModelPackageVersion']}"
    return {**described("DescribeModelPackage", record), "ModelPackageName": name}


def _endpoint(record: Record) -> dict[str, JSON]:
    detail = described("DescribeEndpoint", record)
    # Events spell it IN_SERVICE, the API InService.
    status = _WORDS.sub("_", str(record["EndpointStatus"])).upper()
    return {**detail, "EndpointStatus": status, "Tags": {}}


PACKAGES = Watched(
    kind=MODEL_PACKAGE,
    fields=("ModelPackageStatus", "ModelApprovalStatus"),
    detail_type="SageMaker Model Package State Change",
    arn="ModelPackageArn",
    detail=_package,
)
ENDPOINTS = Watched(
    kind=ENDPOINT,
    fields=("EndpointStatus",),
    detail_type="SageMaker Endpoint State Change",
    arn="EndpointArn",
    detail=_endpoint,
)
RESOURCES = (
    _job(TRAINING_JOB, "TrainingJob", "Training Job"),
    _job(PROCESSING_JOB, "ProcessingJob", "Processing Job"),
    _job(TRANSFORM_JOB, "TransformJob", "Transform Job"),
    _job(HYPER_PARAMETER_TUNING_JOB, "HyperParameterTuningJob", "HyperParameter Tuning Job"),
    PACKAGES,
    ENDPOINTS,
)
EXECUTION_FIELDS = ("PipelineExecutionStatus",)


def resource_event(watched: Watched, record: Record, names: Names) -> dict[str, JSON]:
    """The event of a job, model package or endpoint whose status has changed."""
    time = record.get("LastModifiedTime", record.get("CreationTime"))
    arn, detail = str(record[watched.arn]), watched.detail(record)
    return _event(watched.detail_type, [arn], detail, str(time), names)


def execution_event(record: Record, previous: str | None, names: Names) -> dict[str, JSON]:
    """The event of a pipeline execution whose status has changed."""
    status = str(record["PipelineExecutionStatus"])
    detail: dict[str, JSON] = {
        "pipelineExecutionDisplayName": record.get("PipelineExecutionDisplayName"),
        "pipelineExecutionDescription": record.get("PipelineExecutionDescription"),
        "currentPipelineExecutionStatus": status,
        "previousPipelineExecutionStatus": previous,
        "executionStartTime": _to_second(record.get("CreationTime")),
        "executionEndTime": _to_second(record.get("LastModifiedTime"))
        if status in _EXECUTION_ENDED
        else None,
        "pipelineArn": record["PipelineArn"],
        "pipelineExecutionArn": record["PipelineExecutionArn"],
    }
    return _pipeline_event("Execution Status Change", record, detail, record.get("LastModifiedTime"), names)


def step_event(step: Record, execution: Record, previous: str | None, names: Names) -> dict[str, JSON]:
    """The event of a step whose status has changed."""
    detail: dict[str, JSON] = {
        "metadata": _lower(step.get("Metadata", {})),
        "cacheHitResult": _lower(step.get("CacheHitResult")),
        "failureReason": step.get("FailureReason"),
        "stepStartTime": _to_second(step.get("StartTime")),
        "stepEndTime": _to_second(step.get("EndTime")),
        "stepName": step["StepName"],
        "stepType": step["StepType"],
        "currentStepStatus": step["StepStatus"],
        "previousStepStatus": previous,
        "pipelineArn": execution["PipelineArn"],
        "pipelineExecutionArn": execution["PipelineExecutionArn"],
    }
    time = step.get("EndTime", step.get("StartTime"))
    return _pipeline_event("Execution Step Status Change", execution, detail, time, names)


def described(operation: str, record: Record) -> dict[str, JSON]:
    """A record as a Describe call returns it, with times in milliseconds since 1970."""
    shape = service_model("sagemaker").operation_model(operation).output_shape
    cut = _cut(shape, record) if shape is not None else {}
    return cut if isinstance(cut, dict) else {}


def _pipeline_event(
    what: str, execution: Record, detail: Mapping[str, JSON], time: JSON, names: Names
) -> dict[str, JSON]:
    arns = [str(execution["PipelineArn"]), str(execution["PipelineExecutionArn"])]
    known: dict[str, JSON] = {key: value for key, value in detail.items() if value is not None}
    return _event(f"SageMaker Model Building Pipeline {what}", arns, known, str(time), names)


def _event(
    detail_type: str, resources: Sequence[str], detail: JSON, time: str, names: Names
) -> dict[str, JSON]:
    return new_event(
        source=_SOURCE,
        detail_type=detail_type,
        account=names.account,
        region=names.region,
        resources=resources,
        detail=detail,
        time=time,
    )


def _cut(shape: Shape, value: JSON) -> JSON:
    if isinstance(shape, StructureShape) and isinstance(value, dict):
        known = {key: item for key, item in value.items() if key in shape.members and item is not None}
        return {key: _cut(shape.members[key], item) for key, item in known.items()}
    if isinstance(shape, ListShape) and isinstance(value, list):
        return [_cut(shape.member, item) for item in value]
    if isinstance(shape, MapShape) and isinstance(value, dict):
        return {key: _cut(shape.value, item) for key, item in value.items()}
    if shape.type_name == "timestamp":
        return int(datetime.fromisoformat(str(value)).timestamp() * 1000)
    return value


def _lower(value: JSON) -> JSON:
    """An object with names as these events write them: processingJob, arn."""
    if isinstance(value, dict):
        return {key[:1].lower() + key[1:]: _lower(item) for key, item in value.items()}
    return [_lower(item) for item in value] if isinstance(value, list) else value


def _to_second(time: JSON) -> JSON:
    return None if time is None else f"{str(time)[:19]}Z"
