"""When schedules are due: at(...), rate(...) and cron(...).

Sources: Scheduler User Guide, "Schedule types" and "Time zones and daylight saving time"; EventBridge User
Guide, "Creating an Amazon EventBridge rule that runs on a schedule".
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Protocol
from zoneinfo import ZoneInfo

from workflows.server.events import cron

_EXPRESSION = re.compile(r"(at|rate|cron)\((.*)\)", re.DOTALL)
_RATE = re.compile(r"([1-9]\d{0,6}) (minute|hour|day)(s?)")
_AT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}")
_UNITS = {"minute": timedelta(minutes=1), "hour": timedelta(hours=1), "day": timedelta(days=1)}
# Where a cron expression was due last is looked for in steps back that become longer.
_FIRST_STEP, _LONGER = timedelta(hours=1), 24
# More than any zone moves its clocks.
_MARGIN = timedelta(hours=3)


class ExpressionError(ValueError):
    """A schedule expression or time zone is none; the message has why."""


class Expression(Protocol):
    """Says when something is due."""

    def last_due(self, after: datetime, until: datetime) -> datetime | None:
        """The latest moment with after < moment <= until at which it is due; None if there is none."""

    def is_due_again(self, after: datetime, until: datetime) -> bool:
        """Whether there is any moment with after < moment <= until."""


@dataclass(frozen=True)
class At:
    """Once."""

    moment: datetime

    def last_due(self, after: datetime, until: datetime) -> datetime | None:
        """As Expression has it."""
        return self.moment if after < self.moment <= until else None

    def is_due_again(self, after: datetime, until: datetime) -> bool:
        """As Expression has it."""
        return after < self.moment <= until


@dataclass(frozen=True, kw_only=True)
class Rate:
    """Again and again."""

    anchor: datetime
    period: timedelta
    first: int  # 0: due at the anchor for the first time; 1: a period later

    def last_due(self, after: datetime, until: datetime) -> datetime | None:
        """As Expression has it."""
        count = (until - self.anchor) // self.period
        moment = self.anchor + count * self.period
        return moment if count >= self.first and moment > after else None

    def is_due_again(self, after: datetime, until: datetime) -> bool:
        """As Expression has it."""
        return self.last_due(after, until) is not None


@dataclass(frozen=True, kw_only=True)
class CronInZone:
    """By the clocks of a time zone.

    Where they are put forward, what would be due in the hour that is left out is not; where they are put
    back, it is due in the first of the two hours only.
    """

    cron: cron.Cron
    zone: tzinfo

    def last_due(self, after: datetime, until: datetime) -> datetime | None:
        """As Expression has it."""
        step = _FIRST_STEP
        while True:
            start = max(after, until - step) if step < until - after else after
            found: datetime | None = None
            for moment in self._between(start, until):
                found = moment
            if found is not None or start == after:
                return found
            step *= _LONGER

    def is_due_again(self, after: datetime, until: datetime) -> bool:
        """As Expression has it."""
        return next(self._between(after, until), None) is not None

    def _between(self, after: datetime, until: datetime) -> Iterator[datetime]:
        for local in self.cron.after(after.astimezone(self.zone).replace(tzinfo=None) - _MARGIN):
            moment = local.replace(tzinfo=self.zone).astimezone(UTC)
            if moment > until + _MARGIN:
                return
            exists = moment.astimezone(self.zone).replace(tzinfo=None) == local
            if exists and after < moment <= until:
                yield moment


def parse(text: str, *, anchor: datetime, rate_begins_at_anchor: bool, zone: str = "UTC") -> Expression:
    """Read an expression.

    Args:
        text: at(...), rate(...) or cron(...).
        anchor: from where rates count.
        rate_begins_at_anchor: as in the Scheduler; a rule is first due a period later.
        zone: by which at and cron go, such as Europe/Berlin.

    Raises:
        ExpressionError: it is none of these.
    """
    found = _EXPRESSION.fullmatch(text)
    if found is None:
        raise ExpressionError(f"{text} is none of at(...), rate(...), cron(...)")
    kind, inside = found.groups()
    if kind == "rate":
        return Rate(anchor=anchor, period=_period(inside), first=0 if rate_begins_at_anchor else 1)
    if kind == "at":
        return At(_moment(inside, find_zone(zone)))
    try:
        return CronInZone(cron=cron.parse(inside), zone=find_zone(zone))
    except cron.CronError as error:
        raise ExpressionError(str(error)) from None


def find_zone(name: str) -> tzinfo:
    """A time zone by its name in the database of time zones.

    Raises:
        ExpressionError: there is none.
    """
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        # Of unknown names, of malformed ones, and of those of folders.
        raise ExpressionError(f"there is no time zone '{name}'") from None


def _period(text: str) -> timedelta:
    found = _RATE.fullmatch(text)
    if found is None or (found[1] == "1") == bool(found[3]):
        raise ExpressionError(f"rate({text}): write rate(1 hour), rate(5 minutes), rate(7 days)")
    return int(found[1]) * _UNITS[found[2]]


def _moment(text: str, zone: tzinfo) -> datetime:
    try:
        if not _AT.fullmatch(text):
            raise ValueError(text)
        return datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ExpressionError(f"at({text}): write at(2026-01-31T08:00:00)") from None
