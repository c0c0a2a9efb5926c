"""When the lines of a log were written. The files hold no times, and clients need times that never change.

Beside a log stands `<log>.times` with marks: "so many bytes had been written at this time". A mark is made
whenever somebody reads the log and it has grown, from the file's own time of change, and the first one is the
job's start. Lines between two marks are spread evenly. A mark is never changed, so neither is the time of a
line that was once given out: SageMaker's SDK goes on reading at the time of the last line that it has seen.
"""

import errno
import fcntl
import os
import struct
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

# Longer lines are several events, as CloudWatch has none that is larger.
LONGEST_EVENT = 256 * 1024
_MARK = struct.Struct("<qq")  # bytes of the log, milliseconds since 1970


@dataclass(frozen=True)
class Times:
    """The time of each byte of a log, up to `end`; never falls from one byte to the next."""

    marks: Sequence[tuple[int, int]]  # (bytes, milliseconds), both rising

    @property
    def end(self) -> int:
        """How much of the log has times."""
        return self.marks[-1][0]

    def at(self, offset: int) -> int:
        """When the line that begins here was written, in milliseconds since 1970."""
        index = self._segment(offset)
        first, began = self.marks[index]
        last, ended = self.marks[index + 1] if index + 1 < len(self.marks) else (first + 1, began)
        return began + (ended - began) * (offset - first) // (last - first)

    def seen_at(self, offset: int) -> int:
        """When it was known that this line had been written."""
        return self.marks[min(self._segment(offset) + 1, len(self.marks) - 1)][1]

    def first_at(self, time: int) -> int:
        """The first byte whose time is not before `time`; `end` if there is none."""
        low, high = 0, self.end
        while low < high:
            middle = (low + high) // 2
            if self.at(middle) < time:
                low = middle + 1
            else:
                high = middle
        return low

    def _segment(self, offset: int) -> int:
        return max(0, bisect_right(self.marks, offset, key=lambda mark: mark[0]) - 1)


def observe(log: Path, *, began: int, complete: bool) -> Times:
    """The times of a log's lines so far, which are noted where they are new.

    Args:
        log: the file; it must exist.
        began: when its job did, in milliseconds.
        complete: that nobody writes it any more: its last line needs no end.
    """
    with _opened(log.with_name(f"{log.name}.times")) as file:
        # Two readers, of two processes perhaps, must not note different times.
        fcntl.flock(file, fcntl.LOCK_EX)
        marks = _read(file)
        found = log.stat()
        if marks and marks[-1][0] > found.st_size:
            file.truncate(0)  # another log has taken the place of the one that was seen
            marks = []
        fresh = [] if marks else [(0, min(began, found.st_mtime_ns // 1_000_000))]
        end = found.st_size if complete else _end_of_lines(log, (marks or fresh)[-1][0], found.st_size)
        if end > (marks or fresh)[-1][0]:
            fresh.append((end, max(found.st_mtime_ns // 1_000_000, (marks or fresh)[-1][1])))
        with _full_disk_suppressed():
            file.write(b"".join(_MARK.pack(*mark) for mark in fresh))
        return Times([*marks, *fresh])


@contextmanager
def _full_disk_suppressed() -> Iterator[None]:
    """Go on without a note where there is no room for it: who reads the log then wants to know why it ends.

    The times given out may differ from those that are noted when there is room again.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise


def _opened(path: Path) -> IO[bytes]:
    """The file to read and to write at its end; nothing where a full disk has no room for a new one."""
    with _full_disk_suppressed():
        return path.open("a+b", buffering=0)
    return Path(os.devnull).open("a+b", buffering=0)


def _read(file: IO[bytes]) -> list[tuple[int, int]]:
    file.seek(0)
    content = file.read()
    # What a process left that died while it wrote.
    whole = len(content) - len(content) % _MARK.size
    if whole < len(content):
        file.truncate(whole)
    return [(offset, time) for offset, time in _MARK.iter_unpack(content[:whole])]


def _end_of_lines(log: Path, start: int, size: int) -> int:
    """The end of the last whole line; a line that is longer than an event counts without its end."""
    begin = max(start, size - LONGEST_EVENT)
    with log.open("rb") as file:
        content = os.pread(file.fileno(), size - begin, begin)
    newline = content.rfind(b"\n")
    if newline >= 0:
        return begin + newline + 1
    return start if begin == start else size
