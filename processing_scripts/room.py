"""Whether a disk has room for what is still to be written."""

import shutil
from pathlib import Path

from processing_scripts.contract import JobError

_LOOK_EVERY = 256


class Room:
    """Ends a job early whose outputs will not fit, by the mean size of what was written so far."""

    def __init__(self, folder: Path, *, items: int) -> None:
        self._folder, self._items = folder, items
        self._done = self._written = 0

    def add(self, written: int) -> None:
        """An item is done, and took this many bytes.

        Raises:
            JobError: the rest needs more than is free.
        """
        self._done += 1
        self._written += written
        if self._done % _LOOK_EVERY == 0:
            left = self._items - self._done
            check_room(self._folder, self._written * left // self._done, f"the other {left} pictures")


def check_room(folder: Path, needed: int, what: str, *, remedy: str = "give the job a larger volume") -> None:
    """Compare what is still to be written, in bytes, with what is free.

    Raises:
        JobError: it needs more.
    """
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise JobError(f"{folder}: {what} need about {needed} bytes, {free} are free; {remedy}")
