"""Whether the conditions of a condition step hold, with every expression resolved."""

from collections.abc import Callable, Mapping
from operator import eq, ge, gt, le, lt
from typing import Any

from workflows.definition.conditions import (
    Comparison,
    Condition,
    Either,
    Membership,
    Negation,
    parse_condition,
    parse_conditions,
)
from workflows.definition.errors import UnresolvedValue
from workflows.definition.model import JSON

_OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {
    "Equals": eq,
    "GreaterThan": gt,
    "GreaterThanOrEqualTo": ge,
    "LessThan": lt,
    "LessThanOrEqualTo": le,
}
_NUMBER, _STRING, _BOOLEAN = "a number", "a string", "a Boolean"


def holds(condition: JSON, *, where: str) -> bool:
    """Whether one condition is true.

    Raises:
        UnresolvedValue: values that cannot be compared.
        DefinitionError: a kind of condition that is not known.
    """
    return _holds(parse_condition(condition, where=where))


def all_of(conditions: JSON, *, where: str) -> list[bool]:
    """The outcome of each condition in a list; raises as `holds` does."""
    return [_holds(condition) for condition in parse_conditions(conditions, where=where)]


def _holds(condition: Condition) -> bool:
    if isinstance(condition, Negation):
        return not _holds(condition.condition)
    if isinstance(condition, Either):
        # Each one is looked at, so that a comparison that cannot be made does not hide behind a true one.
        outcomes = [_holds(each) for each in condition.conditions]
        return any(outcomes)
    if isinstance(condition, Membership):
        return _is_member(condition)
    return _compare(condition)


def _compare(condition: Comparison) -> bool:
    left, right, where = condition.left, condition.right, condition.where
    kinds = {_kind(left), _kind(right)}
    if len(kinds) > 1 or None in kinds:
        raise UnresolvedValue(
            f"{where}: cannot compare {left!r} with {right!r}; both must be numbers, both strings or both "
            "Booleans"
        )
    if condition.type != "Equals" and _BOOLEAN in kinds:
        raise UnresolvedValue(f"{where}: Booleans have no order, so {condition.type} cannot compare them")
    return _OPERATORS[condition.type](left, right)


def _is_member(condition: Membership) -> bool:
    kind = _kind(condition.value)
    comparable = [value for value in condition.among if kind is not None and _kind(value) == kind]
    if condition.among and not comparable:
        raise UnresolvedValue(
            f"{condition.where}: cannot look for {condition.value!r} among {list(condition.among)!r}; it "
            "must be of the type of one of them"
        )
    return condition.value in comparable


def _kind(value: JSON) -> str | None:
    """What a value can be compared with; None: nothing."""
    if isinstance(value, bool):
        return _BOOLEAN
    if isinstance(value, (int, float)):
        return _NUMBER
    return _STRING if isinstance(value, str) else None
