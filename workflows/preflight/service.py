"""SageMaker's service model: which request a step's arguments are, and what its properties lead to.

Sources: botocore's model of SageMaker 2017-07-24; SageMaker Developer Guide, "Pipelines steps", for the
operation behind each step type and for what the service fills in by itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeAlias

from botocore.loaders import Loader

Shape: TypeAlias = Mapping[str, Any]

# What a job's own role is when its step names none: that of the pipeline.
_ROLE = "RoleArn"


@dataclass(frozen=True, kw_only=True)
class Operation:
    """What one step type calls."""

    request: str  # the operation whose request the arguments are
    record: str  # the operation whose response Steps.NAME leads into
    filled_in: tuple[str, ...] = ()  # required members of the request that the service fills in


OPERATIONS: Mapping[str, Operation] = {
    "Processing": Operation(
        request="CreateProcessingJob",
        record="DescribeProcessingJob",
        filled_in=("ProcessingJobName", _ROLE),
    ),
    "Training": Operation(
        request="CreateTrainingJob", record="DescribeTrainingJob", filled_in=("TrainingJobName", _ROLE)
    ),
    "Tuning": Operation(
        request="CreateHyperParameterTuningJob",
        record="DescribeHyperParameterTuningJob",
        filled_in=("HyperParameterTuningJobName",),
    ),
    "AutoML": Operation(
        request="CreateAutoMLJob", record="DescribeAutoMLJob", filled_in=("AutoMLJobName", _ROLE)
    ),
    "Transform": Operation(
        request="CreateTransformJob", record="DescribeTransformJob", filled_in=("TransformJobName",)
    ),
    "Model": Operation(request="CreateModel", record="DescribeModel", filled_in=("ModelName",)),
    "RegisterModel": Operation(request="CreateModelPackage", record="DescribeModelPackage"),
    "EndpointConfig": Operation(
        request="CreateEndpointConfig",
        record="DescribeEndpointConfig",
        filled_in=("EndpointConfigName",),
    ),
    "Endpoint": Operation(request="CreateEndpoint", record="DescribeEndpoint", filled_in=("EndpointName",)),
    # They start a processing job; what their properties lead to, no model describes.
    "ClarifyCheck": Operation(
        request="CreateProcessingJob", record="", filled_in=("ProcessingJobName", _ROLE)
    ),
    "QualityCheck": Operation(
        request="CreateProcessingJob", record="", filled_in=("ProcessingJobName", _ROLE)
    ),
}
# Members of a step's properties beside those of its Describe call, with their shapes. Source: SageMaker
# Developer Guide, "Pipelines steps": Tuning and AutoML.
_MORE_PROPERTIES: Mapping[str, Mapping[str, str]] = {
    "Tuning": {"TrainingJobSummaries": "HyperParameterTrainingJobSummaries"},
    "AutoML": {"BestCandidateProperties": ""},
}


class Service:
    """Shapes by name, and those of each step type."""

    def __init__(self, model: Mapping[str, Any]) -> None:
        self.shapes: Mapping[str, Shape] = model["shapes"]
        self._operations: Mapping[str, Any] = model["operations"]

    def request(self, step_type: str) -> str | None:
        """Name of the shape of a step's arguments; None if no model describes them."""
        known = OPERATIONS.get(step_type)
        return str(self._operations[known.request]["input"]["shape"]) if known else None

    def record(self, step_type: str) -> str | None:
        """Name of the shape that Steps.NAME leads into; None if no model describes it."""
        known = OPERATIONS.get(step_type)
        return str(self._operations[known.record]["output"]["shape"]) if known and known.record else None

    def properties(self, step_type: str) -> dict[str, str]:
        """The members of Steps.NAME with the names of their shapes, "" where no model describes one."""
        record = self.record(step_type)
        members = self.members(record) if record else {}
        return {**members, **_MORE_PROPERTIES.get(step_type, {})}

    def members(self, shape: str) -> dict[str, str]:
        """The members of a structure with the names of their shapes."""
        return {name: str(member["shape"]) for name, member in self.shapes[shape]["members"].items()}

    def within(self, shape: str, part: str) -> str:
        """Name of the shape of a list's or a map's entries: part is member or value."""
        return str(self.shapes[shape][part]["shape"])


@cache
def sagemaker() -> Service:
    """The service model that this installation's botocore ships."""
    return Service(Loader().load_service_model("sagemaker", "service-2"))
