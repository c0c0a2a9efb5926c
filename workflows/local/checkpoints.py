"""Copies a job's checkpoints to their place in S3 while it runs, so that after a death it goes on there."""

import threading
import time
from collections.abc import Sequence
from pathlib import Path

from workflows.local.objects import Location, Objects, files_below

_EVERY_S = 1.0
# Younger files may be in the middle of being written.
_SETTLED_S = 0.5

_State = tuple[int, int, int]  # number, size and time of change, which a job cannot set


class CheckpointCopier:
    """Watches folders; a context manager that copies the rest when its block ends, well or badly.

    A file is copied once it has rested for a moment, so that one that is being written is not.
    """

    def __init__(self, folders: Sequence[Path], target: Location, objects: Objects) -> None:
        """What is in the folders now is taken as copied: it came from there."""
        self._folders, self._target, self._objects = folders, target, objects
        self._copied = self._scan()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="checkpoints", daemon=True)

    def __enter__(self) -> "CheckpointCopier":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        # Nobody writes any more.
        for path, state in self._scan().items():
            self._copy(path, state)

    def _watch(self) -> None:
        while not self._ended.wait(_EVERY_S):
            settled_ns = time.time_ns() - int(_SETTLED_S * 1e9)
            for path, state in self._scan().items():
                if state[-1] <= settled_ns:
                    self._copy_if_possible(path, state)

    def _copy_if_possible(self, path: Path, state: _State) -> None:
        try:
            self._copy(path, state)
        except OSError:
            # The job has removed it, or the disk is full: the last round decides.
            return

    def _copy(self, path: Path, state: _State) -> None:
        if self._copied.get(path) == state:
            return
        folder = next(folder for folder in self._folders if path.is_relative_to(folder))
        uri = self._target.child(path.relative_to(folder).as_posix())
        if self._objects.upload(path, str(uri)):
            self._copied[path] = state

    def _scan(self) -> dict[Path, _State]:
        found: dict[Path, _State] = {}
        for folder in self._folders:
            for path in files_below(folder):
                try:
                    state = path.stat()
                except FileNotFoundError:
                    continue  # removed since it was listed
                found[path] = (state.st_ino, state.st_size, state.st_ctime_ns)
        return found
