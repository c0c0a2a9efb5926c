"""One step of an execution, from its arguments to its outcome in the records."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from workflows.definition.cache_key import key_of
from workflows.definition.errors import WorkflowError
from workflows.definition.model import JSON, Step
from workflows.local import naming
from workflows.local.attempts import Attempts, Retry
from workflows.local.cache import Hit, Miss, look_up
from workflows.local.conditions import all_of
from workflows.local.faults import Fault
from workflows.local.journal import FAILED, STOPPED, SUCCEEDED, Ended, Journal, now
from workflows.local.planner import Plan
from workflows.local.request import Request
from workflows.local.resolver import Scope, resolve, text_of
from workflows.local.runners.base import Result, Runner, Site, StepFailed, Task
from workflows.local.step_results import StepResult


class Listener(Protocol):
    """Is told what happens, as it happens; called from several threads."""

    def step_started(self, step: Step) -> None:
        """A step's work begins."""

    def step_retried(self, step: Step, retry: Retry) -> None:
        """A step has failed and is tried again after a while."""

    def step_ended(self, step: Step, *, status: str, seconds: float, note: str) -> None:
        """A step has ended; `note` is its outcome or the reason of its failure."""

    def log_line(self, step: str, line: str) -> None:
        """A step's job wrote a line."""

    def metric(self, step: str, name: str, value: float) -> None:
        """A step's job published a metric."""


@dataclass
class Progress:
    """What an execution knows so far. Entries are only ever added, each by the one thread of its step."""

    statuses: dict[str, str] = field(default_factory=dict)  # step that has ended -> how
    properties: dict[str, JSON] = field(default_factory=dict)  # step that has succeeded -> its properties
    outcomes: dict[str, bool] = field(default_factory=dict)  # condition step -> outcome

    def add(self, result: StepResult) -> None:
        """Take over what a step left."""
        self.statuses[result.step] = SUCCEEDED
        self.properties[result.step] = result.properties
        if result.outcome is not None:
            self.outcomes[result.step] = result.outcome


