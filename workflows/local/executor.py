"""Runs a plan: every step as soon as what it needs is there, independent ones side by side.

Nothing that matters is kept in memory only: an execution whose engine dies goes on from its records.
"""

import os
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from workflows.definition.errors import WorkflowError
from workflows.definition.model import Step
from workflows.definition.records import Record
from workflows.local import naming, step_results
from workflows.local.faults import Fault
from workflows.local.functions import Function
from workflows.local.images import ImageTable
from workflows.local.journal import (
    COMPLETED_WITH_FAILURES,
    EXECUTING,
    FAILED,
    PARALLELISM,
    STOPPED,
    STOPPING,
    SUCCEEDED,
    Ended,
    Identity,
    Journal,
    Opening,
    now,
)
from workflows.local.liveness import engine_of
from workflows.local.planner import Plan
from workflows.local.records import EXECUTION
from workflows.local.request import Request
from workflows.local.runners.base import Runner, Site
from workflows.local.steps import Listener, Progress, StepWork
from workflows.local.store import Store, StoreError
from workflows.local.upcoming import Upcoming

# How many steps work at once, unless an execution says otherwise: jobs share this machine.
DEFAULT_PARALLEL = max(4, os.cpu_count() or 1)
_LOOK_EVERY_S = 0.25


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where an execution runs, and as what."""

    region: str
    account: str
    images: ImageTable
    environment: Mapping[str, str] = field(default_factory=dict)  # settings for stand-ins
    functions: Mapping[str, Function] = field(default_factory=dict)  # what stands in for Lambda functions
    function_environment: Mapping[str, str] = field(default_factory=dict)  # where their AWS calls go


@dataclass(frozen=True, kw_only=True)
class Options:
    """How an execution is run, beside what it runs."""

    max_parallel: int | None = None  # MaxParallelExecutionSteps
    faults: Mapping[str, Fault] = field(default_factory=dict)  # step -> what it is to meet
    use_cache: bool = True


class ExecutionExists(WorkflowError):
    """An execution of this id is there already."""

    def __init__(self, arn: str) -> None:
        super().__init__(f"there is an execution {arn} already")
        self.arn = arn


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
        options: Options | None = None,
        version: int = 1,
        opening: Opening | None = None,
        resumes: Record | None = None,
    ) -> None:
        """Record the execution as Executing; `run` does the rest.

        Args:
            plan: what to run.
            pipeline_name: whose execution this is.
            store: where everything is kept.
            runners: step type -> what does its work.
            place: region, account and stand-ins.
            listener: is told what happens.
            options: how to run it.
            version: of the pipeline.
            opening: what is said of a new execution, beside what it runs.
            resumes: the record of an execution that is to go on where it ended; None for a new one.

        Raises:
            ExecutionExists: there is one of this id already.
        """
        options, opening = options or Options(), opening or Opening()
        self._plan, self._store, self._listener = plan, store, listener
        self._parallel = DEFAULT_PARALLEL
        self._stopped = threading.Event()
        self._stop_asked = self._suspended = False
        self._progress = Progress()
        names = naming.Names(region=place.region, account=place.account)
        self.identity = _identity(names, pipeline_name, version, opening, resumes)
        self.id, self.arn = self.identity.id, self.identity.arn
        self.folder = store.home / "runs" / self.id
        self._journal = Journal(store, plan, self.identity, max_parallel=options.max_parallel)
        self._work = StepWork(
            plan=plan,
            execution_id=self.id,
            folder=self.folder,
            variables=_variables(self.identity),
            progress=self._progress,
            journal=self._journal,
            runners=runners,
            site=self._make_site(place, names),
            listener=listener,
            stopped=self._stopped,
            sleep=self._stopped.wait,
            faults=options.faults,
            earlier=self._earlier if options.use_cache else None,
        )
        if resumes is not None:
            self._journal.reopened()
        elif not self._journal.opened(opening):
            raise ExecutionExists(self.arn)

    def run(self) -> Record:
        """Run to the end, or until it is suspended, and return the execution's record.

        Raises:
            KeyboardInterrupt: after the jobs are ended and the execution is recorded as Stopped.
            StillRunning: another process runs it.
        """
        with engine_of(self.folder):
            try:
                self._look()
                self._recall()
                upcoming = Upcoming(self._plan, self._progress)
                with self._looking_for_stop(), self._pool() as pool:
                    reason = self._run_steps(pool, upcoming)
            except KeyboardInterrupt:
                self._journal.execution(STOPPED, "stopped by the user")
                raise
            except BaseException as bug:
                self._journal.execution(FAILED, f"InternalError: {bug!r}")
                raise
            status = self._verdict(reason, upcoming)
            return self._journal.execution(status, None if status == EXECUTING else reason)

    def suspend(self) -> None:
        """End its jobs and leave it as an engine that dies would: it can be resumed from its records."""
        self._suspended = True
        self._stopped.set()

    def _pool(self) -> ThreadPoolExecutor:
        # How many work at once is looked at when a step is taken: it may be changed meanwhile.
        return ThreadPoolExecutor(max(1, len(self._plan.order)), "step")

    def _verdict(self, reason: str | None, upcoming: Upcoming) -> str:
        self._look()
        if self._suspended and not self._stop_asked:
            return EXECUTING
        if self._stopped.is_set():
            return STOPPED
        if reason is None:
            return SUCCEEDED
        return FAILED if upcoming.unanswered_failures() else COMPLETED_WITH_FAILURES

    def _recall(self) -> None:
        """Take over what ended well before: in this execution, or in the one that steps are reused from."""
        steps = self._plan.definition.steps
        own = step_results.of_execution(self._store, self.id, list(steps))
        if self._plan.selection and (source_id := self._plan.selection.source_id):
            missing = sorted(self._plan.reused - own.keys())
            for name, result in step_results.of_execution(self._store, source_id, missing).items():
                self._journal.step_reused(steps[name], result)
                own[name] = result
        for result in own.values():
            self._progress.add(result)

    def _run_steps(self, pool: ThreadPoolExecutor, upcoming: Upcoming) -> str | None:
        """Run everything that can run; returns the first failure, or None."""
        running: dict[Future[Ended], Step] = {}
        reason: str | None = None
        try:
            while True:
                while not self._stopped.is_set() and len(running) < self._parallel:
                    step = upcoming.take()
                    if step is None:
                        break
                    running[pool.submit(self._work.run, step)] = step
                if not running:
                    return reason
                ended, _ = wait(running, _LOOK_EVERY_S, return_when=FIRST_COMPLETED)
                for future in ended:
                    step, outcome = running.pop(future), future.result()
                    upcoming.done(step)
                    if outcome.failure is not None and reason is None:
                        reason = f"Step failure: {step.name}: {outcome.failure}"
        except KeyboardInterrupt:
            self._stopped.set()
            raise

    @contextmanager
    def _looking_for_stop(self) -> Iterator[None]:
        """Notice what somebody, in this process or another, has asked of the execution."""
        over = threading.Event()

        def look() -> None:
            while not over.wait(_LOOK_EVERY_S):
                # On a full disk not even reading works at times; the next look will tell.
                with suppress(StoreError):
                    self._look()

        thread = threading.Thread(target=look, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def _look(self) -> None:
        record = Request(self._store.find(EXECUTION, self.id) or {}, self.id)
        # Stopped at once is one whose engine was not there yet.
        if record.text("PipelineExecutionStatus", EXECUTING) in (STOPPING, STOPPED):
            self._stop_asked = True
            self._stopped.set()
        self._parallel = record.number(PARALLELISM, DEFAULT_PARALLEL)

    def _earlier(self, step: str) -> list[step_results.StepResult]:
        return step_results.of_step(self._store, self.identity.pipeline, step)

    def _make_site(self, place: Place, names: naming.Names) -> Site:
        return Site(
            objects=self._store.objects,
            images=place.images,
            find=self._store.find,
            records=lambda kind, parent: self._store.all(kind, parent=parent),
            arn=names.arn,
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


def _identity(
    names: naming.Names, pipeline: str, version: int, opening: Opening, resumes: Record | None
) -> Identity:
    if resumes is None:
        own_id, started = opening.id, now()
    else:
        own_id, started = (
            str(resumes["PipelineExecutionArn"]).rpartition("/")[2],
            str(resumes["CreationTime"]),
        )
    return Identity(
        id=own_id,
        pipeline=pipeline,
        pipeline_arn=names.arn("pipeline", pipeline),
        version=version,
        started=started,
    )


def _variables(identity: Identity) -> dict[str, str]:
    return {
        "PipelineName": identity.pipeline,
        "PipelineArn": identity.pipeline_arn,
        "PipelineExecutionId": identity.id,
        "PipelineExecutionArn": identity.arn,
        "StartDateTime": identity.started,
    }
