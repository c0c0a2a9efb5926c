"""Runs one job outside a pipeline, by the runners that steps have.

A job's folder is <home>/jobs/<kind>/<name>: its container's tree and its log, as those of a step below
<home>/runs. How far it is stands in its record; whoever sets the status there to Stopping ends it, from this
process or another.
"""

import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

from workflows.definition.errors import WorkflowError
from workflows.definition.model import JSON, Step
from workflows.definition.records import Record
from workflows.local.executor import Place
from workflows.local.job_kinds import STOPPING, TRAINING, TUNING, JobKind, job_folder
from workflows.local.journal import now
from workflows.local.liveness import engine_of
from workflows.local.naming import Names
from workflows.local.refusals import refusals
from workflows.local.request import Request
from workflows.local.runners.base import Runner, Site, StepFailed, Task
from workflows.local.runners.jobs import FAILED, IN_PROGRESS, STOPPED
from workflows.local.store import Store, StoreError, Write
from workflows.local.transitions import STARTING, Transitions

_LOOK_FOR_STOP_EVERY_S = 0.25
_REASON_LIMIT = 1024
# Stopped is what somebody makes it who does not find it running yet.
_ENDING = (STOPPING, STOPPED)
# How many jobs work at once: they share this machine. The others wait, Starting.
_SLOTS = threading.BoundedSemaphore(max(4, os.cpu_count() or 1))


def reasons_against(kind: JobKind, request: Mapping[str, JSON], place: Place) -> list[str]:
    """Why a job cannot run on this machine; empty if it can."""
    step = Step(name="", type=kind.step_type, where=f"Create{kind.prefix}", arguments=request)
    return list(
        refusals(step, images=place.images, handlers=place.functions, step_types=frozenset({kind.step_type}))
    )


class StandaloneJob:
    """One job, from its first record to its last."""

    def __init__(
        self, store: Store, place: Place, runner: Runner, kind: JobKind, request: Mapping[str, JSON]
    ) -> None:
        """Nothing happens yet.

        Args:
            store: where it is on record.
            place: region, account and stand-ins.
            runner: of the steps that do the same.
            kind: of job.
            request: of the Create call, without Tags.
        """
        self.kind, self.name = kind, str(request[kind.name])
        self._store, self._place, self._runner, self._request = store, place, runner, request
        self._names = Names(region=place.region, account=place.account)
        self.arn = self._names.arn(kind.record, self.name)
        self.created = now()
        self._statuses = Transitions(now)
        self._statuses.enter(STARTING)
        self._folder = job_folder(store, kind.record, self.name)
        self._stopped = threading.Event()

    def _first_record(self) -> Record:
        record: Record = {
            **self._request,
            self.kind.arn: self.arn,
            self.kind.status: IN_PROGRESS,
            "CreationTime": self.created,
            "LastModifiedTime": self.created,
        }
        if self.kind is TRAINING:
            record |= self._statuses.fields()
        if self.kind is TUNING:
            record |= {"TrainingJobStatusCounters": {}, "ObjectiveStatusCounters": {}}
        return record

    def register(self, *more: Write) -> bool:
        """Record it as InProgress, with further records; False, and nothing written, if its name is taken."""
        self._folder.mkdir(parents=True, exist_ok=True)
        record = Write(kind=self.kind.record, name=self.name, body=self._first_record(), new=True)
        if self._store.write(record, *more):
            return True
        with suppress(OSError):
            self._folder.rmdir()  # it has files where it belongs to the job of this name
        return False

    def stop(self) -> None:
        """End the job, from any thread."""
        self._stopped.set()

    def run(self) -> None:
        """Do its work; how it ended is in its record."""
        try:
            with engine_of(self._folder), self._looking_for_stop(), self._own_slot():
                ended = self._work()
        except BaseException as bug:
            self._end(self._without_result(FAILED, f"InternalServerError: {bug!r}"))
            raise
        self._end(ended)

    def _work(self) -> Record:
        """What the job came to: its Describe record, or what changes in the one that there is."""
        if self._stopped.is_set():
            return self._without_result(STOPPED, None)
        task = Task(
            step=self.name,
            name=self.name,
            request=Request(self._request, f"Create{self.kind.prefix}"),
            fields=Request({}, f"Create{self.kind.prefix}"),
            folder=self._folder,
        )
        try:
            return self._runner(task, self._site()).description
        except StepFailed as failed:
            if failed.result is not None:
                return failed.result.description
            reason = failed.reason
        except (WorkflowError, OSError) as error:
            reason = f"ClientError: {error}"
        return self._without_result(FAILED, reason)

    def _without_result(self, status: str, reason: str | None) -> Record:
        """What is known of a job that its runner could not, or need not, describe."""
        record: Record = {self.kind.status: status, self.kind.ended: now()}
        if reason is not None:
            record["FailureReason"] = reason[:_REASON_LIMIT]
        if self.kind is TRAINING:
            self._statuses.enter(status)
            record |= self._statuses.fields()
        return record

    def _site(self) -> Site:
        return Site(
            objects=self._store.objects,
            images=self._place.images,
            find=self._store.find,
            records=lambda kind, parent: self._store.all(kind, parent=parent),
            arn=self._names.arn,
            now=now,
            execution_arn=self.arn,
            record=self._record,
            report=_ignore_line,
            metric=_ignore_metric,
            environment=self._place.environment,
            stopped=self._stopped,
        )

    def _record(self, kind: str, name: str, record: Record) -> None:
        """Take down how far a job is: this one, or a training job that a tuning job has made."""
        if (kind, name) != (self.kind.record, self.name):
            if self._stopped.is_set() and record.get("TrainingJobStatus") == STOPPED:
                record.pop("FailureReason", None)
            self._store.put(kind, name, record)
            return

        def change(known: Record) -> Record:
            # Somebody may have said meanwhile that it is to end.
            status: Record = {self.kind.status: STOPPING} if known[self.kind.status] in _ENDING else {}
            return {**record, **status, "CreationTime": self.created}

        self._store.change(kind, name, change)

    def _end(self, ended: Record) -> None:
        def change(known: Record) -> Record:
            record = {**known, **ended, "CreationTime": self.created, "LastModifiedTime": now()}
            if record[self.kind.status] == STOPPED and self._stopped.is_set():
                # That somebody has stopped it is no failure.
                record.pop("FailureReason", None)
                if known[self.kind.status] not in _ENDING:
                    record["FailureReason"] = "the server that ran the job was stopped"
            return record

        self._store.change(self.kind.record, self.name, change)

    @contextmanager
    def _own_slot(self) -> Iterator[None]:
        while not _SLOTS.acquire(timeout=_LOOK_FOR_STOP_EVERY_S):
            if self._stopped.is_set():
                yield
                return
        try:
            yield
        finally:
            _SLOTS.release()

    @contextmanager
    def _looking_for_stop(self) -> Iterator[None]:
        over = threading.Event()

        def look() -> None:
            while not (self._is_to_end() or over.wait(_LOOK_FOR_STOP_EVERY_S)):
                pass

        thread = threading.Thread(target=look, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def _is_to_end(self) -> bool:
        # On a full disk not even reading works at times; the next look will tell.
        with suppress(StoreError):
            record = self._store.find(self.kind.record, self.name)
            if record is not None and record[self.kind.status] in _ENDING:
                self._stopped.set()
        return self._stopped.is_set()


def _ignore_line(_step: str, _line: str) -> None:
    """Its log has all lines."""


def _ignore_metric(_step: str, _metric: str, _value: float) -> None:
    """Its record gets the last value of each."""
