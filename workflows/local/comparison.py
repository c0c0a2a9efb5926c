"""What differs between two executions.

Executions of different pipelines are compared, too: whether a retraining is better than the first training is
asked of two pipelines. Steps are matched by their names, in whichever pipeline they are.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from workflows.definition.differences import Change, by_name, differences
from workflows.definition.model import JSON
from workflows.definition.records import Record, last_part, seconds_between, source_of
from workflows.local import pipelines
from workflows.local.engine import find
from workflows.local.figures import figures
from workflows.local.records import EXECUTION_STEP
from workflows.local.request import Request
from workflows.local.resources import made_by_step
from workflows.local.store import Store

# Of an execution's record, what can differ for a reason; the rest is another for every execution.
_COMPARED = (
    "PipelineExecutionStatus",
    "FailureReason",
    "SelectiveExecutionConfig",
    "ParallelismConfiguration",
)
_Key = TypeVar("_Key")
_PACKAGE = ("ModelPackageArn", "ModelApprovalStatus", "CustomerMetadataProperties")


@dataclass(frozen=True, kw_only=True)
class StepState:
    """How a step of an execution went."""

    type: str
    status: str
    seconds: float | None  # None: it has not ended
    attempts: int
    source: str | None  # the execution that its outcome was taken from; None: it ran
    failure: str | None

    def record(self) -> dict[str, JSON]:
        """As JSON."""
        return {
            "StepType": self.type,
            "StepStatus": self.status,
            "Seconds": self.seconds,
            "AttemptCount": self.attempts,
            "Source": self.source,
            "FailureReason": self.failure,
        }


@dataclass(frozen=True, kw_only=True)
class StepPair:
    """A step in both executions; None where one has not come to it."""

    step: str
    before: StepState | None
    after: StepState | None

    @property
    def differs(self) -> bool:
        """Whether anything but the time differs."""
        return _but_time(self.before) != _but_time(self.after)


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A figure of a step in both executions; None where one has none."""

    step: str
    name: str
    before: float | None
    after: float | None

    @property
    def difference(self) -> float | None:
        """The second minus the first, where both are finite."""
        if self.before is None or self.after is None:
            return None
        difference = self.after - self.before
        return difference if math.isfinite(difference) else None

    @property
    def differs(self) -> bool:
        """Whether they are not the same; two that are not numbers are."""
        return repr(self.before) != repr(self.after)


@dataclass(frozen=True, kw_only=True)
class Package:
    """The model version that a step registered in both executions."""

    step: str
    before: Record | None
    after: Record | None

    @property
    def differs(self) -> bool:
        """Whether anything but the version's number differs."""
        return _but_number(self.before) != _but_number(self.after)


@dataclass(frozen=True, kw_only=True)
class Side:
    """One of the two executions."""

    id: str
    pipeline: str
    version: int
    status: str
    started: str
    seconds: float

    def record(self) -> dict[str, JSON]:
        """As JSON."""
        return {
            "execution": self.id,
            "PipelineName": self.pipeline,
            "PipelineVersionId": self.version,
            "PipelineExecutionStatus": self.status,
            "CreationTime": self.started,
            "Seconds": self.seconds,
        }


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Two executions, side by side; steps, metrics and packages also where they are the same."""

    before: Side
    after: Side
    execution: tuple[Change, ...]
    definition: tuple[Change, ...]
    parameters: tuple[Change, ...]
    steps: tuple[StepPair, ...]
    metrics: tuple[Metric, ...]
    packages: tuple[Package, ...]

    @property
    def differs(self) -> bool:
        """Whether anything but time and running numbers differs."""
        return bool(
            self.execution
            or self.definition
            or self.parameters
            or any(pair.differs for pair in self.steps)
            or any(metric.differs for metric in self.metrics)
            or any(package.differs for package in self.packages)
        )


def compare(store: Store, before: str, after: str) -> Comparison:
    """Compare two executions by their ids.

    Raises:
        WorkflowError: there is no such execution.
    """
    first, second = _Recorded(store, before), _Recorded(store, after)
    return Comparison(
        before=first.side,
        after=second.side,
        execution=tuple(differences(first.compared, second.compared)),
        definition=tuple(differences(by_name(dict(first.document)), by_name(dict(second.document)))),
        parameters=tuple(differences(first.parameters, second.parameters)),
        steps=tuple(
            StepPair(step=name, before=first.steps.get(name), after=second.steps.get(name))
            for name in _union(first.steps, second.steps)
        ),
        metrics=tuple(
            Metric(step=key[0], name=key[1], before=first.metrics.get(key), after=second.metrics.get(key))
            for key in _union(first.metrics, second.metrics)
        ),
        packages=tuple(
            Package(step=step, before=first.packages.get(step), after=second.packages.get(step))
            for step in _union(first.packages, second.packages)
        ),
    )


class _Recorded:
    """What is on record of one execution."""

    def __init__(self, store: Store, execution_id: str) -> None:
        record = find(store, execution_id)
        steps = store.all(EXECUTION_STEP, parent=execution_id)
        request = Request(record, execution_id)
        self.side = _side(execution_id, record)
        definition = pipelines.definition_of(store, self.side.pipeline, self.side.version)
        self.document = definition.document
        self.compared: dict[str, JSON] = {
            "PipelineName": self.side.pipeline,
            "PipelineVersionId": self.side.version,
            **{key: record[key] for key in _COMPARED if key in record},
        }
        self.parameters: dict[str, JSON] = {
            entry.text("Name"): entry.find("Value") for entry in request.requests("PipelineParameters")
        }
        self.steps = {str(step["StepName"]): _state(step) for step in steps}
        self.metrics = figures(store, steps, definition)
        self.packages: dict[str, Record] = {
            step: {key: package[key] for key in _PACKAGE if key in package}
            for step, package in made_by_step(store, steps, "RegisterModel")
        }


def _side(execution_id: str, record: Record) -> Side:
    return Side(
        id=execution_id,
        pipeline=last_part(record["PipelineArn"]),
        version=Request(record, execution_id).number("PipelineVersionId", 1),
        status=str(record["PipelineExecutionStatus"]),
        started=str(record["CreationTime"]),
        seconds=seconds_between(record["CreationTime"], record["LastModifiedTime"]),
    )


def _state(step: Record) -> StepState:
    reason = step.get("FailureReason")
    return StepState(
        type=str(step["StepType"]),
        status=str(step["StepStatus"]),
        seconds=seconds_between(step["StartTime"], step["EndTime"]) if "EndTime" in step else None,
        attempts=Request(step, "step").number("AttemptCount", 1),
        source=source_of(step),
        failure=None if reason is None else str(reason),
    )


def _union(first: Mapping[_Key, object], second: Mapping[_Key, object]) -> list[_Key]:
    """The keys of both, in the order of the first one."""
    return list(dict.fromkeys([*first, *second]))


def _but_time(state: StepState | None) -> StepState | None:
    return replace(state, seconds=None) if state else None


def _but_number(package: Record | None) -> Record | None:
    if package is None:
        return None
    group = str(package["ModelPackageArn"]).rpartition("/")[0]
    return {**package, "ModelPackageArn": group}
