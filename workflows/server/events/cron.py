"""AWS's cron expressions: minutes hours day-of-month month day-of-week year.

Source: EventBridge User Guide and Scheduler User Guide, "Cron-based schedules". No library in good care reads
this dialect: years, `?`, and W and # beside L.
"""

import calendar
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time

_FIRST_YEAR, _LAST_YEAR = 1970, 2199
_SATURDAY, _SUNDAY = 6, 7  # as ISO 8601 counts
_MONTHS = {name.upper(): number for number, name in enumerate(calendar.month_abbr) if name}
# Sunday is 1.
_DAYS = {
    name: number for number, name in enumerate(("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"), start=1)
}
_ITEM = re.compile(r"(?:(\*)|(\w+)(?:-(\w+))?)(?:/(\d+))?")
_NEAREST_WEEKDAY = re.compile(r"(\d{1,2})W")
_NTH = re.compile(r"(\w+)#([1-5])")
_LAST = re.compile(r"(\w+)L")


class CronError(ValueError):
    """An expression is none of AWS's; the message has the field."""


@dataclass(frozen=True)
class _DayOfMonth:
    """A day of the month that is not simply numbered: L, LW or 15W."""

    day: int | None  # None: the last one
    weekday: bool  # the weekday that is nearest to it in its month

    def days(self, year: int, month: int) -> set[int]:
        last = calendar.monthrange(year, month)[1]
        day = last if self.day is None else self.day
        if day > last:
            return set()
        return {_nearest_weekday(year, month, day, last) if self.weekday else day}


@dataclass(frozen=True)
class _DayOfWeek:
    """A certain one of a month's days of the week: FRI#2, FRIL."""

    day: int
    number: int | None  # None: the last one

    def days(self, year: int, month: int) -> set[int]:
        last = calendar.monthrange(year, month)[1]
        found = [day for day in range(1, last + 1) if _day_of_week(year, month, day) == self.day]
        if self.number is None:
            return {found[-1]}
        return {found[self.number - 1]} if self.number <= len(found) else set()


@dataclass(frozen=True, kw_only=True)
class Cron:
    """A cron expression; it knows of no time zone."""

    minutes: frozenset[int]
    hours: frozenset[int]
    months: frozenset[int]
    years: frozenset[int]
    # Days by number, and those that must be looked up in each month; one of the two sides is None, "?".
    by_month: tuple[frozenset[int], tuple[_DayOfMonth, ...]] | None
    by_week: tuple[frozenset[int], tuple[_DayOfWeek, ...]] | None

    def after(self, moment: datetime) -> Iterator[datetime]:
        """Every minute that it names and that is later than a moment, in order."""
        for day in self._days_from(moment.date()):
            for hour in sorted(self.hours):
                for minute in sorted(self.minutes):
                    found = datetime.combine(day, time(hour, minute))
                    if found > moment:
                        yield found

    def _days_from(self, first: date) -> Iterator[date]:
        for year in sorted(year for year in self.years if year >= first.year):
            for month in sorted(self.months):
                if (year, month) < (first.year, first.month):
                    continue
                for day in sorted(self._days_of(year, month)):
                    if (found := date(year, month, day)) >= first:
                        yield found

    def _days_of(self, year: int, month: int) -> set[int]:
        last = calendar.monthrange(year, month)[1]
        if self.by_month is not None:
            numbers, special = self.by_month
            found = {day for day in numbers if day <= last}
            return found.union(*(each.days(year, month) for each in special))
        numbers, nth = self.by_week or (frozenset(), ())
        found = {day for day in range(1, last + 1) if _day_of_week(year, month, day) in numbers}
        return found.union(*(each.days(year, month) for each in nth))


