"""A CreateHyperParameterTuningJob request in which no expression is left, as typed values.

Source: SageMaker API 2017-07-24, CreateHyperParameterTuningJob.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from workflows.definition.model import JSON
from workflows.local.request import Request, RequestError
from workflows.local.tuning.ranges import read_ranges
from workflows.local.tuning.space import SearchSpace, Values
from workflows.local.tuning.strategies import GRID

MAXIMIZE, MINIMIZE = "Maximize", "Minimize"
# SageMaker's own limit, which holds where MaxNumberOfTrainingJobs is left out.
MAX_JOBS = 750
# By this hyperparameter the service tells an algorithm what is tuned.
OBJECTIVE_HYPERPARAMETER = "_tuning_objective_metric"

_NAME_LIMIT = 32  # of HyperParameterTuningJobName
_SUFFIX = 10  # characters that end the name of every job of a pipeline
# Fields of a training job definition that CreateTrainingJob has, too.
_TAKEN_OVER = (
    "AlgorithmSpecification",
    "RoleArn",
    "InputDataConfig",
    "VpcConfig",
    "OutputDataConfig",
    "ResourceConfig",
    "StoppingCondition",
    "EnableNetworkIsolation",
    "EnableInterContainerTrafficEncryption",
    "EnableManagedSpotTraining",
    "CheckpointConfig",
    "RetryStrategy",
    "Environment",
)


@dataclass(frozen=True)
class Objective:
    """The metric that a search improves, and in which direction."""

    metric: str
    type: Literal["Maximize", "Minimize"]

    def score(self, value: float) -> float:
        """The metric turned so that higher is better."""
        return value if self.type == MAXIMIZE else -value


@dataclass(frozen=True, kw_only=True)
class TrainingDefinition:
    """What the training jobs of one algorithm have in common, and what is tuned."""

    name: str | None  # DefinitionName
    request: Request
    objective: Objective
    space: SearchSpace

    def training_request(self, values: Values, job_name: str) -> dict[str, JSON]:
        """What CreateTrainingJob is asked to do with some values."""
        fields = self.request.fields
        request: dict[str, JSON] = {key: fields[key] for key in _TAKEN_OVER if fields.get(key) is not None}
        request["HyperParameters"] = {
            **self.request.mapping("StaticHyperParameters"),
            **values,
            OBJECTIVE_HYPERPARAMETER: self.objective.metric,
        }
        if resources := fields.get("HyperParameterTuningResourceConfig"):
            request["ResourceConfig"] = _resource_config(resources)
        if checkpoints := self.request.find("CheckpointConfig.S3Uri"):
            # Training jobs side by side must not find, or overwrite, the checkpoints of one another.
            uri = f"{str(checkpoints).rstrip('/')}/{job_name}"
            config = self.request.find("CheckpointConfig")
            request["CheckpointConfig"] = {**(config if isinstance(config, dict) else {}), "S3Uri": uri}
        return request


@dataclass(frozen=True, kw_only=True)
class TuningJob:
    """What to search, how, and when it is enough."""

    strategy: str  # Random, Grid or Bayesian
    definitions: tuple[TrainingDefinition, ...]
    max_jobs: int
    parallel: int  # MaxParallelTrainingJobs
    max_runtime_s: int | None
    seed: int | None
    target: float | None  # TargetObjectiveMetricValue
    patience: int | None  # MaxNumberOfTrainingJobsNotImproving


def tuning_job_name(job_name: str) -> str:
    """A job's name within the 32 characters that a tuning job's name may have.

    As SageMaker Pipelines does, it keeps the execution's id, the head of the step's name and the suffix:
    pipelines-0123456789ab-TuneDetector-0a1b2c3d4e becomes 0123456789ab-TuneDete-0a1b2c3d4e.
    """
    if len(job_name) <= _NAME_LIMIT:
        return job_name
    short = job_name.removeprefix("pipelines-")
    head = short[:-_SUFFIX][: _NAME_LIMIT - _SUFFIX - 1].rstrip("-")
    return f"{head}-{short[-_SUFFIX:]}"


def definition_requests(request: Request) -> list[Request]:
    """The training job definitions of a request; RequestError if they are not objects."""
    one = request.find("TrainingJobDefinition")
    if one is None:
        return request.requests("TrainingJobDefinitions")
    if not isinstance(one, dict):
        raise RequestError(f"{request.where}.TrainingJobDefinition: must be an object")
    return [Request(one, f"{request.where}.TrainingJobDefinition")]


def ranges_request(request: Request, definition: Request) -> Request:
    """The ranges of a definition: its own, or those of the tuning job."""
    own = definition.find("HyperParameterRanges")
    if isinstance(own, dict):
        return Request(own, f"{definition.where}.HyperParameterRanges")
    path = "HyperParameterTuningJobConfig.ParameterRanges"
    shared = request.find(path)
    return Request(shared if isinstance(shared, dict) else {}, f"{request.where}.{path}")


def objective_request(request: Request, definition: Request) -> Request:
    """The objective of a definition: its own, or that of the tuning job."""
    own = definition.find("TuningObjective")
    if isinstance(own, dict):
        return Request(own, f"{definition.where}.TuningObjective")
    path = "HyperParameterTuningJobConfig.HyperParameterTuningJobObjective"
    shared = request.find(path)
    return Request(shared if isinstance(shared, dict) else {}, f"{request.where}.{path}")


def read_job(request: Request) -> TuningJob:
    """The typed form of a request that `refusals` finds nothing wrong with.

    Raises:
        RequestError: a field is of the wrong type.
    """
    config = "HyperParameterTuningJobConfig"
    definitions = tuple(_read_definition(request, each) for each in definition_requests(request))
    strategy = request.text(f"{config}.Strategy")
    limits = f"{config}.ResourceLimits"
    counts = [definition.space.combinations for definition in definitions]
    combinations = sum(count for count in counts if count is not None) if None not in counts else MAX_JOBS
    default = combinations if strategy == GRID else min(combinations, MAX_JOBS)
    criteria = f"{config}.TuningJobCompletionCriteria"
    return TuningJob(
        strategy=strategy,
        definitions=definitions,
        max_jobs=request.number(f"{limits}.MaxNumberOfTrainingJobs", default),
        parallel=request.number(f"{limits}.MaxParallelTrainingJobs", 1),
        max_runtime_s=_optional_number(request, f"{limits}.MaxRuntimeInSeconds"),
        seed=_optional_number(request, f"{config}.RandomSeed"),
        target=_optional_float(request, f"{criteria}.TargetObjectiveMetricValue"),
        patience=_optional_number(
            request, f"{criteria}.BestObjectiveNotImproving.MaxNumberOfTrainingJobsNotImproving"
        ),
    )


def read_objective(request: Request) -> Objective:
    """MetricName and Type of an objective; RequestError if they are not what SageMaker knows."""
    kind = request.text("Type")
    if kind not in (MAXIMIZE, MINIMIZE):
        raise RequestError(f"{request.where}.Type: '{kind}' is neither Maximize nor Minimize")
    return Objective(request.text("MetricName"), "Maximize" if kind == MAXIMIZE else "Minimize")


def _read_definition(request: Request, definition: Request) -> TrainingDefinition:
    name = definition.find("DefinitionName")
    return TrainingDefinition(
        name=name if isinstance(name, str) else None,
        request=definition,
        objective=read_objective(objective_request(request, definition)),
        space=SearchSpace(tuple(read_ranges(ranges_request(request, definition)))),
    )


def _resource_config(resources: JSON) -> dict[str, JSON]:
    """The first of several instance configurations: here one is as good as the other."""
    fields: Mapping[str, JSON] = resources if isinstance(resources, dict) else {}
    choices = fields.get("InstanceConfigs")
    first = choices[0] if isinstance(choices, list) and choices else {}
    own = {
        key: value for key, value in fields.items() if key not in ("InstanceConfigs", "AllocationStrategy")
    }
    return {**own, **(first if isinstance(first, dict) else {})}


def _optional_number(request: Request, path: str) -> int | None:
    return None if request.find(path) is None else request.number(path, 0)


def _optional_float(request: Request, path: str) -> float | None:
    value = request.find(path)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise RequestError(f"{request.where}.{path}: must be a number, is {value!r}")
    return float(value)
