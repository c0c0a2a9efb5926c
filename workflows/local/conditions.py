"""The comparisons of a condition step, with every expression resolved."""

from collections.abc import Callable, Mapping
from operator import eq, ge, gt, le, lt
from typing import Any

from workflows.definition.errors import DefinitionError, UnresolvedValue
from workflows.definition.model import JSON

_COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "Equals": eq,
    "GreaterThan": gt,
    "GreaterThanOrEqualTo": ge,
    "LessThan": lt,
    "LessThanOrEqualTo": le,
}
KNOWN_TYPES = (*_COMPARISONS, "In", "Not", "Or")


def holds(condition: JSON, *, where: str) -> bool:
    """Whether one condition is true.

    Raises:
        UnresolvedValue: values that cannot be compared.
        DefinitionError: a kind of condition that is not known.
    """
    if not isinstance(condition, dict):
        raise DefinitionError(f"{where}: a condition is an object")
    kind = condition.get("Type")
    if kind == "Not":
        return not holds(condition.get("Condition"), where=f"{where}.Condition")
    if kind == "Or":
        return any(all_of(condition.get("Conditions"), where=f"{where}.Conditions"))
    if kind == "In":
        # The SDK writes QueryValue and Values, the published schema Value and In.
        values = condition.get("Values", condition.get("In"))
        return condition.get("QueryValue", condition.get("Value")) in (
            values if isinstance(values, list) else []
        )
    if not isinstance(kind, str) or kind not in _COMPARISONS:
        raise DefinitionError(f"{where}: condition type {kind!r} is none of {', '.join(KNOWN_TYPES)}")
    return _compare(kind, condition.get("LeftValue"), condition.get("RightValue"), where)


def all_of(conditions: JSON, *, where: str) -> list[bool]:
    """The outcome of each condition in a list."""
    if not isinstance(conditions, list):
        raise DefinitionError(f"{where}: must be a list of conditions")
    return [holds(condition, where=f"{where}[{index}]") for index, condition in enumerate(conditions)]


def _compare(kind: str, left: JSON, right: JSON, where: str) -> bool:
    numbers = all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in (left, right))
    if not numbers and type(left) is not type(right):
        raise UnresolvedValue(
            f"{where}: cannot compare {left!r} with {right!r}; both must be numbers or both strings"
        )
    return _COMPARISONS[kind](left, right)
