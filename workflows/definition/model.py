"""A pipeline definition as frozen data.

Source: the definition JSON of SageMaker Pipelines, version 2020-12-01.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeAlias

JSON: TypeAlias = "bool | int | float | str | list[JSON] | dict[str, JSON] | None"
Scalar: TypeAlias = str | int | float | bool


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """One value that may be given at the start of an execution."""

    name: str
    type: str  # String, Integer, Float or Boolean
    default: Scalar | None  # None: a value must be given
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class PropertyFile:
    """A JSON file in an output of a processing step that later steps read with Std:JsonGet."""

    name: str
    output: str
    path: str  # relative to the output's S3Uri


@dataclass(frozen=True, kw_only=True)
class Branch:
    """The side of a condition step that a step stands on."""

    condition: str
    outcome: bool


@dataclass(frozen=True, kw_only=True)
class CachePolicy:
    """When an earlier run of a step may stand for a new one."""

    expire_after: timedelta | None  # None: never expires


@dataclass(frozen=True, kw_only=True)
class RetryPolicy:
    """When a step that failed is tried again; at most one of the two limits is set."""

    exception_types: tuple[str, ...]  # such as Step.THROTTLING
    interval_s: int = 1  # before the second try
    backoff_rate: float = 2.0  # each further interval is longer by this factor
    max_attempts: int | None = 5  # 0: never tried again
    expire_after_min: int | None = None


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step; those inside a condition's branches stand beside all others, with `branch` set."""

    name: str
    type: str
    where: str  # place in the document, such as Steps[3]
    arguments: Mapping[str, JSON]
    depends_on: tuple[str, ...] = ()
    # Of the steps in depends_on, those that this one does not wait to succeed: it runs when they have Failed,
    # Stopped, or ended in Any way.
    triggers: Mapping[str, str] = field(default_factory=dict)
    branch: Branch | None = None
    property_files: Mapping[str, PropertyFile] = field(default_factory=dict)
    fields: Mapping[str, JSON] = field(
        default_factory=dict
    )  # beside Arguments, such as a Lambda's FunctionArn
    cache: CachePolicy | None = None  # None: runs each time
    retries: tuple[RetryPolicy, ...] = ()
    display_name: str | None = None
    description: str | None = None


@dataclass(frozen=True, kw_only=True)
class Definition:
    """A checked definition: every reference in it leads to something, and no step waits for itself."""

    parameters: Mapping[str, Parameter]
    steps: Mapping[str, Step]  # in document order, branches flattened
    needs: Mapping[str, frozenset[str]]  # step -> steps that must have ended before it
    document: Mapping[str, JSON]
    text: str  # as it was given
    experiment: Mapping[str, JSON] = field(default_factory=dict)  # PipelineExperimentConfig
