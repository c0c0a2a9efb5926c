"""Event patterns: which events a rule is for. Pure functions.

Source: EventBridge User Guide, "Amazon EventBridge event patterns" and "Comparison operators".
"""

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from ipaddress import ip_address, ip_network
from itertools import pairwise

from workflows.definition.model import JSON
from workflows.server.documents import parse_json
from workflows.server.errors import AwsError

Pattern = Mapping[str, JSON]
_OR = "$or"
# The service's own limits of numbers in patterns.
_LARGEST = 5.0e9
_COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    "<": lambda value, limit: value < limit,
    "<=": lambda value, limit: value <= limit,
    "=": lambda value, limit: value == limit,
    ">=": lambda value, limit: value >= limit,
    ">": lambda value, limit: value > limit,
}
_TEXT_OPERATORS = ("prefix", "suffix", "equals-ignore-case", "wildcard")
_NOTHING: tuple[JSON, ...] = ()


def read_pattern(text: str) -> Pattern:
    """A pattern from its JSON.

    Raises:
        AwsError: InvalidEventPatternException with the reason.
    """
    try:
        pattern = parse_json(text)
    except ValueError:
        raise _invalid("it is not JSON") from None
    if not isinstance(pattern, dict) or not pattern:
        raise _invalid("it must be an object that is not empty")
    _check_object(pattern, "")
    return pattern


def matches(pattern: Pattern, event: Mapping[str, JSON]) -> bool:
    """Whether an event is one that a pattern, of `read_pattern`, is for.

    A list in the event matches if one of its items does; one of objects, if one object does by itself.
    """
    return all(_field_matches(key, wanted, event) for key, wanted in pattern.items())


def _field_matches(key: str, wanted: JSON, event: Mapping[str, JSON]) -> bool:
    if key == _OR and isinstance(wanted, list):
        return any(matches(choice, event) for choice in wanted if isinstance(choice, dict))
    if isinstance(wanted, dict):
        return any(matches(wanted, item) for item in _objects(event.get(key)))
    values = _leaves(event[key]) if key in event else _NOTHING
    return isinstance(wanted, list) and any(_matcher_matches(matcher, values) for matcher in wanted)


def _objects(value: JSON) -> list[dict[str, JSON]]:
    """The objects that a field holds; an empty one where there is none: patterns may ask for what is not."""
    if isinstance(value, list) and value:
        return [found for item in value for found in _objects(item)]
    return [value if isinstance(value, dict) else {}]


def _leaves(value: JSON) -> tuple[JSON, ...]:
    """The single values of a field: none of an object, those of its items of a list."""
    if isinstance(value, list):
        return tuple(leaf for item in value for leaf in _leaves(item))
    return _NOTHING if isinstance(value, dict) else (value,)


def _matcher_matches(matcher: JSON, values: Sequence[JSON]) -> bool:
    if not isinstance(matcher, dict):
        return any(_same(matcher, value) for value in values)
    if "exists" in matcher:
        return bool(values) is matcher["exists"]
    return any(
        _operator_matches(operator, operand, value)
        for operator, operand in matcher.items()
        for value in values
    )


def _operator_matches(operator: str, operand: JSON, value: JSON) -> bool:
    if operator == "anything-but":
        return not _is_one_of(operand, value)
    if operator == "numeric":
        return _in_range(operand, value)
    if operator == "cidr":
        return isinstance(value, str) and _in_network(str(operand), value)
    return isinstance(value, str) and _text_matches(operator, operand, value)


def _is_one_of(operand: JSON, value: JSON) -> bool:
    if isinstance(operand, dict):
        return any(_text_in(operator, wanted, value) for operator, wanted in operand.items())
    choices = operand if isinstance(operand, list) else [operand]
    return any(_same(choice, value) for choice in choices)


def _text_in(operator: str, wanted: JSON, value: JSON) -> bool:
    choices = wanted if isinstance(wanted, list) else [wanted]
    return isinstance(value, str) and any(_text_matches(operator, choice, value) for choice in choices)


def _text_matches(operator: str, operand: JSON, value: str) -> bool:
    if isinstance(operand, dict):
        operand, value = str(operand["equals-ignore-case"]).lower(), value.lower()
    text = str(operand)
    if operator == "prefix":
        return value.startswith(text)
    if operator == "suffix":
        return value.endswith(text)
    if operator == "wildcard":
        return _fits(_literals(text), value)
    return value.lower() == text.lower()


@cache
def _literals(text: str) -> tuple[str, ...]:
    """What stands before, between and behind the stars; a backslash makes one a character like others."""
    literals = [""]
    for part in re.findall(r"\\[*\\]|\*|[^*\\]+|\\", text):
        if part == "*":
            literals.append("")
        else:
            literals[-1] += part[-1] if part[0] == "\\" else part
    return tuple(literals)


