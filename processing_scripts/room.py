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
            self.check(self._written * left // self._done, f"the other {left} pictures")

    def check(self, needed: int, what: str) -> None:
        """Compare with what is free.

        Raises:
            JobError: it needs more.
        """
        free = shutil.disk_usage(self._folder).free
        if needed > free:
            raise JobError(
                f"{self._folder}: {what} need about {needed} bytes, {free} are free; "
                "give the job a larger volume"
            )
