"""Cron expressions of AWS, against a reference that looks at every minute."""

import calendar
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workflows.server.events.cron import CronError, parse
from workflows.server.events.expressions import ExpressionError, find_zone
from workflows.server.events.expressions import parse as parse_expression


def utc(*parts):
    return datetime(*parts, tzinfo=UTC)


def local(*parts):
    """A time that knows of no zone."""
    return utc(*parts).replace(tzinfo=None)


NOON = local(2026, 1, 1, 12)
NEW_YEAR = utc(2026, 1, 1)


def first(text, count=3, after=NOON):
    return [moment.isoformat(" ", "minutes") for moment in islice(parse(text).after(after), count)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            "0 12 * * ? *", ["2026-01-02 12:00", "2026-01-03 12:00", "2026-01-04 12:00"], id="daily"
        ),
        pytest.param("15 10 ? * 6L 2027-2028", ["2027-01-29 10:15", "2027-02-26 10:15", "2027-03-26 10:15"]),
        pytest.param("0 9 ? * 2#1 *", ["2026-01-05 09:00", "2026-02-02 09:00", "2026-03-02 09:00"], id="nth"),
        pytest.param(
            "0 9 ? * MON#5 *", ["2026-03-30 09:00", "2026-06-29 09:00", "2026-08-31 09:00"], id="fifth"
        ),
        pytest.param(
            "0 0 L * ? *", ["2026-01-31 00:00", "2026-02-28 00:00", "2026-03-31 00:00"], id="last-day"
        ),
        pytest.param("0 0 LW * ? *", ["2026-01-30 00:00", "2026-02-27 00:00", "2026-03-31 00:00"], id="LW"),
        # 2026-02-01 is a Sunday, 2026-03-01 too, 2026-08-01 a Saturday: never into another month.
        pytest.param("0 0 1W 2,8 ? *", ["2026-02-02 00:00", "2026-08-03 00:00", "2027-02-01 00:00"], id="1W"),
        pytest.param("0 0 31W * ? *", ["2026-01-30 00:00", "2026-03-31 00:00", "2026-05-29 00:00"], id="31W"),
        pytest.param("0/20 13 ? * MON-FRI *", ["2026-01-01 13:00", "2026-01-01 13:20", "2026-01-01 13:40"]),
        pytest.param("5/25 12 * JAN ? *", ["2026-01-01 12:05", "2026-01-01 12:30", "2026-01-01 12:55"]),
        pytest.param("0 0 29 2 ? *", ["2028-02-29 00:00", "2032-02-29 00:00", "2036-02-29 00:00"], id="leap"),
        pytest.param("0 0 30 2 ? *", [], id="never"),
        pytest.param("0 0 1 1 ? 2026/2", ["2028-01-01 00:00", "2030-01-01 00:00", "2032-01-01 00:00"]),
        pytest.param(
            "0 8 ? * L *", ["2026-01-03 08:00", "2026-01-10 08:00", "2026-01-17 08:00"], id="saturday"
        ),
    ],
)
def test_hand_worked_moments(text, expected):
    assert first(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("0 12 * * *", id="five-fields"),
        pytest.param("0 12 * * * *", id="no-question-mark"),
        pytest.param("0 12 ? * ? *", id="two-question-marks"),
        pytest.param("60 12 * * ? *", id="minute-60"),
        pytest.param("0 24 * * ? *", id="hour-24"),
        pytest.param("0 12 0 * ? *", id="day-0"),
        pytest.param("0 12 ? * 8 *", id="weekday-8"),
        pytest.param("0 12 ? * MON#6 *", id="sixth-monday"),
        pytest.param("0 12 ? 13 MON *", id="month-13"),
        pytest.param("0 12 * * ? 1969", id="too-early"),
        pytest.param("0/0 12 * * ? *", id="step-0"),
        pytest.param("9-5 12 * * ? *", id="backwards"),
        pytest.param("a b c d e f", id="words"),
        pytest.param("٣ 12 * * ? *", id="other-digits"),
        pytest.param("", id="empty"),
    ],
)
def test_what_is_no_expression_is_refused(text):
    with pytest.raises(CronError):
        parse(text)


DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")


def names(low, high):
    number = st.integers(low, high)
    return st.one_of(
        st.just("*"),
        number.map(str),
        st.lists(number, min_size=1, max_size=3).map(lambda found: ",".join(map(str, found))),
        st.tuples(number, number).map(lambda pair: f"{min(pair)}-{max(pair)}"),
        st.tuples(number, st.integers(1, 20)).map(lambda pair: f"{pair[0]}/{pair[1]}"),
        st.integers(1, 20).map(lambda step: f"*/{step}"),
    )


days_of_month = names(1, 31) | st.just("L") | st.just("LW") | st.integers(1, 31).map(lambda day: f"{day}W")
days_of_week = (
    names(1, 7)
    | st.sampled_from(DAYS)
    | st.tuples(st.integers(1, 7), st.integers(1, 5)).map(lambda pair: f"{pair[0]}#{pair[1]}")
    | st.integers(1, 7).map(lambda day: f"{day}L")
)
days = st.one_of(days_of_month.map(lambda day: (day, "?")), days_of_week.map(lambda day: ("?", day)))


def slow_field(text, value, low, high):
    """Whether a field of plain numbers names a value."""
    for item in text.split(","):
        span, _, step = item.partition("/")
        start, _, end = span.partition("-")
        begin = low if start == "*" else int(start)
        stop = int(end) if end else high if step or start == "*" else begin
        if begin <= value <= stop and (value - begin) % int(step or 1) == 0:
            return True
    return False


def slow_day(moment, day, weekday):
    last = calendar.monthrange(moment.year, moment.month)[1]
    own = moment.isoweekday() % 7 + 1
    if day == "L":
        return moment.day == last
    if day.endswith("W"):
        wanted = last if day == "LW" else int(day[:-1])
        if wanted > last:
            return False
        candidates = [
            each for each in range(1, last + 1) if local(moment.year, moment.month, each).weekday() < 5
        ]
        # The nearest; of two that are as near there is none: weekends have two days.
        return moment.day == min(candidates, key=lambda each: abs(each - wanted))
    if day != "?":
        return slow_field(day, moment.day, 1, 31)
    if "#" in weekday:
        wanted, number = map(int, weekday.split("#"))
        return own == wanted and (moment.day - 1) // 7 + 1 == number
    if weekday.endswith("L"):
        return own == int(weekday[:-1]) and moment.day + 7 > last
    if weekday in DAYS:
        return own == DAYS.index(weekday) + 1
    return slow_field(weekday, own, 1, 7)


@settings(max_examples=60, deadline=None)
@given(
    minute=names(0, 59),
    hour=names(0, 23),
    day=days,
    month=names(1, 12),
    start=st.datetimes(local(2023, 1, 1), local(2029, 1, 1)),
)
def test_every_minute_that_the_reference_finds_is_found_and_no_other(minute, hour, day, month, start):
    end = start + timedelta(days=5)
    found = []
    for moment in parse(f"{minute} {hour} {day[0]} {month} {day[1]} *").after(start):
        if moment > end:
            break
        found.append(moment)
    minutes = [
        start.replace(second=0, microsecond=0) + timedelta(minutes=each) for each in range(5 * 1440 + 1)
    ]
    expected = [
        each
        for each in minutes
        if start < each <= end
        and slow_field(minute, each.minute, 0, 59)
        and slow_field(hour, each.hour, 0, 23)
        and slow_field(month, each.month, 1, 12)
        and slow_day(each, *day)
    ]
    assert found == expected


@given(st.text(max_size=30))
def test_any_text_is_read_or_refused(text):
    with suppress(CronError):
        parse(text)


def due(text, after, until, *, anchor=NEW_YEAR, begins=True, zone="UTC"):
    return parse_expression(text, anchor=anchor, rate_begins_at_anchor=begins, zone=zone).last_due(
        after, until
    )


