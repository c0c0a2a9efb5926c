"""The conditions of a condition step, as data.

All types that the SDK writes: Equals, GreaterThan, GreaterThanOrEqualTo, LessThan, LessThanOrEqualTo, In, Not
and Or. Operands are literals or expressions; what they become is nothing to this module.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from workflows.definition.errors import DefinitionError, did_you_mean
from workflows.definition.expressions import is_expression
from workflows.definition.fields import an_object, listed
from workflows.definition.model import JSON

COMPARISONS = ("Equals", "GreaterThan", "GreaterThanOrEqualTo", "LessThan", "LessThanOrEqualTo")
TYPES = (*COMPARISONS, "In", "Not", "Or")
# Only the published schema has these; the SDK, whose definitions the service is known to run, has not.
_NEGATED = {"NotEquals": "Equals", "NotIn": "In"}


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One of COMPARISONS."""

    type: str
    left: JSON
    right: JSON
    where: str


@dataclass(frozen=True, kw_only=True)
class Membership:
    """In: one value among several."""

    value: JSON
    among: tuple[JSON, ...]
    where: str


@dataclass(frozen=True, kw_only=True)
class Negation:
    """Not: the opposite of a condition."""

    condition: "Condition"


@dataclass(frozen=True, kw_only=True)
class Either:
    """Or: at least one of several conditions."""

    conditions: tuple["Condition", ...]


Condition: TypeAlias = Comparison | Membership | Negation | Either


def parse_conditions(node: JSON, *, where: str) -> tuple[Condition, ...]:
    """Read a list of conditions.

    Raises:
        DefinitionError: it is no list, or one of its conditions is malformed.
    """
    return tuple(
        parse_condition(item, where=f"{where}[{index}]") for index, item in enumerate(listed(node, where))
    )


def parse_condition(node: JSON, *, where: str) -> Condition:
    """Read one condition.

    Raises:
        DefinitionError: its type is not known, or a part is missing.
    """
    condition = an_object(node, where)
    kind = condition.get("Type")
    if kind == "Not":
        return Negation(
            condition=parse_condition(_part(condition, "Condition", where), where=f"{where}.Condition")
        )
    if kind == "Or":
        return _either(condition, where)
    if kind == "In":
        return _membership(condition, where)
    if kind in COMPARISONS:
        return Comparison(
            type=str(kind),
            left=_part(condition, "LeftValue", where),
            right=_part(condition, "RightValue", where),
            where=where,
        )
    raise DefinitionError(f"{where}: condition type {kind!r} is not known{_hint(kind)}")


def check_operands(condition: Condition) -> None:
    """Check that what is compared are single values or expressions.

    Raises:
        DefinitionError: with the place of the one that is neither.
    """
    if isinstance(condition, Negation):
        check_operands(condition.condition)
    elif isinstance(condition, Either):
        for each in condition.conditions:
            check_operands(each)
    else:
        operands = (
            (condition.left, condition.right)
            if isinstance(condition, Comparison)
            else (condition.value, *condition.among)
        )
        for operand in operands:
            if not isinstance(operand, (str, int, float)) and not is_expression(operand):
                raise DefinitionError(
                    f"{condition.where}: {operand!r} cannot be compared; give a string, a number, a Boolean "
                    "or an expression"
                )


def _hint(kind: JSON) -> str:
    if not isinstance(kind, str):
        return f"; known: {', '.join(TYPES)}"
    if kind in _NEGATED:
        positive = _NEGATED[kind]
        return f'; write {{"Type": "Not", "Condition": {{"Type": "{positive}", …}}}}'
    return did_you_mean(kind, TYPES)


def _either(condition: Mapping[str, JSON], where: str) -> Either:
    conditions = parse_conditions(_part(condition, "Conditions", where), where=f"{where}.Conditions")
    return Either(conditions=conditions)


def _membership(condition: Mapping[str, JSON], where: str) -> Membership:
    # The SDK writes QueryValue and Values, the published schema Value and In.
    value, among = ("Value", "In") if "In" in condition else ("QueryValue", "Values")
    values = listed(_part(condition, among, where), f"{where}.{among}")
    return Membership(value=_part(condition, value, where), among=tuple(values), where=where)


def _part(condition: Mapping[str, JSON], key: str, where: str) -> JSON:
    if key not in condition:
        raise DefinitionError(f"{where}: {condition['Type']} needs {key}")
    return condition[key]
