"""The time that rules and schedules go by: this machine's, moved on for a rehearsal.

Nothing else goes by it: records, jobs and logs keep the real time.
"""

from datetime import UTC, datetime, timedelta

from workflows.definition.errors import WorkflowError
from workflows.definition.model import JSON
from workflows.definition.records import Record
from workflows.local.store import Store

_KIND, _NAME = "clock", "rehearsal"
# Farther than anybody rehearses; years after 2199 are none that cron expressions can name.
_FARTHEST = timedelta(days=3660)


class ClockError(WorkflowError):
    """The clock cannot be moved so."""


class Clock:
    """How far the time is moved on is kept in the store, so that every process goes by the same."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def now(self) -> datetime:
        """The time, in UTC."""
        return datetime.now(UTC) + self.offset

    @property
    def offset(self) -> timedelta:
        """How far it is ahead of the real time."""
        return _seconds(self._record(), "OffsetInSeconds")

    def advance(self, by: timedelta) -> datetime:
        """Move it on; returns the time that it then is.

        Raises:
            ClockError: it would go back, or too far.
        """
        if by <= timedelta():
            raise ClockError("time can only be moved on; `workflows clock reset` goes back to the real one")
        former = self.offset
        if former + by > _FARTHEST:
            raise ClockError(f"time cannot be moved on by more than {_FARTHEST.days} days")
        self._put(former, former + by)
        return self.now()

    def reset(self) -> None:
        """Go back to the real time."""
        self._put(timedelta(), timedelta())

    def passed_at(self, moment: datetime) -> datetime:
        """When, in real time, this clock came to a moment; of those that were leapt over, when it leapt."""
        record = self._record()
        moved = record.get("MovedAt")
        usual = moment - _seconds(record, "OffsetInSeconds")
        if not isinstance(moved, str):
            return usual
        leapt = datetime.fromisoformat(moved)
        if usual >= leapt:
            return usual
        return min(leapt, moment - _seconds(record, "FormerOffsetInSeconds"))

    def _record(self) -> Record:
        return self._store.find(_KIND, _NAME) or {}

    def _put(self, former: timedelta, offset: timedelta) -> None:
        body: dict[str, JSON] = {
            "FormerOffsetInSeconds": former.total_seconds(),
            "OffsetInSeconds": offset.total_seconds(),
            "MovedAt": datetime.now(UTC).isoformat(),
        }
        self._store.put(_KIND, _NAME, body)


def _seconds(record: Record, field: str) -> timedelta:
    value = record.get(field)
    return timedelta(seconds=value) if isinstance(value, (int, float)) else timedelta()
