"""In which line of a definition's text a place is."""

import json
import re

from workflows.preflight.findings import Path

_DECODER = json.JSONDecoder()
_BLANKS = re.compile(r"[ \t\r\n]*")


def line_of(text: str, path: Path) -> int:
    """The line, from 1, in which a place begins; of one that is absent, that of what is around it.

    Args:
        text: JSON that can be parsed.
        path: the place in it.
    """
    position = _after_blanks(text, 0)
    for part in path:
        inside = _member(text, position, str(part)) if text[position] == "{" else _entry(text, position, part)
        if inside is None:
            break
        position = inside
    return text.count("\n", 0, position) + 1


def _member(text: str, start: int, key: str) -> int | None:
    """Where a member's value begins; of one that stands twice, the last."""
    found, position = None, _after_blanks(text, start + 1)
    while text[position] == '"':
        name, end = _DECODER.raw_decode(text, position)
        value = _after_blanks(text, _after_blanks(text, end) + 1)
        if name == key:
            found = value
        position = _next(text, value)
    return found


def _entry(text: str, start: int, index: str | int) -> int | None:
    if text[start] != "[" or not isinstance(index, int):
        return None
    position = _after_blanks(text, start + 1)
    for _ in range(index):
        if text[position] == "]":
            return None
        position = _next(text, position)
    return None if text[position] == "]" else position


def _next(text: str, value: int) -> int:
    """Where what follows a value begins."""
    _, end = _DECODER.raw_decode(text, value)
    end = _after_blanks(text, end)
    return _after_blanks(text, end + 1) if text[end] == "," else end


def _after_blanks(text: str, position: int) -> int:
    blanks = _BLANKS.match(text, position)
    return blanks.end() if blanks else position