def test_a_rate_counts_from_its_anchor():
    assert due("rate(5 minutes)", utc(2025, 12, 31), utc(2026, 1, 1)) == utc(2026, 1, 1)
    assert due("rate(5 minutes)", utc(2025, 12, 31), utc(2026, 1, 1), begins=False) is None
    assert due("rate(5 minutes)", utc(2026, 1, 1), utc(2026, 1, 1, 0, 17)) == utc(2026, 1, 1, 0, 15)
    assert due("rate(1 day)", utc(2026, 1, 2), utc(2026, 1, 2, 23)) is None
    assert due("rate(1 hour)", utc(2020, 1, 1), utc(2025, 1, 1)) is None


def test_a_moment_is_due_once_in_its_zone():
    text = "at(2026-07-01T08:00:00)"
    assert due(text, utc(2026, 1, 1), utc(2027, 1, 1), zone="Europe/Berlin") == utc(2026, 7, 1, 6)
    assert due(text, utc(2026, 7, 1, 8), utc(2027, 1, 1)) is None
    assert due(text, utc(2026, 1, 1), utc(2026, 7, 1, 7, 59)) is None


def test_cron_goes_by_the_clocks_of_its_zone():
    text, zone = "cron(0 8 * * ? *)", "Europe/Berlin"
    assert due(text, utc(2026, 1, 1), utc(2026, 1, 2), zone=zone) == utc(2026, 1, 1, 7)
    assert due(text, utc(2026, 7, 1), utc(2026, 7, 2), zone=zone) == utc(2026, 7, 1, 6)


def test_an_hour_that_is_left_out_is_never_due_and_one_that_comes_twice_is_due_once():
    text, zone = "cron(30 2 * * ? *)", "Europe/Berlin"
    # On 29 March 2026 clocks go from 2 to 3, on 25 October from 3 back to 2.
    assert due(text, utc(2026, 3, 28, 12), utc(2026, 3, 29, 23), zone=zone) is None
    assert due(text, utc(2026, 10, 24, 12), utc(2026, 10, 25, 23), zone=zone) == utc(2026, 10, 25, 0, 30)
    assert due(text, utc(2026, 10, 25, 0, 30), utc(2026, 10, 25, 23), zone=zone) is None


@settings(max_examples=40, deadline=None)
@given(
    hour=st.integers(0, 23),
    minutes=st.sampled_from(["0", "30", "0/15", "17"]),
    start=st.datetimes(local(2026, 3, 27), local(2026, 3, 31))
    | st.datetimes(local(2026, 10, 23), local(2026, 10, 27)),
    hours=st.integers(0, 60),
    zone=st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "UTC", "Asia/Kolkata"]),
)
def test_the_last_moment_is_the_one_that_a_walk_over_all_minutes_finds(hour, minutes, start, hours, zone):
    after = start.replace(tzinfo=UTC)
    until = after + timedelta(hours=hours)
    expected = None
    seen = set()
    place = after.replace(second=0, microsecond=0) - timedelta(hours=6)
    while place <= until:
        shown = place.astimezone(ZoneInfo(zone)).replace(tzinfo=None, fold=0)
        # Of a local time that comes twice the first one counts.
        if (
            shown not in seen
            and shown.hour == hour
            and slow_field(minutes, shown.minute, 0, 59)
            and place > after
        ):
            expected = place
        seen.add(shown)
        place += timedelta(minutes=1)
    assert due(f"cron({minutes} {hour} * * ? *)", after, until, zone=zone) == expected


@pytest.mark.parametrize(
    "text",
    [
        "rate(1 hours)",
        "rate(5 minute)",
        "rate(0 minutes)",
        "rate(2 weeks)",
        "at(2026-02-30T00:00:00)",
        "at(now)",
        "cron(1 2 3)",
        "every day",
        "",
        "rate(5 minutes) ",
    ],
)
def test_what_is_no_schedule_is_refused(text):
    with pytest.raises(ExpressionError):
        parse_expression(text, anchor=utc(2026, 1, 1), rate_begins_at_anchor=True)


@pytest.mark.parametrize("name", ["Mars/Olympus", "../etc/passwd", "/etc/passwd", "", "Europe", "a\0b"])
def test_what_is_no_time_zone_is_refused(name):
    with pytest.raises(ExpressionError):
        find_zone(name)
