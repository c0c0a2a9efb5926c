"""Writes down how an execution goes, in the shapes of DescribePipelineExecution and its like."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from workflows.definition.model import JSON, Step
from workflows.definition.records import Record
from workflows.local.cache import Miss
from workflows.local.naming import new_execution_id
from workflows.local.planner import Plan
from workflows.local.records import (
    ENDPOINT_CONFIG,
    EXECUTION,
    EXECUTION_STEP,
    MODEL,
    MODEL_PACKAGE,
    MODEL_PACKAGE_GROUP,
)
from workflows.local.resolver import text_of
from workflows.local.runners.base import Result
from workflows.local.step_results import StepResult
from workflows.local.store import Store, StoreError, Write

EXECUTING, STOPPING = "Executing", "Stopping"
SUCCEEDED, FAILED, STOPPED = "Succeeded", "Failed", "Stopped"
COMPLETED_WITH_FAILURES = "CompletedWithFailures"  # what failed was answered by steps with run conditions

# In the record of an execution.
# Beside what a call would tell of a step: why it was tried again.
RETRIED_FOR = "RetriedFor"
PARALLELISM = "ParallelismConfiguration.MaxParallelExecutionSteps"

# Their Create calls refuse a name that exists, also where two executions take it at the same moment.
_NEVER_REPLACED = (MODEL, MODEL_PACKAGE, ENDPOINT_CONFIG)
# The API's limits.
_STEP_REASON_LIMIT = 1024
_EXECUTION_REASON_LIMIT = 1300


@dataclass(frozen=True, kw_only=True)
class Identity:
    """Which execution of which version of which pipeline."""

    id: str
    pipeline: str
    pipeline_arn: str
    version: int
    started: str  # the first time; a resumed execution keeps it

    @property
    def arn(self) -> str:
        """The execution's ARN."""
        return f"{self.pipeline_arn}/execution/{self.id}"


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a step has ended."""

    status: str
    note: str  # for people: the outcome, or why it failed
    metadata: Mapping[str, JSON] = field(default_factory=dict)
    properties: JSON = None
    result: Result | None = None  # the resource that it made
    failure: str | None = None
    key: Mapping[str, JSON] | None = None  # of step caching, where the step itself ran with it
    cache_hit: str | None = None  # ARN of the execution that its outcome is taken from
    cache_miss: Miss | None = None
    attempts: int = 1


@dataclass(frozen=True, kw_only=True)
class Opening:
    """What a start call says of the new execution itself, beside what it is to run."""

    id: str = field(default_factory=new_execution_id)
    members: Mapping[str, JSON] = field(default_factory=dict)  # of DescribePipelineExecution
    # Writes its first record, which says so if there is one of this id already; None: the store itself.
    write: Callable[[Write], bool] | None = None


class Journal:
    """The records of one execution."""

    def __init__(self, store: Store, plan: Plan, identity: Identity, *, max_parallel: int | None) -> None:
        """Nothing is written before the first call."""
        self._store, self._identity = store, identity
        self._retried_for: dict[str, str] = {}  # step -> why it was tried again
        self._record: Record = {
            "PipelineArn": identity.pipeline_arn,
            "PipelineExecutionArn": identity.arn,
            "PipelineVersionId": identity.version,
            "CreationTime": identity.started,
            "PipelineParameters": [
                {"Name": name, "Value": text_of(value)} for name, value in plan.parameters.items()
            ],
            "Differences": [difference.record() for difference in plan.differences],
        }
        if max_parallel is not None:
            self._record["ParallelismConfiguration"] = {"MaxParallelExecutionSteps": max_parallel}
        if plan.selection is not None:
            self._record["SelectiveExecutionConfig"] = plan.selection.record()

    def opened(self, opening: Opening) -> bool:
        """Record a new execution as Executing; False, and nothing written, if there is one of this id."""
        body: Record = {
            "PipelineExecutionDisplayName": f"{self._identity.pipeline}-{self._identity.id}",
            **self._record,
            **opening.members,
            "PipelineExecutionStatus": EXECUTING,
            "LastModifiedTime": self._identity.started,
        }
        first = Write(
            kind=EXECUTION, name=self._identity.id, body=body, parent=self._identity.pipeline, new=True
        )
        return (opening.write or self._store.write)(first)

    def reopened(self) -> Record:
        """Record an execution that goes on as Executing, with what is different from its last run."""
        return self._change({**self._record, "PipelineExecutionStatus": EXECUTING})

    def execution(self, status: str, reason: str | None = None) -> Record:
        """Record the status of the execution."""
        members: Record = {"PipelineExecutionStatus": status}
        if reason is not None:
            members["FailureReason"] = reason[:_EXECUTION_REASON_LIMIT]
        return self._change(members)

    def _change(self, members: Record) -> Record:
        # Others change the record, too: what they have, such as the description, must stay.
        def change(record: Record) -> Record:
            kept = {key: value for key, value in record.items() if key != "FailureReason"}
            return {**kept, **members, "LastModifiedTime": now()}

        changed = self._store.change(EXECUTION, self._identity.id, change)
        if changed is None:
            raise StoreError(f"the record of execution {self._identity.id} was removed while it ran")
        return changed

    def step_started(self, step: Step, started: str, *, attempt: int = 1, retried_for: str = "") -> None:
        """Record that a step works, or tries again, and for what reason."""
        if retried_for:
            self._retried_for[step.name] = retried_for
        self._store.write(self._step(step, EXECUTING, started, attempt))

    def step_ended(self, step: Step, started: str, ended: Ended) -> bool:
        """Record the outcome of a step, what it made and what others need of it: all of it, or nothing.

        False, and nothing written, where the name of a new resource is taken meanwhile.
        """
        writes = [self._ended_step(step, started, ended)]
        if ended.status == SUCCEEDED:
            writes.append(self._result_of(step, ended).write(pipeline=self._identity.pipeline))
        if ended.result is not None and ended.result.kind is not None:
            writes += _resources(ended.result, self._store)
        return self._store.write(*writes)

    def step_reused(self, step: Step, source: StepResult) -> None:
        """Record that a step does not run: its outcome is that of an earlier execution."""
        reused = Ended(status=SUCCEEDED, note="", metadata=source.metadata, properties=source.properties)
        record = self._step(step, SUCCEEDED, now(), 1)
        origin: JSON = {"SourcePipelineExecutionArn": source.execution_arn}
        body = {**record.body, "SelectiveExecutionResult": origin, "Metadata": dict(source.metadata)}
        self._store.write(
            Write(kind=record.kind, name=record.name, body=body, parent=record.parent),
            self._result_of(step, reused).write(pipeline=self._identity.pipeline),
        )

    def _ended_step(self, step: Step, started: str, ended: Ended) -> Write:
        write = self._step(step, ended.status, started, ended.attempts)
        body: Record = {**write.body, "EndTime": now(), "Metadata": dict(ended.metadata)}
        if ended.failure is not None:
            body["FailureReason"] = ended.failure[:_STEP_REASON_LIMIT]
        if ended.cache_hit is not None:
            body["CacheHitResult"] = {"SourcePipelineExecutionArn": ended.cache_hit}
        if ended.cache_miss is not None:
            body["CacheMiss"] = ended.cache_miss.record()
        return Write(kind=write.kind, name=write.name, body=body, parent=write.parent)

    def _step(self, step: Step, status: str, started: str, attempt: int) -> Write:
        body: Record = {
            "StepName": step.name,
            "StepType": step.type,
            "StartTime": started,
            "StepStatus": status,
            "AttemptCount": attempt,
            "Metadata": {},
        }
        if step.name in self._retried_for:
            body[RETRIED_FOR] = self._retried_for[step.name]
        if step.display_name is not None:
            body["StepDisplayName"] = step.display_name
        if step.description is not None:
            body["StepDescription"] = step.description
        name = f"{self._identity.id}/{step.name}"
        return Write(kind=EXECUTION_STEP, name=name, body=body, parent=self._identity.id)

    def _result_of(self, step: Step, ended: Ended) -> StepResult:
        return StepResult(
            step=step.name,
            execution_arn=self._identity.arn,
            ended=now(),
            properties=ended.properties,
            metadata=ended.metadata,
            key=ended.key,
        )


def _resources(result: Result, store: Store) -> list[Write]:
    made = Write(
        kind=str(result.kind),
        name=result.name,
        body=result.description,
        parent=result.parent,
        new=result.kind in _NEVER_REPLACED,
    )
    if result.group is None or store.find(MODEL_PACKAGE_GROUP, result.parent) is not None:
        return [made]
    return [made, Write(kind=MODEL_PACKAGE_GROUP, name=result.parent, body=result.group)]


def now() -> str:
    """The time in UTC, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
