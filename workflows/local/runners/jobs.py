"""What processing, training and transform jobs have in common."""

import json
import shutil
import threading
from collections.abc import Callable

from workflows.definition.model import JSON
from workflows.local.container import Container, Running, tail
from workflows.local.images import StandIn
from workflows.local.request import Request
from workflows.local.runners.base import Result, Site, StepFailed, Task

# What DescribeTrainingJob and its like call a job that ended.
COMPLETED, FAILED, STOPPED = "Completed", "Failed", "Stopped"
_HOST = "algo-1"


def run_to_end(
    container: Container,
    site: Site,
    *,
    message_file: str,
    timeout_s: int,
    on_line: Callable[[str], None],
) -> str | None:
    """Run a job's container; returns None, or why it failed in SageMaker's words."""
    running = container.start()
    watcher = _StopWatcher(running, site)
    try:
        code, timed_out = running.wait(on_line, timeout_s=timeout_s)
    finally:
        watcher.end()
    if timed_out:
        return f"MaxRuntimeExceeded: the job ran longer than MaxRuntimeInSeconds, {timeout_s} s"
    if site.stopped.is_set():
        return "the execution was stopped"
    if code == 0:
        return None
    message = (
        container.message(message_file) or f"no message; its log ends: {tail(container.log, 3) or '(empty)'}"
    )
    return f"AlgorithmError: {message}, exit code: {code}"


class _StopWatcher:
    """Ends a container when the execution is stopped."""

    def __init__(self, running: Running, site: Site) -> None:
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, args=(running, site), daemon=True)
        self._thread.start()

    def _watch(self, running: Running, site: Site) -> None:
        while not self._ended.wait(0.2):
            if site.stopped.is_set():
                running.stop(grace_s=5)
                return

    def end(self) -> None:
        self._ended.set()
        self._thread.join()


def make_container(
    task: Task, stand_in: StandIn, argv: tuple[str, ...], environment: dict[str, str]
) -> Container:
    """The container of a job, in an empty tree."""
    opt_ml = task.folder / "opt-ml"
    # A step that is tried again must not find what its last try left.
    shutil.rmtree(opt_ml, ignore_errors=True)
    command = stand_in.command or ()
    return Container(
        opt_ml=opt_ml,
        log=task.folder / "log.txt",
        argv=command + argv,
        environment=environment,
        docker_image=stand_in.docker_image,
    )


def write_resource_config(container: Container, relative: str) -> None:
    """Tell the container that it is the only host."""
    container.write_config(
        relative,
        {"current_host": _HOST, "hosts": [_HOST], "network_interface_name": "lo"},
    )


def finish(task: Task, result: Result, failure: str | None) -> Result:
    """Return the result of a job, or raise its failure; the tree of a job that failed is kept."""
    if failure is not None:
        raise StepFailed(failure, result)
    for path in task.folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
    return result


def describe(
    task: Task, site: Site, *, prefix: str, kind: str, started: str, failure: str | None, **fields: JSON
) -> dict[str, JSON]:
    """The parts of every job's Describe call; `prefix` is ProcessingJob, TrainingJob or TransformJob."""
    ended_badly = STOPPED if site.stopped.is_set() else FAILED
    status: dict[str, JSON] = {f"{prefix}Status": COMPLETED if failure is None else ended_badly}
    if failure is not None:
        status["FailureReason"] = failure[:1024]
    request = json.loads(json.dumps(dict(task.request.fields)))
    identity = {f"{prefix}Name": task.name, f"{prefix}Arn": site.arn(kind, task.name)}
    return {**request, **identity, **status, "CreationTime": started, **fields}


def data_source(channel: Request) -> tuple[str, str]:
    """The S3 URI and S3DataType of an input.

    Raises:
        RequestError: it has none.
    """
    return (
        channel.text("DataSource.S3DataSource.S3Uri"),
        channel.text("DataSource.S3DataSource.S3DataType", "S3Prefix"),
    )
