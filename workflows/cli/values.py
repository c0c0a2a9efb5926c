"""Values of definitions and records, in a table for people."""

import json

from workflows.definition.model import JSON

# Longer ones are shown by their ends; --json has them whole.
_LONGEST = 60
ABSENT = "(none)"


def brief(value: JSON) -> str:
    """A value in one line, shortened in its middle where it is long."""
    if value is None:
        return ABSENT
    text = value if isinstance(value, str) else json.dumps(value)
    # A control character would run through the terminal.
    line = "".join(character if character.isprintable() else " " for character in text)
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 21]}…{line[-20:]}"


def size(count: int) -> str:
    """A number of bytes, in the unit that suits it: 1.5 MB."""
    value, unit = float(count), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if value < 1000:
            break
        value, unit = value / 1000, larger
    return f"{count} B" if unit == "B" else f"{value:.1f} {unit}"
