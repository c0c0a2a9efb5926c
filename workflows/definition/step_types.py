"""What a step may have, by its type.

Sources: SageMaker Developer Guide, "Caching Pipeline Steps" and "Retry Policy for Pipeline Steps"; the
published JSON schema of pipeline definitions for ClarifyCheck, QualityCheck, Lambda, Callback and what is
required; the SDK (3.27) for EndpointConfig and Endpoint. The service gets new types now and then, so a type
that is not listed here may have everything.
"""

from collections.abc import Mapping
from dataclasses import dataclass

SERVICE = ("Step.SERVICE_FAULT", "Step.THROTTLING")
JOB = ("SageMaker.JOB_INTERNAL_ERROR", "SageMaker.CAPACITY_ERROR", "SageMaker.RESOURCE_LIMIT")
EMR = ("Emr.RESOURCE_LIMIT",)
EXCEPTION_TYPES = (*SERVICE, *JOB, *EMR)


@dataclass(frozen=True, kw_only=True)
class StepType:
    """What steps of one type may have."""

    may_be_cached: bool = False
    retried_after: tuple[str, ...] = ()  # exception types that its retry policies may name
    has_property_files: bool = False
    own_job: str | None = None  # the execution variable that holds its job's name
    required: tuple[str, ...] = ("Arguments",)  # fields beside Name and Type


_EVERYTHING = StepType(
    may_be_cached=True, retried_after=EXCEPTION_TYPES, has_property_files=True, required=()
)
_CHECK = StepType(may_be_cached=True, retried_after=(*SERVICE, *JOB), own_job="ProcessingJobName")
_RESOURCE = StepType(retried_after=SERVICE)

STEP_TYPES: Mapping[str, StepType] = {
    "Processing": StepType(
        may_be_cached=True,
        retried_after=(*SERVICE, *JOB),
        has_property_files=True,
        own_job="ProcessingJobName",
    ),
    "Training": StepType(may_be_cached=True, retried_after=(*SERVICE, *JOB), own_job="TrainingJobName"),
    "Tuning": StepType(may_be_cached=True, retried_after=(*SERVICE, *JOB)),
    "AutoML": StepType(may_be_cached=True, retried_after=(*SERVICE, *JOB)),
    "Transform": StepType(may_be_cached=True, retried_after=(*SERVICE, *JOB)),
    "Model": _RESOURCE,
    "RegisterModel": _RESOURCE,
    "ClarifyCheck": _CHECK,
    "QualityCheck": _CHECK,
    "EMR": StepType(may_be_cached=True, retried_after=(*SERVICE, *EMR)),
    "Lambda": StepType(may_be_cached=True, required=("FunctionArn",)),
    "Callback": StepType(may_be_cached=True, required=("SqsQueueUrl",)),
    "Condition": StepType(),
    "Fail": StepType(),
    "EndpointConfig": StepType(may_be_cached=True, retried_after=(*SERVICE, *JOB)),
    "Endpoint": StepType(may_be_cached=True),
}
# The guide lists no cache key for these, although a definition may hold the field: they run each time.
WITHOUT_CACHE_KEY = ("Lambda", "Callback", "EndpointConfig", "Endpoint")
# Their jobs are tried again inside; the service does so no further even if a policy asks for it.
RETRIED_INSIDE: Mapping[str, tuple[str, ...]] = {
    "Tuning": ("SageMaker.JOB_INTERNAL_ERROR",),
    "AutoML": ("SageMaker.JOB_INTERNAL_ERROR",),
}


def step_type(name: str) -> StepType:
    """What steps of a type may have."""
    return STEP_TYPES.get(name, _EVERYTHING)


def cached_types() -> tuple[str, ...]:
    """The types whose steps may be cached."""
    return tuple(name for name, kind in STEP_TYPES.items() if kind.may_be_cached)
