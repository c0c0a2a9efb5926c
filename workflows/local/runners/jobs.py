"""What processing, training and transform jobs have in common: their records, and what they store."""

import contextlib
import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from workflows.definition.errors import WorkflowError
from workflows.definition.model import JSON
from workflows.local import stored
from workflows.local.container import CONTAINER_TREES
from workflows.local.request import Request
from workflows.local.runners.base import Result, Site, StepFailed, Task
from workflows.local.trees import remove_tree

# What DescribeTrainingJob and its like call a job that runs, or has ended.
IN_PROGRESS, COMPLETED, FAILED, STOPPED = "InProgress", "Completed", "Failed", "Stopped"
_REASON_LIMIT = 1024
_ROOM_FOR_RECORDS = 16 * 1024 * 1024
HOSTS_FILE = "hosts"
# What a container leaves, what was made of its outputs, and the answers of a transform job.
_TREES = (*CONTAINER_TREES, "archives", "out")


def tree_roots(task: Task) -> list[Path]:
    """Where the trees of a job's hosts stand: in its folder, or in those of several hosts."""
    return [task.folder, *(path for path in sorted(task.folder.glob("algo-*")) if path.is_dir())]


def remove_trees(task: Task) -> None:
    """Remove what the containers of a job have left; logs stay."""
    for root in tree_roots(task):
        for name in _TREES:
            remove_tree(root / name)
    (task.folder / HOSTS_FILE).unlink(missing_ok=True)


def failure_of(task: Task, work: Callable[[], str | None]) -> str | None:
    """Do a job's work; returns why it failed, or None.

    The trees of a job that failed by itself are kept. They are removed where no job ran, or its outputs could
    not be taken, and on a full disk, where they would be in the way of the records.
    """
    try:
        reason = work()
        if reason is None or shutil.disk_usage(task.folder).free > _ROOM_FOR_RECORDS:
            return reason
    except StepFailed as failed:
        reason = failed.reason
    except (WorkflowError, OSError) as error:
        reason = f"ClientError: {error}"
    _remove_if_possible(task)
    return reason


def finish(task: Task, result: Result, failure: str | None) -> Result:
    """Return the result of a job, or raise its failure; the trees of a job that failed are kept."""
    if failure is not None:
        raise StepFailed(failure, result)
    _remove_if_possible(task)
    return result


def _remove_if_possible(task: Task) -> None:
    # How the job ended stands; files of a Docker container may be root's.
    with contextlib.suppress(OSError):
        remove_trees(task)


def record_start(task: Task, site: Site, *, prefix: str, kind: str, started: str, **fields: JSON) -> None:
    """Make a job known as InProgress, with these fields of its Describe call."""
    status: dict[str, JSON] = {f"{prefix}Status": IN_PROGRESS}
    site.record(kind, task.name, {**_identity(task, site, prefix, kind, started), **status, **fields})


def describe(
    task: Task, site: Site, *, prefix: str, kind: str, started: str, failure: str | None, **fields: JSON
) -> dict[str, JSON]:
    """The parts of every ended job's Describe call.

    Args:
        task: its step.
        site: the engine.
        prefix: ProcessingJob, TrainingJob or TransformJob.
        kind: of its record.
        started: when it was created.
        failure: why it failed, or None.
        fields: the rest.
    """
    ended_badly = STOPPED if site.stopped.is_set() else FAILED
    status: dict[str, JSON] = {f"{prefix}Status": COMPLETED if failure is None else ended_badly}
    if failure is not None:
        status["FailureReason"] = failure[:_REASON_LIMIT]
    return {**_identity(task, site, prefix, kind, started), **status, **fields}


def _identity(task: Task, site: Site, prefix: str, kind: str, started: str) -> dict[str, JSON]:
    request: dict[str, JSON] = json.loads(json.dumps(dict(task.request.fields)))
    return {
        **request,
        f"{prefix}Name": task.name,
        f"{prefix}Arn": site.arn(kind, task.name),
        "CreationTime": started,
        "LastModifiedTime": site.now(),
    }


def data_source(channel: Request) -> tuple[str, str]:
    """The S3 URI and S3DataType of an input.

    Raises:
        RequestError: it has none.
    """
    return (
        channel.text("DataSource.S3DataSource.S3Uri"),
        channel.text("DataSource.S3DataSource.S3DataType", "S3Prefix"),
    )


def store(task: Task, site: Site, files: Sequence[tuple[Path, str]]) -> None:
    """Store files that nobody will change any more, each under its URI: all of them, or none.

    They are written down in `<task.folder>/stored.txt` first; after a kill `discard_last_try` finds them.

    Raises:
        WorkflowError, OSError: one cannot be stored, and none is.
    """
    stored.note(task.folder, files)
    try:
        for path, uri in files:
            site.objects.adopt_file(path, uri)
    except BaseException:
        discard_last_try(task, site)
        raise


def discard_last_try(task: Task, site: Site) -> None:
    """Remove what an earlier try of this step has stored, whole or in part; not its checkpoints."""
    for uri in stored.held(task.folder, site.objects):
        site.objects.path(uri).unlink(missing_ok=True)
    stored.forget(task.folder)
