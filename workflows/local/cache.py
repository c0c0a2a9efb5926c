"""Step caching: which earlier run of a step may stand for this one, and why none may.

Source: SageMaker Developer Guide, "Caching Pipeline Steps": the latest successful run of the same step in the
same pipeline whose key fields are the same and that is not older than ExpireAfter. Key fields are compared as
they are sent, after expressions are resolved; the content behind an S3 URI has no influence.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from workflows.definition.model import JSON, CachePolicy
from workflows.local.step_results import StepResult

# Step type -> the fields of its arguments that must be the same. All others may differ: outputs, instances,
# roles, limits.
KEY_FIELDS: Mapping[str, tuple[str, ...]] = {
    "Processing": ("AppSpecification", "Environment", "ProcessingInputs"),
    "Training": (
        "AlgorithmSpecification",
        "CheckpointConfig",
        "DebugHookConfig",
        "DebugRuleConfigurations",
        "Environment",
        "HyperParameters",
        "InputDataConfig",
    ),
    "Tuning": (
        "HyperParameterTuningJobConfig",
        "TrainingJobDefinition.AlgorithmSpecification",
        "TrainingJobDefinition.HyperParameterRanges",
        "TrainingJobDefinition.InputDataConfig",
        "TrainingJobDefinition.StaticHyperParameters",
        "TrainingJobDefinition.TuningObjective",
        "TrainingJobDefinitions",
    ),
    "Transform": ("DataProcessing", "Environment", "ModelName", "TransformInput"),
}


@dataclass(frozen=True, kw_only=True)
class Hit:
    """An earlier run that stands for this one."""

    source: StepResult


@dataclass(frozen=True, kw_only=True)
class Change:
    """One field of the key that is not what it was; None where it is absent."""

    field: str
    before: JSON
    after: JSON


@dataclass(frozen=True, kw_only=True)
class Miss:
    """Why a step has to run."""

    reason: str
    compared_with: str = ""  # ARN of the execution
    changes: tuple[Change, ...] = ()

    def record(self) -> dict[str, JSON]:
        """As it stands in the step's record."""
        changes: list[JSON] = [
            {"Field": change.field, "Before": change.before, "After": change.after} for change in self.changes
        ]
        return {"Reason": self.reason, "ComparedWith": self.compared_with, "Changed": changes}


def key_of(step_type: str, arguments: Mapping[str, JSON]) -> dict[str, JSON]:
    """Field -> value of everything that decides whether a step must run again; absent fields are left out."""
    found = {field: _at(arguments, field) for field in KEY_FIELDS[step_type]}
    return {field: value for field, value in found.items() if value is not None}


def look_up(
    key: Mapping[str, JSON],
    policy: CachePolicy,
    earlier: Iterable[StepResult],
    *,
    now: datetime | None = None,
) -> Hit | Miss:
    """Find the run that stands for this one.

    Args:
        key: of the step as it would run now.
        policy: of the step.
        earlier: every successful run of the step in this pipeline that did work, in any order.
        now: the time; for tests.
    """
    newest_first = sorted((result for result in earlier if result.key is not None), key=_ended, reverse=True)
    if not newest_first:
        return Miss(
            reason="no earlier execution of this pipeline has run this step successfully with caching"
        )
    same = next((result for result in newest_first if result.key == key), None)
    if same is None:
        latest = newest_first[0]
        return Miss(
            reason="arguments have changed",
            compared_with=latest.execution_arn,
            changes=tuple(differences(dict(latest.key or {}), dict(key))),
        )
    age = (now or datetime.now(UTC)) - _ended(same)
    if policy.expire_after is not None and age > policy.expire_after:
        return Miss(
            reason=f"expired: it ran {_whole_seconds(age)} ago, ExpireAfter is {policy.expire_after}",
            compared_with=same.execution_arn,
        )
    return Hit(source=same)


def differences(before: JSON, after: JSON, at: str = "") -> Iterator[Change]:
    """The leaves in which two documents differ, by their paths."""
    if isinstance(before, dict) and isinstance(after, dict):
        for name in sorted({*before, *after}):
            yield from differences(before.get(name), after.get(name), f"{at}.{name}" if at else name)
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, (old, new) in enumerate(zip(before, after, strict=True)):
            yield from differences(old, new, f"{at}[{index}]")
    elif before != after:
        yield Change(field=at, before=before, after=after)


def _at(arguments: Mapping[str, JSON], path: str) -> JSON:
    value: JSON = dict(arguments)
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def _ended(result: StepResult) -> datetime:
    return datetime.fromisoformat(result.ended)


def _whole_seconds(age: timedelta) -> timedelta:
    return timedelta(seconds=int(age.total_seconds()))
