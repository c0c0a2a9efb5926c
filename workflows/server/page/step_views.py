"""The steps of an execution as the page shows them: also those that have not started, and never will."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from workflows.definition.model import JSON, Definition, Step
from workflows.definition.records import Record, objects_of, seconds_between, source_of
from workflows.local.journal import (
    COMPLETED_WITH_FAILURES,
    EXECUTING,
    FAILED,
    STOPPED,
    STOPPING,
    SUCCEEDED,
    now,
)

WAITING, NOT_TAKEN, NOT_RUN = "Waiting", "Not taken", "Not run"
# Status -> the word that the style sheet colours.
_STATES: Mapping[str, str] = {
    SUCCEEDED: "good",
    EXECUTING: "busy",
    STOPPING: "busy",
    FAILED: "bad",
    STOPPED: "halted",
    WAITING: "waiting",
    NOT_TAKEN: "skipped",
    NOT_RUN: "skipped",
    COMPLETED_WITH_FAILURES: "halted",
    # Of endpoints and model packages.
    "InService": "good",
    "Creating": "busy",
    "Updating": "busy",
    "Deleting": "busy",
    "Approved": "good",
    "Rejected": "bad",
    "PendingManualApproval": "asking",
}


def state_of(status: str) -> str:
    """How a status looks."""
    return _STATES.get(status, "waiting")


@dataclass(frozen=True, kw_only=True)
class StepView:
    """One step of an execution."""

    name: str
    type: str
    title: str  # display name, or name
    description: str
    status: str
    seconds: float | None  # so far, of one that works
    started: str | None
    ended: str | None
    attempts: int
    reason: str  # why it failed
    source: str | None  # id of the execution whose result it has
    cached: bool
    outcome: str  # of a condition
    branch: str  # the side of a condition that it stands on, such as "CheckMap: True"
    miss: str  # why its cache did not help
    record: Mapping[str, JSON] | None

    @property
    def state(self) -> str:
        """How its status looks."""
        return state_of(self.status)


def step_views(definition: Definition, records: list[Record], *, status: str) -> list[StepView]:
    """All steps, in document order.

    Args:
        definition: what runs.
        records: of the steps that have started.
        status: of the execution.
    """
    known = {str(record["StepName"]): record for record in records}
    skipped = _not_taken(definition, known)
    rest = WAITING if status in (EXECUTING, STOPPING) else NOT_RUN
    return [
        _view(step, known.get(step.name), otherwise=NOT_TAKEN if step.name in skipped else rest)
        for step in definition.steps.values()
    ]


def outcome_of(record: Mapping[str, JSON] | None) -> str:
    """What a condition came to, True or False; empty if it did not, or is none."""
    metadata = record.get("Metadata") if record else None
    condition = metadata.get("Condition") if isinstance(metadata, dict) else None
    return str(condition.get("Outcome", "")) if isinstance(condition, dict) else ""


def _not_taken(definition: Definition, known: Mapping[str, Record]) -> set[str]:
    """The steps on the other sides of conditions, and what needs them."""
    skipped: set[str] = set()
    while fresh := [
        step.name
        for step in definition.steps.values()
        if step.name not in skipped and step.name not in known and _is_off(step, definition, known, skipped)
    ]:
        skipped.update(fresh)
    return skipped


def _is_off(step: Step, definition: Definition, known: Mapping[str, Record], skipped: set[str]) -> bool:
    if definition.needs[step.name] & skipped:
        return True
    if step.branch is None:
        return False
    outcome = outcome_of(known.get(step.branch.condition))
    return outcome != "" and outcome != str(step.branch.outcome)


def _view(step: Step, record: Record | None, *, otherwise: str) -> StepView:
    found = record or {}
    started, ended = _text(found, "StartTime"), _text(found, "EndTime")
    attempts = found.get("AttemptCount", 0)
    working = found.get("StepStatus") == EXECUTING
    return StepView(
        name=step.name,
        type=step.type,
        title=step.display_name or step.name,
        description=step.description or "",
        status=str(found.get("StepStatus", otherwise)),
        seconds=seconds_between(started, ended or now()) if started and (ended or working) else None,
        started=started,
        ended=ended,
        attempts=attempts if isinstance(attempts, int) else 0,
        reason=str(found.get("FailureReason", "")),
        source=source_of(found),
        cached="CacheHitResult" in found,
        outcome=outcome_of(record),
        branch=f"{step.branch.condition}: {step.branch.outcome}" if step.branch else "",
        miss="; ".join(_miss(found.get("CacheMiss"))),
        record=record,
    )


def _miss(miss: JSON) -> Iterator[str]:
    if isinstance(miss, dict):
        yield str(miss["Reason"])
        yield from (str(change["Field"]) for change in objects_of(miss.get("Changed")))


def _text(record: Mapping[str, JSON], key: str) -> str | None:
    value = record.get(key)
    return str(value) if value is not None else None
