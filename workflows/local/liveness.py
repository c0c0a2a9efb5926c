"""Whether the engine of an execution still lives: it holds a lock that the kernel releases when it dies."""

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from workflows.definition.errors import WorkflowError

_TRIES = 3


class StillRunning(WorkflowError):
    """Another process runs the execution at this moment."""


@contextmanager
def engine_of(folder: Path) -> Iterator[None]:
    """Be the engine of the execution with this folder for the time of the block.

    Raises:
        StillRunning: another one is.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with _lock_file(folder).open("w") as file:
        if not any(_taken(file) for _ in range(_TRIES)):
            raise StillRunning(f"execution {folder.name} is running in another process")
        yield


def _taken(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        # Somebody who only asks, in `is_running`, holds it for an instant.
        time.sleep(0.05)
        return False
    return True


def is_running(folder: Path) -> bool:
    """Whether an engine runs the execution with this folder."""
    path = _lock_file(folder)
    if not path.is_file():
        return False
    with path.open("r") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _lock_file(folder: Path) -> Path:
    return folder / "engine.lock"
