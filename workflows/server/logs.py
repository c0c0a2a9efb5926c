"""CloudWatch Logs over the jobs' log files. Read only: jobs write their logs themselves."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar
from zlib import crc32

from workflows.definition.model import JSON
from workflows.server import log_streams
from workflows.server.errors import AwsError
from workflows.server.json_protocol import Operation
from workflows.server.log_events import Event, Range, page_after, page_before
from workflows.server.log_filter import parse
from workflows.server.log_merging import Place, merged
from workflows.server.log_streams import Stream
from workflows.server.log_times import Times, observe
from workflows.server.machine import Machine
from workflows.server.shapes import Input, Output

_MOST_EVENTS = 10_000
_MOST_LISTED = 50
# After so much an answer ends, with few events or none and a token, as the service does it.
_SCANNED_BYTES = 8 * 1024 * 1024
_TOKEN = re.compile(r"([fb])/([0-9]{1,20})/s")
_FILTER_TOKEN = re.compile(r"([0-9]{1,20})/([0-9]{1,20})/(.+)", re.DOTALL)
_Item = TypeVar("_Item")


def describe_log_groups(machine: Machine, given: Input) -> Output:
    """DescribeLogGroups."""
    prefix, part = str(given.get("logGroupNamePrefix", "")), str(given.get("logGroupNamePattern", ""))
    names = [
        name
        for name in log_streams.groups(machine.store)
        if name.startswith(prefix) and part.lower() in name.lower()
    ]
    listed, token = _page(names, given, str, lambda _: True)
    groups: list[JSON] = [
        {
            "logGroupName": name,
            "arn": f"{_arn(machine, name)}:*",
            "logGroupArn": _arn(machine, name),
            "logGroupClass": "STANDARD",
        }
        for name in listed
    ]
    return {"logGroups": groups, "nextToken": token}


def describe_log_streams(machine: Machine, given: Input) -> Output:
    """DescribeLogStreams."""
    group = _group(machine, given)
    by_time = given.get("orderBy") == "LastEventTime"
    if by_time and given.get("logStreamNamePrefix"):
        raise _invalid("Cannot order by LastEventTime with a logStreamNamePrefix.")
    prefix = str(given.get("logStreamNamePrefix", ""))

    def key(stream: Stream) -> str:
        return f"{stream.changed:020}/{stream.name}" if by_time else stream.name

    found = log_streams.streams(machine.store, group, prefix)
    found.sort(key=key, reverse=bool(given.get("descending")))
    listed, token = _page(found, given, key, lambda stream: stream.file.is_file())
    shown: list[JSON] = [_shown(machine, group, stream) for stream in listed]
    return {"logStreams": shown, "nextToken": token}


def get_log_events(machine: Machine, given: Input) -> Output:
    """GetLogEvents: a page of one stream, forwards or backwards; at an end the same token comes again."""
    stream = _stream(machine, given)
    log, times = stream.file, _times(stream)
    wanted = Range(after=_time(given, "startTime"), before=_time(given, "endTime"))
    first, last = wanted.first_byte(log, times), wanted.end_byte(log, times)
    limit = _limit(given, _MOST_EVENTS)
    direction, place = _read_token(given.get("nextToken"))
    if direction == "f" or (direction is None and given.get("startFromHead")):
        start = max(first, first if place is None else place)
        events = page_after(log, times, start, last, limit)
        ends = (events[0].start, events[-1].end) if events else (start, start)
    else:
        end = min(last, last if place is None else place)
        events = page_before(log, times, first, end, limit)
        ends = (events[0].start, events[-1].end) if events else (end, end)
    return {
        "events": [_out(event) for event in events],
        "nextForwardToken": _write_token("f", ends[1]),
        "nextBackwardToken": _write_token("b", ends[0]),
    }


def filter_log_events(machine: Machine, given: Input) -> Output:
    """FilterLogEvents: the events of several streams, in the order of their times."""
    group = _group(machine, given)
    wanted = Range(after=_time(given, "startTime"), before=_time(given, "endTime", included=True))
    chosen = parse(str(given.get("filterPattern", "")))
    limit, scanned = _limit(given, _MOST_EVENTS), 0
    events: list[JSON] = []
    token: str | None = None
    streams = [stream for stream in _chosen(machine, group, given) if _in_range(stream, wanted)]
    for place, stream, event in merged(streams, wanted, _read_filter_token(given.get("nextToken"))):
        if chosen.matches(event.message):
            events.append({**_out(event), "logStreamName": stream.name, "eventId": _event_id(stream, event)})
        scanned += event.end - event.start
        if len(events) == limit or scanned > _SCANNED_BYTES:
            token = f"{place.time}/{place.start}/{place.stream}"
            break
    return {"events": events, "searchedLogStreams": [], "nextToken": token}


OPERATIONS: Mapping[str, Operation] = {
    "DescribeLogGroups": describe_log_groups,
    "DescribeLogStreams": describe_log_streams,
    "FilterLogEvents": filter_log_events,
    "GetLogEvents": get_log_events,
}


def _group(machine: Machine, given: Input) -> str:
    """The group that a request names, by its name or its ARN."""
    name = given.get("logGroupName") or given.get("logGroupIdentifier")
    if name is None:
        raise _invalid("Either logGroupName or logGroupIdentifier must be given")
    group = str(name)
    if group.startswith("arn:"):
        group = group.partition(":log-group:")[2].removesuffix(":*")
    if not log_streams.exists(machine.store, group):
        raise _not_found("The specified log group does not exist.")
    return group


def _stream(machine: Machine, given: Input) -> Stream:
    group, name = _group(machine, given), str(given["logStreamName"])
    for stream in log_streams.streams(machine.store, group, name):
        if stream.name == name and stream.file.is_file():
            return stream
    raise _not_found("The specified log stream does not exist.")


def _chosen(machine: Machine, group: str, given: Input) -> Sequence[Stream]:
    names = given.get("logStreamNames")
    prefix = given.get("logStreamNamePrefix")
    if not isinstance(names, list):
        return log_streams.streams(machine.store, group, str(prefix or ""))
    if prefix:
        raise _invalid("logStreamNamePrefix and logStreamNames cannot be given together")
    return [
        stream
        for name in names
        for stream in log_streams.streams(machine.store, group, str(name))
        if stream.name == name
    ]


def _in_range(stream: Stream, wanted: Range) -> bool:
    if wanted.before is not None and stream.began >= wanted.before:
        return False
    # The log of a job that has ended holds nothing that is later.
    return wanted.after is None or not stream.complete or stream.changed >= wanted.after


def _times(stream: Stream) -> Times:
    return observe(stream.file, began=stream.began, complete=stream.complete)


def _shown(machine: Machine, group: str, stream: Stream) -> dict[str, JSON]:
    times = _times(stream)
    shown: dict[str, JSON] = {
        "logStreamName": stream.name,
        "creationTime": stream.began,
        "arn": f"{_arn(machine, group)}:log-stream:{stream.name}",
        "storedBytes": 0,  # the service has given no other number since 2019
    }
    if times.end:
        seen = times.seen_at(times.end)
        shown |= {
            "firstEventTimestamp": times.at(0),
            "lastEventTimestamp": times.at(times.end - 1),
            "lastIngestionTime": seen,
        }
    return shown


def _out(event: Event) -> dict[str, JSON]:
    return {"timestamp": event.time, "message": event.message, "ingestionTime": event.seen}


def _event_id(stream: Stream, event: Event) -> str:
    """The same for the same event, in whichever answer it stands."""
    return f"{event.time:020}{event.start:016}{crc32(stream.name.encode()):010}"


def _arn(machine: Machine, group: str) -> str:
    return f"arn:aws:logs:{machine.names.region}:{machine.names.account}:log-group:{group}"


def _time(given: Input, name: str, *, included: bool = False) -> int | None:
    value = given.get(name)
    return value + included if isinstance(value, int) else None


def _limit(given: Input, most: int) -> int:
    value = given.get("limit")
    return min(value, most) if isinstance(value, int) else most


def _page(
    items: Sequence[_Item], given: Input, key: Callable[[_Item], str], shows: Callable[[_Item], bool]
) -> tuple[list[_Item], str | None]:
    """The page of sorted items that a request asks for; its token is the key of the last one before it.

    Whether one is shown at all is asked only of those that come up.
    """
    size, token, down = _limit(given, _MOST_LISTED), given.get("nextToken"), bool(given.get("descending"))
    page: list[_Item] = []
    for item in items:
        if token is not None and (key(item) >= str(token) if down else key(item) <= str(token)):
            continue
        if shows(item):
            if len(page) == size:
                return page, key(page[-1])
            page.append(item)
    return page, None


def _read_token(token: JSON) -> tuple[str | None, int | None]:
    if token is None:
        return None, None
    found = _TOKEN.fullmatch(str(token))
    if found is None:
        raise _invalid("The specified nextToken is invalid.")
    return found[1], int(found[2])


def _write_token(direction: str, place: int) -> str:
    return f"{direction}/{place:020}/s"


def _read_filter_token(token: JSON) -> Place | None:
    if token is None:
        return None
    found = _FILTER_TOKEN.fullmatch(str(token))
    if found is None:
        raise _invalid("The specified nextToken is invalid.")
    return Place(time=int(found[1]), stream=found[3], start=int(found[2]))


def _invalid(message: str) -> AwsError:
    return AwsError("InvalidParameterException", message)


def _not_found(message: str) -> AwsError:
    return AwsError("ResourceNotFoundException", message)
