"""The events of a log: its lines, found by their place in the file. A large file is never read whole."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from workflows.server.log_times import LONGEST_EVENT, Times

# The most that one answer of GetLogEvents holds.
PAGE_BYTES = 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Event:
    """One line."""

    start: int  # its first byte
    end: int  # the first byte after it
    time: int  # milliseconds since 1970, as AWS has it
    seen: int
    message: str


@dataclass(frozen=True, kw_only=True)
class Range:
    """Which lines are wanted: those with `after` <= time < `before`."""

    after: int | None = None
    before: int | None = None

    def first_byte(self, log: Path, times: Times) -> int:
        """Where the lines that are wanted begin."""
        return 0 if self.after is None else _next_line(log, times.first_at(self.after), times.end)

    def end_byte(self, log: Path, times: Times) -> int:
        """Where the lines that are wanted end."""
        return times.end if self.before is None else _next_line(log, times.first_at(self.before), times.end)


def read(log: Path, times: Times, start: int, end: int) -> Iterator[Event]:
    """The events in a part of a log; both ends must be those of lines. Empty lines are no events."""
    with log.open("rb") as file:
        file.seek(start)
        while start < end:
            raw = file.readline(min(LONGEST_EVENT, end - start))
            if not raw:
                return  # the file has become shorter
            message = raw.decode(errors="replace").rstrip("\r\n")
            following = start + len(raw)
            if message:
                yield Event(
                    start=start,
                    end=following,
                    time=times.at(start),
                    seen=times.seen_at(start),
                    message=message,
                )
            start = following


def page_after(log: Path, times: Times, start: int, end: int, limit: int) -> list[Event]:
    """The first events of a part of a log, as many as one answer holds."""
    events: list[Event] = []
    size = 0
    for event in read(log, times, start, end):
        size += event.end - event.start
        if events and size > PAGE_BYTES:
            break
        events.append(event)
        if len(events) == limit:
            break
    return events


def page_before(log: Path, times: Times, start: int, end: int, limit: int) -> list[Event]:
    """The last events of a part of a log, as many as one answer holds, the oldest first."""
    begin = start
    if end - start > PAGE_BYTES:
        begin = _next_line(log, end - PAGE_BYTES, end)
        if begin == end:
            begin = end - PAGE_BYTES  # a line that is longer than an answer
    return list(read(log, times, begin, end))[-limit:]


def _next_line(log: Path, offset: int, end: int) -> int:
    """The first byte at or after `offset` at which a line begins."""
    if offset == 0:
        return 0
    with log.open("rb") as file:
        file.seek(offset - 1)
        return _skip_line(file, end)


def _skip_line(file: IO[bytes], end: int) -> int:
    while (place := file.tell()) < end:
        if file.readline(min(LONGEST_EVENT, end - place)).endswith(b"\n"):
            break
    return file.tell()