@dataclass(frozen=True, kw_only=True)
class StepWork:
    """Does the work of single steps."""

    plan: Plan
    execution_id: str
    folder: Path
    variables: Mapping[str, str]
    progress: Progress
    journal: Journal
    runners: Mapping[str, Runner]
    site: Site
    listener: Listener
    stopped: threading.Event
    sleep: Callable[[float], bool]  # seconds -> whether the execution was stopped meanwhile
    faults: Mapping[str, Fault]
    earlier: Callable[[str], list[StepResult]] | None  # results of a step in all executions; None: no caching

    def run(self, step: Step) -> Ended:
        """Run one step to its end and record how it went."""
        started, clock = now(), time.monotonic()
        self.listener.step_started(step)
        self.journal.step_started(step, started)
        try:
            ended = self._attempt(step, started)
            while not self.journal.step_ended(step, started, ended):
                # Another execution has taken the name or version number meanwhile.
                ended = self._attempt(step, started)
        except BaseException as bug:
            # Not a fault of the step: the state must still say that it did not end well.
            failed = Ended(status=FAILED, note="", failure=f"InternalError: {bug!r}")
            self.journal.step_ended(step, started, failed)
            raise
        if ended.status == SUCCEEDED:
            self.progress.properties[step.name] = ended.properties
        self.progress.statuses[step.name] = ended.status
        self.listener.step_ended(step, status=ended.status, seconds=time.monotonic() - clock, note=ended.note)
        return ended

    def _attempt(self, step: Step, started: str) -> Ended:
        try:
            request, fields = self._resolve(step)
            if step.type == "Condition":
                return self._decide(step, request)
            if step.type == "Fail":
                message = text_of(request.find("ErrorMessage"))
                return _failed(message, metadata={"Fail": {"ErrorMessage": message}})
            return self._produce(step, started, request, fields)
        except (WorkflowError, OSError) as error:
            # No job ran, or its outputs were not taken.
            return _failed(f"ClientError: {error}")

    def _decide(self, step: Step, request: Request) -> Ended:
        outcome = all(all_of(request.find("Conditions"), where=f"{step.where} Conditions"))
        self.progress.outcomes[step.name] = outcome
        named: dict[str, JSON] = {"Outcome": str(outcome)}
        return Ended(
            status=SUCCEEDED, note=str(outcome), metadata={"Condition": named}, properties=dict(named)
        )

    def _produce(self, step: Step, started: str, request: Request, fields: Request) -> Ended:
        """The outcome of an earlier execution, or of a new run."""
        key = key_of(step.type, request.fields) if step.cache else None
        found = self._look_up(step, key)
        if isinstance(found, Hit):
            source = found.source
            return Ended(
                status=SUCCEEDED,
                note=f"from the cache: execution {source.execution_id}",
                metadata=source.metadata,
                properties=source.properties,
                cache_hit=source.execution_arn,
            )
        return self._make(step, started, self._task(step, request, fields), key, found)

    def _look_up(self, step: Step, key: Mapping[str, JSON] | None) -> Hit | Miss | None:
        if step.cache is None or key is None:
            return None
        if self.earlier is None:
            return Miss(reason="caching was switched off for this execution")
        return look_up(key, step.cache, self.earlier(step.name))

    def _make(
        self, step: Step, started: str, task: Task, key: Mapping[str, JSON] | None, miss: Miss | None
    ) -> Ended:
        def on_retry(retry: Retry) -> None:
            told = f"{retry.reason}; in {retry.delay_s:g} s"
            self.journal.step_started(step, started, attempt=retry.attempt, retried_for=told)
            self.listener.step_retried(step, retry)

        attempts = Attempts(step, fault=self.faults.get(step.name), sleep=self.sleep, on_retry=on_retry)
        try:
            result = attempts.run(lambda fault: self._call(step, task, fault))
        except StepFailed as failure:
            return _failed(
                failure.reason,
                status=STOPPED if self.stopped.is_set() else FAILED,
                result=failure.result,
                metadata=failure.result.metadata if failure.result else {},
                attempts=attempts.count,
                cache_miss=miss,
            )
        return Ended(
            status=SUCCEEDED,
            note=result.name,
            metadata=result.metadata,
            properties=result.description,
            result=result,
            key=key,
            attempts=attempts.count,
            cache_miss=miss,
        )

    def _call(self, step: Step, task: Task, fault: Fault | None) -> Result:
        return self.runners[step.type](replace(task, fault=fault), self.site)

    def _resolve(self, step: Step) -> tuple[Request, Request]:
        """The step's arguments, and its fields beside them."""
        own_job = {f"{step.type}JobName": self._job_name(step)}
        scope = Scope(
            definition=self.plan.definition,
            parameters=self.plan.parameters,
            variables={
                **self.variables,
                "CurrentDateTime": now(),
                **(own_job if step.type in ("Training", "Processing") else {}),
            },
            properties=self.progress.properties,
            read_object=self.site.objects.read,
        )
        where = f"{step.where} Arguments"
        arguments = {
            key: resolve(value, scope, where=f"{where}.{key}") for key, value in step.arguments.items()
        }
        fields = {
            key: resolve(value, scope, where=f"{step.where}.{key}") for key, value in step.fields.items()
        }
        return Request(arguments, where), Request(fields, step.where)

    def _task(self, step: Step, request: Request, fields: Request) -> Task:
        folder = self.folder / step.name
        folder.mkdir(parents=True, exist_ok=True)
        return Task(step=step.name, name=self._job_name(step), request=request, fields=fields, folder=folder)

    def _job_name(self, step: Step) -> str:
        return naming.job_name(self.execution_id, step.name)


def _failed(
    reason: str,
    *,
    status: str = FAILED,
    metadata: Mapping[str, JSON] | None = None,
    result: Result | None = None,
    attempts: int = 1,
    cache_miss: Miss | None = None,
) -> Ended:
    return Ended(
        status=status,
        note=reason,
        failure=reason,
        metadata=metadata or {},
        result=result,
        attempts=attempts,
        cache_miss=cache_miss,
    )
