"""Runs a plan: every step as soon as what it needs is there, independent ones side by side."""

import shutil
import threading
import time
from collections.abc import Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Protocol

from workflows.definition.errors import WorkflowError
from workflows.definition.model import JSON, Step
from workflows.local import naming
from workflows.local.conditions import all_of
from workflows.local.images import ImageTable
from workflows.local.journal import EXECUTING, FAILED, STOPPED, SUCCEEDED, Journal, now
from workflows.local.planner import Plan
from workflows.local.records import MODEL_PACKAGE, MODEL_PACKAGE_GROUP, Record
from workflows.local.request import Request
from workflows.local.resolver import Scope, resolve, text_of
from workflows.local.runners.base import Result, Runner, Site, StepFailed, Task
from workflows.local.runners.models import describe_group
from workflows.local.store import Store


class Listener(Protocol):
    """Is told what happens, as it happens; called from several threads."""

    def step_started(self, step: Step) -> None:
        """A step's work begins."""

    def step_ended(self, step: Step, *, status: str, seconds: float, note: str) -> None:
        """A step has ended; `note` is its outcome or the reason of its failure."""

    def log_line(self, step: str, line: str) -> None:
        """A step's job wrote a line."""

    def metric(self, step: str, name: str, value: float) -> None:
        """A step's job published a metric."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where an execution runs, and as what."""

    region: str
    account: str
    images: ImageTable
    environment: Mapping[str, str] = field(default_factory=dict)  # settings for stand-ins
    functions: Mapping[str, str] = field(default_factory=dict)  # Lambda function -> FILE:HANDLER
    function_environment: Mapping[str, str] = field(default_factory=dict)  # where their AWS calls go


