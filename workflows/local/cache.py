"""Step caching: which earlier run of a step may stand for this one, and why none may.

Source: SageMaker Developer Guide, "Caching Pipeline Steps": the latest successful run of the same step in the
same pipeline whose key fields are the same and that is not older than ExpireAfter. Key fields are compared as
they are sent, after expressions are resolved; the content behind an S3 URI has no influence.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from workflows.definition.differences import Change, differences
from workflows.definition.model import JSON, CachePolicy
from workflows.local.step_results import StepResult


@dataclass(frozen=True, kw_only=True)
class Hit:
    """An earlier run that stands for this one."""

    source: StepResult


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


def _ended(result: StepResult) -> datetime:
    return datetime.fromisoformat(result.ended)


def _whole_seconds(age: timedelta) -> timedelta:
    return timedelta(seconds=int(age.total_seconds()))
