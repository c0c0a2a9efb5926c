"""Ends jobs that were made outside a pipeline, from any process; and says so of those that died."""

import time
from collections.abc import Iterator
from functools import partial

from workflows.definition.records import Record
from workflows.local.job_kinds import KINDS, STOPPING, TRAINING, JobKind, job_folder
from workflows.local.journal import now
from workflows.local.liveness import is_running
from workflows.local.runners.jobs import FAILED, IN_PROGRESS, STOPPED
from workflows.local.store import Store

ACTIVE = (IN_PROGRESS, STOPPING)
_TAKEN_UP_WITHIN_S = 0.5
_REASON = "InternalServerError: the process that ran the job has ended; create it again under another name"


def request_stop(store: Store, kind: JobKind, name: str) -> None:
    """Make a job's record say that it is to end; a job whose process has died is Stopped at once."""
    status = STOPPING if is_running(job_folder(store, kind.record, name)) else STOPPED

    def change(known: Record) -> Record:
        if known[kind.status] != IN_PROGRESS:
            return known
        ending: Record = {kind.status: status, "LastModifiedTime": now()}
        if kind is TRAINING:
            ending["SecondaryStatus"] = status
        if status == STOPPED:
            ending[kind.ended] = now()
        return {**known, **ending}

    store.change(kind.record, name, change)


def settle(store: Store) -> list[str]:
    """Say of jobs whose process has died that they failed; returns their names. For the start of a server."""
    found = list(_orphans(store))
    if found:
        # Another server may be about to take up what it has just recorded.
        time.sleep(_TAKEN_UP_WITHIN_S)
    settled = [(kind, name) for kind, name in _orphans(store) if (kind, name) in found]
    for kind, name in settled:
        store.change(kind.record, name, partial(_interrupted, kind))
    return [name for _, name in settled]


def _orphans(store: Store) -> Iterator[tuple[JobKind, str]]:
    for kind in KINDS:
        for record in store.all(kind.record):
            name = str(record[kind.name])
            folder = job_folder(store, kind.record, name)
            if record[kind.status] in ACTIVE and folder.is_dir() and not is_running(folder):
                yield kind, name


def _interrupted(kind: JobKind, record: Record) -> Record:
    time = now()
    ended: Record = {
        kind.status: FAILED,
        kind.ended: time,
        "LastModifiedTime": time,
        "FailureReason": _REASON,
    }
    if kind is TRAINING:
        ended["SecondaryStatus"] = FAILED
    return {**record, **ended}