class Execution:
    """One execution of a plan."""

    def __init__(
        self,
        plan: Plan,
        *,
        pipeline_name: str,
        store: Store,
        runners: Mapping[str, Runner],
        place: Place,
        listener: Listener,
    ) -> None:
        """Record the execution as Executing; `run` does the rest."""
        self._plan, self._store, self._runners, self._listener = plan, store, runners, listener
        self.id = naming.new_execution_id()
        self._names = naming.Names(region=place.region, account=place.account)
        self._stopped = threading.Event()
        self._properties: dict[str, JSON] = {}
        self._outcomes: dict[str, bool] = {}  # condition step -> outcome
        self._skipped: set[str] = set()
        self.folder = store.home / "runs" / self.id
        pipeline_arn = self._names.arn("pipeline", pipeline_name)
        self._journal = Journal(
            store, plan, execution_id=self.id, pipeline_name=pipeline_name, pipeline_arn=pipeline_arn
        )
        self.arn = self._journal.arn
        self._site = self._make_site(place)
        self._variables = {
            "PipelineName": pipeline_name,
            "PipelineArn": pipeline_arn,
            "PipelineExecutionId": self.id,
            "PipelineExecutionArn": self.arn,
            "StartDateTime": self._journal.started,
        }
        self._journal.execution(EXECUTING)

    def run(self) -> Record:
        """Run to the end and return the execution's record.

        Raises:
            KeyboardInterrupt: after the jobs are ended and the execution is recorded as Stopped.
        """
        reason: str | None = None
        try:
            with ThreadPoolExecutor(thread_name_prefix="step") as pool:
                reason = self._run_steps(pool)
        except KeyboardInterrupt:
            self._journal.execution(STOPPED, "stopped by the user")
            raise
        except BaseException as bug:
            self._journal.execution(FAILED, f"InternalError: {bug!r}")
            raise
        return self._journal.execution(SUCCEEDED if reason is None else FAILED, reason)

    def _run_steps(self, pool: ThreadPoolExecutor) -> str | None:
        """Run everything that can run; returns why the execution failed, or None."""
        waiting = list(self._plan.order)
        running: dict[Future[str | None], str] = {}
        reason: str | None = None
        try:
            while True:
                if reason is None:
                    for name in self._take_ready(waiting):
                        running[pool.submit(self._run_step, self._plan.definition.steps[name])] = name
                if not running:
                    return reason
                ended, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in ended:
                    # As on SageMaker: after a failure nothing new starts, what runs is waited for.
                    reason = self._end(running.pop(future), future) or reason
        except KeyboardInterrupt:
            self._stopped.set()
            raise

    def _end(self, name: str, future: "Future[str | None]") -> str | None:
        failure = future.result()
        return None if failure is None else f"Step failure: {name}: {failure}"

    def _take_ready(self, waiting: list[str]) -> list[str]:
        """Remove from `waiting` what can start now, and what never will; returns the former."""
        ready = []
        for name in tuple(waiting):
            step = self._plan.definition.steps[name]
            needs = self._plan.definition.needs[name]
            branch = step.branch
            if needs & self._skipped or (
                branch and self._outcomes.get(branch.condition) is (not branch.outcome)
            ):
                # The untaken side of a condition, or what hangs on it.
                self._skipped.add(name)
                waiting.remove(name)
            elif needs <= self._properties.keys():
                waiting.remove(name)
                ready.append(name)
        return ready

    def _run_step(self, step: Step) -> str | None:
        """Run one step and record how it went; returns why it failed, or None."""
        started, clock = now(), time.monotonic()
        self._listener.step_started(step)
        self._journal.step(step, EXECUTING, started)
        try:
            status, metadata, note, failure = self._attempt(step)
        except BaseException as bug:
            # Not a fault of the step: the state must still say that it did not end well.
            self._journal.step(step, FAILED, started, failure=f"InternalError: {bug!r}")
            raise
        self._journal.step(step, status, started, metadata=metadata, failure=failure)
        self._listener.step_ended(step, status=status, seconds=time.monotonic() - clock, note=note)
        return failure

    def _attempt(self, step: Step) -> tuple[str, dict[str, JSON], str, str | None]:
        """Returns status, metadata, a note for people, and the failure."""
        try:
            request, fields = self._resolve(step)
            if step.type == "Condition":
                return self._decide(step, request)
            if step.type == "Fail":
                message = text_of(request.find("ErrorMessage"))
                return FAILED, {"Fail": {"ErrorMessage": message}}, message, message
            result = self._make(step, self._task(step, request, fields))
        except StepFailed as failed:
            metadata = self._keep(failed.result) if failed.result else {}
            status = STOPPED if self._stopped.is_set() else FAILED
            return status, metadata, failed.reason, failed.reason
        except (WorkflowError, OSError) as error:
            # No job ran, or its outputs were not taken; on a full disk its tree is in the records' way.
            shutil.rmtree(self.folder / step.name / "opt-ml", ignore_errors=True)
            return FAILED, {}, str(error), f"ClientError: {error}"
        metadata = self._keep(result)
        self._properties[step.name] = result.description
        return SUCCEEDED, metadata, result.name, None

    def _make(self, step: Step, task: Task) -> Result:
        result = self._runners[step.type](task, self._site)
        while result.kind == MODEL_PACKAGE and not self._store.add(
            result.kind, result.name, result.description, parent=result.parent
        ):
            # Another execution has taken this version number meanwhile.
            result = self._runners[step.type](task, self._site)
        return result

    def _decide(self, step: Step, request: Request) -> tuple[str, dict[str, JSON], str, str | None]:
        outcome = all(all_of(request.find("Conditions"), where=f"{step.where} Conditions"))
        self._outcomes[step.name] = outcome
        self._properties[step.name] = {"Outcome": str(outcome)}
        return SUCCEEDED, {"Condition": {"Outcome": str(outcome)}}, str(outcome), None

    def _resolve(self, step: Step) -> tuple[Request, Request]:
        """The step's arguments, and its fields beside them."""
        job = {f"{step.type}JobName": self._job_name(step)} if step.type in ("Training", "Processing") else {}
        scope = Scope(
            definition=self._plan.definition,
            parameters=self._plan.parameters,
            variables={**self._variables, "CurrentDateTime": now(), **job},
            properties=self._properties,
            read_object=self._store.objects.read,
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
        return naming.job_name(self.id, step.name)

    def _keep(self, result: Result) -> dict[str, JSON]:
        if result.kind == MODEL_PACKAGE and self._store.find(MODEL_PACKAGE_GROUP, result.parent) is None:
            # SageMaker Pipelines makes the group of a first version by itself.
            self._store.put(MODEL_PACKAGE_GROUP, result.parent, describe_group(result.parent, self._site))
        if result.kind is not None:
            self._store.put(result.kind, result.name, result.description, parent=result.parent)
        return result.metadata

    def _make_site(self, place: Place) -> Site:
        return Site(
            objects=self._store.objects,
            images=place.images,
            find=self._store.find,
            records=lambda kind, parent: self._store.all(kind, parent=parent),
            arn=self._names.arn,
            now=now,
            execution_arn=self.arn,
            record=self._store.put,
            report=self._listener.log_line,
            metric=self._listener.metric,
            environment=place.environment,
            functions=place.functions,
            # Lambda sets both.
            function_environment={
                "AWS_REGION": place.region,
                "AWS_DEFAULT_REGION": place.region,
                **place.function_environment,
            },
            stopped=self._stopped,
        )
