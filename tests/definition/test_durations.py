from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workflows.definition.durations import parse_duration


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("P30D", timedelta(days=30), id="days"),
        pytest.param("p30d", timedelta(days=30), id="small-letters"),
        pytest.param("30d", timedelta(days=30), id="no-p"),
        pytest.param("PT1H", timedelta(hours=1), id="hours"),
        pytest.param("T16m", timedelta(minutes=16), id="minutes-without-p"),
        pytest.param("30dT5h", timedelta(days=30, hours=5), id="mixed-loose"),
        pytest.param("P4DT12H", timedelta(days=4, hours=12), id="mixed"),
        pytest.param("P2W", timedelta(days=14), id="weeks"),
        pytest.param("P1M", timedelta(days=30), id="month-is-30-days"),
        pytest.param("P1Y", timedelta(days=365), id="year-is-365-days"),
        pytest.param("P1Y2M3W4DT5H6M7S", timedelta(days=365 + 60 + 21 + 4, seconds=18367), id="everything"),
        pytest.param("PT0.5H", timedelta(minutes=30), id="fraction"),
        pytest.param("PT1,5S", timedelta(seconds=1.5), id="comma"),
        pytest.param("PT0S", timedelta(0), id="nothing"),
    ],
)
def test_a_duration_is_read(text, expected):
    assert parse_duration(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("P", id="only-p"),
        pytest.param("PT", id="only-pt"),
        pytest.param("P1DT", id="t-without-time"),
        pytest.param("30", id="no-unit"),
        pytest.param("P-1D", id="negative"),
        pytest.param("P1H", id="hours-need-t"),
        pytest.param("P1D2W", id="wrong-order"),
        pytest.param("P0.5DT1H", id="fraction-before-the-end"),
        pytest.param(" P1D", id="space"),
        pytest.param("P٣D", id="other-digits"),
        pytest.param("P1D\n", id="line-end"),
        pytest.param("P999999999Y", id="longer-than-can-be-kept"),
        pytest.param("one day", id="words"),
    ],
)
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(ValueError, match="duration|fraction"):
        parse_duration(text)


_DAYS = {"Y": 365, "M": 30, "W": 7, "D": 1}
_TIMES = {"H": 3600, "M": 60, "S": 1}
_counts = st.integers(0, 999)


@settings(deadline=None)
@given(
    date=st.dictionaries(st.sampled_from(list(_DAYS)), _counts),
    time=st.dictionaries(st.sampled_from(list(_TIMES)), _counts),
    prefix=st.sampled_from(["P", "p", ""]),
    lower=st.booleans(),
)
def test_every_part_counts_once_in_any_spelling(date, time, prefix, lower):
    text = "".join(f"{date[unit]}{unit}" for unit in _DAYS if unit in date)
    if time:
        text += "T" + "".join(f"{time[unit]}{unit}" for unit in _TIMES if unit in time)
    if not text:
        return
    days = sum(count * _DAYS[unit] for unit, count in date.items())
    seconds = sum(count * _TIMES[unit] for unit, count in time.items())
    text = text.lower() if lower else text
    assert parse_duration(prefix + text) == timedelta(seconds=days * 86400 + seconds)


@settings(deadline=None)
@given(st.text(alphabet="PTYMWDHSptymwdhs0123456789.,- ", max_size=20))
def test_any_text_is_a_duration_or_refused_and_a_duration_is_never_negative(text):
    try:
        assert parse_duration(text) >= timedelta(0)
    except ValueError as refused:
        assert text in str(refused)
