"""The events of several streams in the order of their times, without opening all of their files at once."""

import heapq
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from workflows.server.log_events import Event, Range, read
from workflows.server.log_streams import Stream
from workflows.server.log_times import observe


@dataclass(frozen=True, order=True)
class Place:
    """Where an event stands among all: by its time, then by its stream, then in it."""

    time: int
    stream: str
    start: int


def merged(
    streams: Sequence[Stream], wanted: Range, after: Place | None
) -> Iterator[tuple[Place, Stream, Event]]:
    """Every event of these streams that is wanted and comes after a place, in order."""
    # A file is opened when its turn comes: jobs that ran one after the other are read one after the other.
    waiting = deque(sorted(streams, key=lambda stream: stream.began))
    heap: list[tuple[Place, Event, Stream, Iterator[Event]]] = []
    while waiting or heap:
        while waiting and (not heap or waiting[0].began <= heap[0][0].time):
            stream = waiting.popleft()
            _push(heap, stream, _events(stream, wanted, after))
        if heap:
            place, event, stream, following = heapq.heappop(heap)
            if after is None or place > after:
                yield place, stream, event
            _push(heap, stream, following)


def _push(
    heap: list[tuple[Place, Event, Stream, Iterator[Event]]], stream: Stream, following: Iterator[Event]
) -> None:
    event = next(following, None)
    if event is not None:
        place = Place(event.time, stream.name, event.start)
        # Places differ, so nothing behind them is ever compared.
        heapq.heappush(heap, (place, event, stream, following))


def _events(stream: Stream, wanted: Range, after: Place | None) -> Iterator[Event]:
    if not stream.file.is_file():
        return
    times = observe(stream.file, began=stream.began, complete=stream.complete)
    earliest = wanted.after if after is None else max(after.time, wanted.after or 0)
    part = Range(after=earliest, before=wanted.before)
    yield from read(
        stream.file, times, part.first_byte(stream.file, times), part.end_byte(stream.file, times)
    )
