"""What an expression will be when its step starts: its kind always, its value where that is known already."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from workflows.definition.model import JSON
from workflows.preflight.service import Service

Kind: TypeAlias = Literal["string", "integer", "float", "boolean", "structure", "list", "map"]

SCALARS: frozenset[Kind] = frozenset({"string", "integer", "float", "boolean"})
ANYTHING: frozenset[Kind] = SCALARS | {"structure", "list", "map"}

# What the service model calls a type -> what an expression may be to stand there.
TAKEN: Mapping[str, frozenset[Kind]] = {
    "string": frozenset({"string"}),
    "integer": frozenset({"integer"}),
    "long": frozenset({"integer"}),
    "float": frozenset({"integer", "float"}),
    "double": frozenset({"integer", "float"}),
    "boolean": frozenset({"boolean"}),
    "structure": frozenset({"structure"}),
    "list": frozenset({"list"}),
    "map": frozenset({"map"}),
    "timestamp": SCALARS,
    "blob": SCALARS,
}
OF_PARAMETER: Mapping[str, Kind] = {
    "String": "string",
    "Integer": "integer",
    "Float": "float",
    "Boolean": "boolean",
}


@dataclass(frozen=True, kw_only=True)
class Value:
    """A value, or what is known of it."""

    kinds: frozenset[Kind]
    is_known: bool = False
    value: JSON = None  # where it is known
    choices: tuple[str, ...] = ()  # of a parameter: all that it may be
    prefix: str = ""  # of a string that is not known as a whole: what it begins with

    @property
    def text(self) -> str | None:
        """The value as a string has it, if it is known and a scalar."""
        if not self.is_known or isinstance(self.value, (dict, list)) or self.value is None:
            return None
        return joined(self.value)


UNKNOWN = Value(kinds=ANYTHING)
ANY_SCALAR = Value(kinds=SCALARS)


def literal(value: JSON) -> Value:
    """A value that stands in the document itself."""
    return Value(
        kinds=frozenset({kind_of(value)}) if value is not None else ANYTHING, is_known=True, value=value
    )


def kind_of(value: JSON) -> Kind:
    """The kind of a literal that is not null."""
    match value:
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "float"
        case str():
            return "string"
        case list():
            return "list"
    return "structure"


def joined(value: JSON) -> str:
    """A scalar as Std:Join writes it."""
    return value if isinstance(value, str) else json.dumps(value)


def of_shape(service: Service, shape: str) -> Value:
    """What a property of this shape will be."""
    kind = service.shapes[shape]["type"]
    if kind in ("timestamp", "blob"):
        return ANY_SCALAR
    kinds: Mapping[str, Kind] = {"long": "integer", "double": "float"}
    return Value(kinds=frozenset({kinds.get(kind, kind)}))