def parse(text: str) -> Cron:
    """Read the six fields between the brackets of cron(...).

    Raises:
        CronError: they are malformed, or contradict each other.
    """
    fields = text.upper().split()
    if len(fields) != 6:
        raise CronError(f"cron({text}) has {len(fields)} fields and needs 6")
    minutes, hours, days, months, weekdays, years = fields
    if (days == "?") == (weekdays == "?"):
        raise CronError(
            f"cron({text}): one of day-of-month and day-of-week must be ?, and the other must not"
        )
    return Cron(
        minutes=_numbers(minutes, 0, 59, {}, "minutes"),
        hours=_numbers(hours, 0, 23, {}, "hours"),
        months=_numbers(months, 1, 12, _MONTHS, "month"),
        years=_numbers(years, _FIRST_YEAR, _LAST_YEAR, {}, "year"),
        by_month=None if days == "?" else _by_month(days),
        by_week=None if weekdays == "?" else _by_week(weekdays),
    )


def _by_month(text: str) -> tuple[frozenset[int], tuple[_DayOfMonth, ...]]:
    numbers: set[int] = set()
    special: list[_DayOfMonth] = []
    for item in text.split(","):
        near = _NEAREST_WEEKDAY.fullmatch(item)
        if item in ("L", "LW"):
            special.append(_DayOfMonth(None, item == "LW"))
        elif near:
            special.append(_DayOfMonth(_number(near[1], 1, 31, {}, "day-of-month"), weekday=True))
        else:
            numbers |= _numbers(item, 1, 31, {}, "day-of-month")
    return frozenset(numbers), tuple(special)


def _by_week(text: str) -> tuple[frozenset[int], tuple[_DayOfWeek, ...]]:
    numbers: set[int] = set()
    special: list[_DayOfWeek] = []
    for item in text.split(","):
        nth, last = _NTH.fullmatch(item), _LAST.fullmatch(item)
        if item == "L":
            numbers.add(_DAYS["SAT"])  # the last day of the week
        elif nth:
            special.append(_DayOfWeek(_number(nth[1], 1, 7, _DAYS, "day-of-week"), int(nth[2])))
        elif last:
            special.append(_DayOfWeek(_number(last[1], 1, 7, _DAYS, "day-of-week"), None))
        else:
            numbers |= _numbers(item, 1, 7, _DAYS, "day-of-week")
    return frozenset(numbers), tuple(special)


def _numbers(text: str, low: int, high: int, names: Mapping[str, int], field: str) -> frozenset[int]:
    return frozenset(number for item in text.split(",") for number in _range(item, low, high, names, field))


def _range(item: str, low: int, high: int, names: Mapping[str, int], field: str) -> range:
    found = _ITEM.fullmatch(item)
    if found is None:
        raise CronError(f"cron: {field} '{item}' is malformed")
    every, first, last, step = found.groups()
    start = low if every else _number(first, low, high, names, field)
    # 5/15 goes on to the end, 5 alone does not.
    end = high if every or (step and not last) else start
    end = _number(last, low, high, names, field) if last else end
    if end < start:
        raise CronError(f"cron: {field} '{item}' ends before it begins")
    if step is not None and int(step) == 0:
        raise CronError(f"cron: {field} '{item}' has steps of 0")
    return range(start, end + 1, int(step or 1))


def _number(text: str, low: int, high: int, names: Mapping[str, int], field: str) -> int:
    number = names.get(text)
    if number is None and text.isascii() and text.isdigit():
        number = int(text)
    if number is None or not low <= number <= high:
        raise CronError(f"cron: {field} '{text}' is not between {low} and {high}")
    return number


def _day_of_week(year: int, month: int, day: int) -> int:
    """1 is Sunday, 7 is Saturday."""
    return date(year, month, day).isoweekday() % 7 + 1


def _nearest_weekday(year: int, month: int, day: int, last: int) -> int:
    """Of a Saturday the Friday before it, of a Sunday the Monday after it; but never in another month."""
    weekday = date(year, month, day).isoweekday()
    if weekday == _SATURDAY:
        return day - 1 if day > 1 else day + 2
    if weekday == _SUNDAY:
        return day + 1 if day < last else day - 2
    return day
