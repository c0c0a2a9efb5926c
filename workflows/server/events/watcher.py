"""Notices in the store that a resource's status has changed, whoever has changed it, and makes events of it.

What events were made of is kept in the store with the events' deliveries, all in one: after a restart it goes
on where it ended. Of a status that came and went between two looks there is no event.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from workflows.definition.model import JSON
from workflows.definition.records import Record
from workflows.local.naming import Names
from workflows.local.records import EXECUTION, EXECUTION_STEP
from workflows.local.store import Store, Write
from workflows.server.events.bus import publish
from workflows.server.events.records import SEEN, timestamp
from workflows.server.events.state_changes import (
    EXECUTION_FIELDS,
    RESOURCES,
    Watched,
    execution_event,
    resource_event,
    step_event,
)

# Changes that nobody was there to notice for longer than this make no events: so long EventBridge, too, tries
# to deliver one.
_TOO_OLD = timedelta(hours=24)
_EXECUTING = ("Executing", "Stopping")
_WATCHED = {watched.kind: watched for watched in RESOURCES}
# Even where nothing seems to have changed: file times are coarse.
_LOOK_ANYWAY_EVERY = 10

Key = tuple[str, str]  # kind and name of a record
# What is to be remembered as seen, and the events of it.
Change = tuple[Write, list[dict[str, JSON]]]
# Its status is the time of the first look of all.
_BASELINE: Key = ("baseline", "")


class Watcher:
    """Compares the store's records with what was seen of them."""

    def __init__(self, store: Store, names: Names) -> None:
        self._store, self._names = store, names
        self._seen: dict[Key, Record] | None = None
        self._state: object = None
        self._looks = 0

    def begin(self) -> None:
        """The first time of all, remember what is there: only what comes after the server's start is news."""
        self._recall(dict(self._statuses()))
        # Read again at the first look: until then another server may be the one that looks.
        self._seen = None

    def look(self) -> None:
        """Put an event on the bus for each change since the last look."""
        self._looks += 1
        state = self._file_state()
        if state == self._state and self._looks % _LOOK_ANYWAY_EVERY:
            return
        statuses = dict(self._statuses())
        seen = self._recall(statuses)
        self._forget([key for key in seen if key not in statuses and key != _BASELINE], seen)
        changes = [change for key, status in statuses.items() for change in self._changes(key, status, seen)]
        if changes:
            # Stable: the events of one execution stay in their order.
            events = sorted(
                (event for _, made in changes for event in made), key=lambda event: str(event["time"])
            )
            publish(self._store, events, *(write for write, _ in changes))
            seen |= {_key(write.body): dict(write.body) for write, _ in changes}
        # As it was before: what was written meanwhile, by this look too, is looked at the next time.
        self._state = state

    def _recall(self, statuses: Mapping[Key, str]) -> dict[Key, Record]:
        if self._seen is None:
            self._seen = {_key(record): record for record in self._store.all(SEEN)}
        if not self._seen:
            # The first time of all, what is there already is no news.
            writes = [_seen_write(*key, status) for key, status in statuses.items()]
            writes.append(_seen_write(*_BASELINE, timestamp(datetime.now(UTC))))
            self._store.write(*writes)
            self._seen = {_key(write.body): dict(write.body) for write in writes}
        return self._seen

    def _forget(self, gone: Sequence[Key], seen: dict[Key, Record]) -> None:
        """Another resource may have the name of one that was deleted."""
        if gone:
            self._store.delete_all((SEEN, f"{kind}/{name}") for kind, name in gone)
            for key in gone:
                del seen[key]

    def _statuses(self) -> Iterator[tuple[Key, str]]:
        """The status of everything that is watched, steps excepted."""
        for kind, fields in ((watched.kind, watched.fields) for watched in RESOURCES):
            yield from (((kind, name), status) for name, status in self._store.values(kind, fields))
        for name, status in self._store.values(EXECUTION, EXECUTION_FIELDS):
            yield (EXECUTION, name), status

    def _changes(self, key: Key, status: str, seen: Mapping[Key, Record]) -> Iterator[Change]:
        kind, name = key
        before = seen.get(key)
        is_new = before is None or before["Status"] != status
        if kind != EXECUTION:
            if is_new:
                yield _seen_write(kind, name, status), self._of_resource(_WATCHED[kind], name)
        elif is_new or status in _EXECUTING:
            # Steps change as long as their execution goes on, and for the last time with its end.
            yield from self._of_execution(name, before or {}, str(seen[_BASELINE]["Status"]))

    def _of_resource(self, watched: Watched, name: str) -> list[dict[str, JSON]]:
        record = self._store.find(watched.kind, name)
        if record is None or _is_too_old(record.get("LastModifiedTime", record.get("CreationTime"))):
            return []
        return [resource_event(watched, record, self._names)]

    def _of_execution(self, name: str, before: Record, baseline: str) -> Iterator[Change]:
        execution = self._store.find(EXECUTION, name)
        if execution is None:
            return
        status, known = str(execution["PipelineExecutionStatus"]), before.get("Status")
        # Read after the execution: at its end they have all ended.
        steps = self._store.all(EXECUTION_STEP, parent=name)
        events = self._of_steps(steps, execution, before, baseline)
        if known != status and not _is_too_old(execution.get("LastModifiedTime")):
            event = execution_event(execution, None if known is None else str(known), self._names)
            events = [event, *events] if status in _EXECUTING else [*events, event]
        now = {str(step["StepName"]): step["StepStatus"] for step in steps}
        if known != status or now != before.get("Steps"):
            yield _seen_write(EXECUTION, name, status, Steps=now), events

    def _of_steps(
        self, steps: list[Record], execution: Record, before: Record, baseline: str
    ) -> list[dict[str, JSON]]:
        known = before.get("Steps")
        seen: Mapping[str, JSON] = known if isinstance(known, dict) else {}
        events = []
        for step in steps:
            previous = seen.get(str(step["StepName"]))
            time = str(step.get("EndTime", step["StartTime"]))
            if previous == step["StepStatus"] or time < baseline or _is_too_old(time):
                continue
            events.append(step_event(step, execution, str(previous) if previous else None, self._names))
        return events

    def _file_state(self) -> object:
        """Differs whenever something was written; cheaper than any query."""
        state = []
        for name in ("records.sqlite", "records.sqlite-wal"):
            try:
                found = (self._store.home / name).stat()
            except FileNotFoundError:
                continue
            if found.st_size:
                state.append((name, found.st_size, found.st_mtime_ns))
        return state


def _is_too_old(time: JSON) -> bool:
    return time is not None and datetime.fromisoformat(str(time)) < datetime.now(UTC) - _TOO_OLD


def _key(record: Mapping[str, JSON]) -> Key:
    return str(record["Kind"]), str(record["Name"])


def _seen_write(kind: str, name: str, status: str, **more: JSON) -> Write:
    body: Record = {"Kind": kind, "Name": name, "Status": status, **more}
    return Write(kind=SEEN, name=f"{kind}/{name}", body=body)
