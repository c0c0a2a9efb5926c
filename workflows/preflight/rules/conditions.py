"""Conditions of condition steps, and whether what they compare can be compared."""

from collections.abc import Iterator

from workflows.definition.conditions import check_operands, parse_condition
from workflows.definition.model import JSON
from workflows.preflight.checks import Check
from workflows.preflight.context import Context
from workflows.preflight.document import list_of, object_of
from workflows.preflight.findings import Finding, Path, Rule, Severity
from workflows.preflight.placed import refused_by
from workflows.preflight.values import Value

_GUIDE = "SageMaker Developer Guide, Pipelines, condition step; SageMaker SDK, conditions"

MALFORMED = Rule(
    identifier="malformed-condition",
    severity=Severity.ERROR,
    title="A condition is of no known type, or lacks a part",
    why="The service refuses the definition.",
    source=_GUIDE,
    refused_here=True,
)
INCOMPARABLE = Rule(
    identifier="incomparable-values",
    severity=Severity.WARNING,
    title="A condition compares a string with a number",
    why="They are never equal, and an order between them does not exist: always one branch, or a failure.",
    source=_GUIDE,
)

_NUMBERS = frozenset({"integer", "float"})
_OTHERS = frozenset({"string", "boolean"})


def _find(context: Context) -> Iterator[Finding]:
    for step in context.of_type("Condition"):
        conditions, path = step.arguments.get("Conditions"), (*step.arguments_path, "Conditions")
        if not isinstance(conditions, list):
            fault = "Conditions is missing" if conditions is None else "Conditions must be a list"
            place = step.arguments_path if conditions is None else path
            yield MALFORMED.at(place, fault, "write a list of conditions")
        for index, node in enumerate(list_of(conditions)):
            found = list(_malformed(node, (*path, index)))
            yield from found or _incomparable(context, node, (*path, index))


CHECK = Check(rules=(MALFORMED, INCOMPARABLE), find=_find)


def _malformed(node: JSON, path: Path) -> Iterator[Finding]:
    yield from refused_by(
        lambda: check_operands(parse_condition(node, where="")), MALFORMED, path, "write it as the SDK does"
    )


def _incomparable(context: Context, node: JSON, path: Path) -> Iterator[Finding]:
    condition = object_of(node)
    if condition.get("Type") == "Not":
        yield from _incomparable(context, condition.get("Condition"), (*path, "Condition"))
        return
    for index, each in enumerate(list_of(condition.get("Conditions"))):
        yield from _incomparable(context, each, (*path, "Conditions", index))
    if "LeftValue" in condition:
        left, right = context.resolve(condition["LeftValue"]), context.resolve(condition.get("RightValue"))
        if _differ(left, right) or _differ(right, left):
            yield INCOMPARABLE.at(
                path,
                f"LeftValue is {_kinds(left)}, RightValue is {_kinds(right)}",
                "compare numbers with numbers and strings with strings",
            )


def _differ(one: Value, other: Value) -> bool:
    return one.kinds <= _NUMBERS and other.kinds <= _OTHERS


def _kinds(value: Value) -> str:
    return " or ".join(sorted(value.kinds))
