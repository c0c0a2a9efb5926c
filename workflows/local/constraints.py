"""What SageMaker demands of the fields of a request, checked as far as their values are known.

Before an execution starts a value may still be an expression: whatever it will be is checked by the step's
runner, with the same functions.
"""

import re
from collections.abc import Collection, Iterator

from workflows.definition.expressions import is_expression
from workflows.definition.model import JSON
from workflows.local.request import Request


def known(request: Request, path: str) -> JSON:
    """The value at a dotted path; None where it is missing, or where an earlier step decides it."""
    value = request.find(path)
    return None if is_expression(value) else value


def is_missing(request: Request, path: str) -> bool:
    """Whether there is neither a value nor an expression that may become one."""
    value: JSON = dict(request.fields)
    for part in path.split("."):
        if is_expression(value):
            return False
        if not isinstance(value, dict):
            return True
        value = value.get(part)
    return value is None


def one_of(request: Request, path: str, choices: Collection[str]) -> Iterator[str]:
    """Refuses any other value."""
    value = known(request, path)
    if value is not None and value not in choices:
        yield f"{request.where}.{path}: must be {' or '.join(choices)}, is {value!r}"


def whole_number(request: Request, path: str, lowest: int, highest: int | None = None) -> Iterator[str]:
    """Refuses what is no integer between the two, which are allowed; without `highest` there is no end."""
    value = known(request, path)
    if value is None:
        return
    if not isinstance(value, int) or isinstance(value, bool):
        yield f"{request.where}.{path}: must be a whole number, is {value!r}"
    elif value < lowest or (highest is not None and value > highest):
        bounds = f"at least {lowest}" if highest is None else f"from {lowest} to {highest}"
        yield f"{request.where}.{path}: must be {bounds}, is {value}"


def name(request: Request, path: str, pattern: str, *, longest: int) -> Iterator[str]:
    """Refuses a name that is too long or not of the service model's pattern."""
    value = known(request, path)
    if value is None:
        return
    if not isinstance(value, str) or not re.fullmatch(pattern, value):
        yield f"{request.where}.{path}: {value!r} must satisfy regular expression pattern: {pattern}"
    elif len(value) > longest:
        yield f"{request.where}.{path}: '{value}' has {len(value)} characters; at most {longest} are allowed"


def at_most(request: Request, path: str, count: int) -> Iterator[str]:
    """Refuses a list or a map with more entries."""
    value = known(request, path)
    if isinstance(value, (list, dict)) and len(value) > count:
        yield f"{request.where}.{path}: has {len(value)} entries; at most {count} are allowed"


def objects(request: Request, path: str) -> list[Request]:
    """The objects in a list whose entries are known."""
    value = known(request, path)
    items = value if isinstance(value, list) else []
    return [
        Request(item, f"{request.where}.{path}[{index}]")
        for index, item in enumerate(items)
        if isinstance(item, dict) and not is_expression(item)
    ]
