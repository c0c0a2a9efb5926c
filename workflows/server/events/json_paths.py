"""The JSON paths that targets may use on an event: `$`, then fields by name and items by number.

Source: EventBridge User Guide, "Amazon EventBridge input transformation". Filters, slices and wild cards are
not allowed there either.
"""

import json
import re
from collections.abc import Mapping

from workflows.definition.model import JSON

_PATH = re.compile(r"\$((?:\.[A-Za-z0-9_\-]+|\[\d+\]|\['[^'\]]+'\])*)")
_PART = re.compile(r"\.([A-Za-z0-9_\-]+)|\[(\d+)\]|\['([^'\]]+)'\]")


class NoSuchValue(Exception):
    """An event has nothing at a path."""


def is_path(text: str) -> bool:
    """Whether a text is such a path."""
    return _PATH.fullmatch(text) is not None


def at(event: Mapping[str, JSON], path: str) -> JSON:
    """The value at a path.

    Raises:
        NoSuchValue: there is none, or the path is malformed.
    """
    found = _PATH.fullmatch(path)
    if found is None:
        raise NoSuchValue(f"{path} is not a JSON path")
    value: JSON = dict(event)
    for part in _PART.finditer(found[1]):
        field, index = part[1] or part[3], part[2]
        if field is not None and isinstance(value, dict) and field in value:
            value = value[field]
        elif index is not None and isinstance(value, list) and int(index) < len(value):
            value = value[int(index)]
        else:
            raise NoSuchValue(f"the event has nothing at {path}")
    return value


def text(value: JSON) -> str:
    """A value as a pipeline's parameter takes it: a string as it is, everything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value)
