"""Values of definitions and records, in a table for people."""

import json
from itertools import takewhile

from workflows.definition.model import JSON

# Longer ones are shown by their ends; --json has them whole.
_LONGEST = 60
# Characters before the first one that differs.
_LEAD = 15
ABSENT = "(none)"


def brief(value: JSON) -> str:
    """A value in one line, shortened in its middle where it is long."""
    line = _line(value)
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 21]}…{line[-20:]}"


def brief_change(before: JSON, after: JSON) -> tuple[str, str]:
    """Two values that differ; of long ones, what they begin with alike is left out."""
    lines = [_line(before), _line(after)]
    alike = takewhile(lambda pair: pair[0] == pair[1], zip(*lines, strict=False))
    start = len(list(alike)) - _LEAD
    if start > 0 and max(map(len, lines)) > _LONGEST:
        lines = [f"…{line[start:]}" for line in lines]
    return brief(lines[0]), brief(lines[1])


def _line(value: JSON) -> str:
    if value is None:
        return ABSENT
    text = value if isinstance(value, str) else json.dumps(value)
    # A control character would change what the terminal shows.
    return "".join(character if character.isprintable() else " " for character in text)


def size(count: int) -> str:
    """A number of bytes, in the unit that suits it: 1.5 MB."""
    value, unit = float(count), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if value < 1000:
            break
        value, unit = value / 1000, larger
    return f"{count} B" if unit == "B" else f"{value:.1f} {unit}"