def _fits(literals: Sequence[str], value: str) -> bool:
    """Whether a value consists of these texts with anything in between.

    Each where it comes first: a regular expression would try every other place, too, star by star.
    """
    first, *others = literals
    if not others:
        return value == first
    *between, last = others
    place, end = len(first), len(value) - len(last)
    if end < place or not value.startswith(first) or not value.endswith(last):
        return False
    for text in between:
        found = value.find(text, place, end)
        if found < 0:
            return False
        place = found + len(text)
    return True


def _same(wanted: JSON, value: JSON) -> bool:
    # To Python True is 1, to JSON it is not.
    return isinstance(wanted, bool) == isinstance(value, bool) and wanted == value


def _in_range(operand: JSON, value: JSON) -> bool:
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not isinstance(operand, list):
        return False
    return all(
        _COMPARISONS[str(sign)](value, limit)
        for sign, limit in zip(operand[::2], operand[1::2], strict=True)
        if isinstance(limit, (int, float))
    )


def _in_network(network: str, value: str) -> bool:
    try:
        return ip_address(value) in ip_network(network, strict=False)
    except ValueError:
        return False


def _check_object(pattern: Pattern, where: str) -> None:
    for key, wanted in pattern.items():
        place = f"{where}.{key}" if where else key
        if key == _OR:
            _check_or(wanted, place)
        elif isinstance(wanted, dict):
            if not wanted:
                raise _invalid(f"'{place}' is an empty object")
            _check_object(wanted, place)
        elif isinstance(wanted, list) and wanted:
            for matcher in wanted:
                _check_matcher(matcher, place)
        else:
            raise _invalid(f"'{place}' must be an object or a list that is not empty")


def _check_or(wanted: JSON, where: str) -> None:
    if not isinstance(wanted, list) or len(wanted) < 2:
        raise _invalid(f"'{where}' must be a list of two or more objects")
    for choice in wanted:
        if not isinstance(choice, dict) or not choice:
            raise _invalid(f"'{where}' must be a list of objects that are not empty")
        _check_object(choice, where)


def _check_matcher(matcher: JSON, where: str) -> None:
    if isinstance(matcher, list):
        raise _invalid(f"'{where}': a list in a list")
    if not isinstance(matcher, dict):
        return
    if len(matcher) != 1:
        raise _invalid(f"'{where}': only one operator can stand in an object, not {len(matcher)}")
    for fault in _operator_faults(*next(iter(matcher.items()))):
        raise _invalid(f"'{where}': {fault}")


def _operator_faults(operator: str, operand: JSON) -> Iterator[str]:
    if operator == "exists":
        if not isinstance(operand, bool):
            yield "exists must be true or false"
    elif operator == "numeric":
        yield from _numeric_faults(operand)
    elif operator == "anything-but":
        yield from _anything_but_faults(operand)
    elif operator == "cidr":
        yield from _cidr_faults(operand)
    elif operator in _TEXT_OPERATORS:
        if not _is_text(operator, operand):
            yield f"{operator} must be a string"
    else:
        yield f"Unrecognized match type {operator}"


def _is_text(operator: str, operand: JSON) -> bool:
    if isinstance(operand, dict) and operator in ("prefix", "suffix"):
        return list(operand) == ["equals-ignore-case"] and isinstance(operand["equals-ignore-case"], str)
    # Two stars side by side are one; the service refuses them.
    return isinstance(operand, str) and not (operator == "wildcard" and ("*", "*") in pairwise(operand))


def _numeric_faults(operand: JSON) -> Iterator[str]:
    if not isinstance(operand, list) or len(operand) not in (2, 4):
        yield "numeric must be a list of one or two comparisons with their numbers"
        return
    for sign, limit in zip(operand[::2], operand[1::2], strict=True):
        if sign not in _COMPARISONS:
            yield f"Unrecognized numeric range operator: {sign}"
        elif not isinstance(limit, (int, float)) or isinstance(limit, bool):
            yield f"{sign} needs a number, not {limit!r}"
        elif not math.isfinite(limit) or abs(limit) > _LARGEST:
            yield f"{limit} is not between {-_LARGEST} and {_LARGEST}"


def _anything_but_faults(operand: JSON) -> Iterator[str]:
    if isinstance(operand, dict):
        for operator, wanted in operand.items():
            choices = wanted if isinstance(wanted, list) else [wanted]
            if operator not in _TEXT_OPERATORS or not all(isinstance(choice, str) for choice in choices):
                yield f"anything-but does not take {operator}"
        if len(operand) != 1:
            yield "anything-but takes one operator"
    elif isinstance(operand, list) and (
        not operand or any(isinstance(item, (dict, list)) for item in operand)
    ):
        yield "anything-but must be a value, or a list of values that is not empty"


def _cidr_faults(operand: JSON) -> Iterator[str]:
    try:
        ip_network(str(operand), strict=False)
    except ValueError:
        yield f"{operand!r} is no range of IP addresses"


def _invalid(reason: str) -> AwsError:
    return AwsError("InvalidEventPatternException", f"Event pattern is not valid. Reason: {reason}")
