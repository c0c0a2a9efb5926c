"""Durations as a step's ExpireAfter holds them: ISO 8601, and the looser spellings of the service's samples.

Source: SageMaker Developer Guide, "Caching pipeline steps", whose samples read 30d, P30D, 4DT12H and T16m.
"""

import re
from datetime import timedelta

# A month and a year have no fixed length. As nothing says from which date the service counts them, they are
# taken as 30 and 365 days.
_DAYS = {"years": 365, "months": 30, "weeks": 7, "days": 1}
_SECONDS = {"hours": 3600, "minutes": 60, "seconds": 1}
_NUMBER = r"\d{1,9}(?:[.,]\d{1,9})?"
_DURATION = re.compile(
    r"P?"
    rf"(?:(?P<years>{_NUMBER})Y)?(?:(?P<months>{_NUMBER})M)?(?:(?P<weeks>{_NUMBER})W)?(?:(?P<days>{_NUMBER})D)?"
    rf"(?:T(?=\d)(?:(?P<hours>{_NUMBER})H)?(?:(?P<minutes>{_NUMBER})M)?(?:(?P<seconds>{_NUMBER})S)?)?",
    re.IGNORECASE | re.ASCII,
)


def parse_duration(text: str) -> timedelta:
    """Read a duration: a month counts as 30 days, a year as 365.

    Raises:
        ValueError: the text is none, or longer than a timedelta can be.
    """
    found = _DURATION.fullmatch(text)
    parts = {name: part for name, part in found.groupdict().items() if part} if found else {}
    if not parts:
        raise ValueError(f"'{text}' is no duration such as P30D, PT1H or P4DT12H")
    if any("." in _point(part) for part in list(parts.values())[:-1]):
        # ISO 8601 allows a fraction in the smallest part only.
        raise ValueError(f"'{text}' has a fraction before its last part")
    try:
        return timedelta(
            days=sum(float(_point(parts.get(name, "0"))) * days for name, days in _DAYS.items()),
            seconds=sum(float(_point(parts.get(name, "0"))) * seconds for name, seconds in _SECONDS.items()),
        )
    except OverflowError:
        raise ValueError(f"'{text}' is longer than any duration that can be kept") from None


def _point(number: str) -> str:
    return number.replace(",", ".")
