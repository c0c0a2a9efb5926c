"""Everything that the rules look at."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from workflows.definition.errors import DefinitionError, ParameterError
from workflows.definition.expressions import (
    EXECUTION,
    EXPERIMENT,
    PARAMETERS,
    STEPS,
    Get,
    is_expression,
    parse_get,
    parse_join,
)
from workflows.definition.model import JSON, Parameter
from workflows.definition.parameters import read_parameter, value_of
from workflows.preflight.data.inspection import Inspection
from workflows.preflight.document import RawStep, object_of, objects, steps_of, text_of
from workflows.preflight.prices import Prices
from workflows.preflight.properties import lead
from workflows.preflight.service import Service
from workflows.preflight.values import ANY_SCALAR, OF_PARAMETER, UNKNOWN, Value, literal

# An expression in a step's arguments may lead to an expression in another's, and so on.
_DEEPEST = 10
# The service's integers have 32 bits.
_LARGEST = 2**31 - 1
_STRING = Value(kinds=frozenset({"string"}))


@dataclass(frozen=True, kw_only=True)
class Policy:
    """What the user asks for beyond what the service does."""

    wants_kms_keys: bool = False
    max_cost: float | None = None  # in the currency of the price table


@dataclass(frozen=True, kw_only=True)
class Context:
    """A definition as it was written, and what is known around it."""

    text: str
    document: dict[str, JSON]
    given: Mapping[str, str]  # parameter values of the start
    service: Service
    prices: Prices
    policy: Policy = field(default_factory=Policy)
    data: Path | None = None  # folder with a folder for each channel
    inspection: Inspection | None = None  # what was found when the pictures in it were decoded

    @cached_property
    def steps(self) -> tuple[RawStep, ...]:
        """All steps in document order."""
        return tuple(steps_of(self.document.get("Steps")))

    @cached_property
    def by_name(self) -> Mapping[str, RawStep]:
        """The steps by name; of two with one name, the first."""
        return {step.name: step for step in reversed(self.steps) if step.name}

    @cached_property
    def parameters(self) -> Mapping[str, Parameter | None]:
        """The parameters by name; None for one that is malformed."""
        found: dict[str, Parameter | None] = {}
        for node, path in objects(self.document.get("Parameters"), ("Parameters",)):
            name = text_of(node.get("Name"))
            if name and name not in found:
                found[name] = _parameter(node, str(path))
        return found

    def of_type(self, *types: str) -> Iterable[RawStep]:
        """The steps of some types."""
        return (step for step in self.steps if step.type in types)

    def resolve(self, node: JSON, *, depth: int = 0) -> Value:
        """What a node will be; of a malformed expression nothing is known."""
        if not is_expression(node) or depth > _DEEPEST:
            return UNKNOWN if depth > _DEEPEST else literal(node)
        ((key, body),) = object_of(node).items()
        try:
            if key == "Std:JsonGet":
                return ANY_SCALAR
            return self._join(body, depth) if key == "Std:Join" else self._get(body, depth)
        except DefinitionError:
            return UNKNOWN

    def text_at(self, node: JSON) -> str | None:
        """The node's value as a string has it; None if it is not known, or absent."""
        return self.resolve(node).text

    def whole_number_at(self, node: JSON) -> int | None:
        """The node's value if it is known to be an integer, and one that the service could hold."""
        value = self.resolve(node)
        known = value.value if value.is_known else None
        if isinstance(known, bool) or not isinstance(known, int) or abs(known) > _LARGEST:
            return None
        return known

    def _get(self, body: JSON, depth: int) -> Value:
        get = parse_get(body, where="")
        if get.root == PARAMETERS:
            return self._parameter_value(get.name)
        if get.root in (EXECUTION, EXPERIMENT):
            return _STRING
        return self._property(get, depth) if get.root == STEPS else UNKNOWN

    def _property(self, get: Get, depth: int) -> Value:
        step = self.by_name.get(get.name)
        if step is None:
            return UNKNOWN
        found = lead(step, get.path[1:], self.service)
        argument = found.argument
        if argument is None or (isinstance(argument, (dict, list)) and not is_expression(argument)):
            return found.value
        return self.resolve(argument, depth=depth + 1)

    def _parameter_value(self, name: str) -> Value:
        parameter = self.parameters.get(name)
        if parameter is None:
            return UNKNOWN
        kinds = frozenset({OF_PARAMETER[parameter.type]})
        try:
            value = value_of(parameter, self.given.get(name))
        except ParameterError:
            return Value(kinds=kinds, choices=parameter.choices)
        return Value(kinds=kinds, is_known=True, value=value, choices=parameter.choices)

    def _join(self, body: JSON, depth: int) -> Value:
        separator, items = parse_join(body, where="")
        parts = [self.resolve(item, depth=depth + 1) for item in items]
        texts = [part.text for part in parts]
        if None not in texts:
            whole = separator.join(map(str, texts))
            return Value(kinds=_STRING.kinds, is_known=True, value=whole)
        first_unknown = texts.index(None)
        known = [str(text) + separator for text in texts[:first_unknown]]
        return Value(kinds=_STRING.kinds, prefix="".join(known) + parts[first_unknown].prefix)


def _parameter(node: Mapping[str, JSON], where: str) -> Parameter | None:
    try:
        return read_parameter(node, where)
    except DefinitionError:
        return None
