"""The output parameters of Lambda and Callback steps: flat values of declared types.

Source: SageMaker Developer Guide, Lambda step and Callback step; the limits are those of the service model.
"""

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from workflows.definition.errors import WorkflowError
from workflows.definition.model import JSON, Scalar
from workflows.local import constraints
from workflows.local.request import Request

MOST = 50
LONGEST_VALUE = 1024
_LONGEST_NAME = 256
_FIELD = "OutputParameters"


class OutputError(WorkflowError):
    """A value is too long or not of its declared type."""


@dataclass(frozen=True)
class OutputParameter:
    """One declared output."""

    name: str
    type: str  # String, Integer, Float or Boolean

    def read(self, value: JSON) -> Scalar:
        """The value as its declared type; what is nested becomes one string of JSON, as in the service.

        Raises:
            OutputError: it is not of this type, or too long.
        """
        text = value if isinstance(value, str) else json.dumps(value)
        if len(text) > LONGEST_VALUE:
            raise OutputError(
                f"output '{self.name}' has {len(text)} characters; at most {LONGEST_VALUE} are allowed"
            )
        try:
            return _READERS[self.type](text)
        except ValueError:
            raise OutputError(
                f"output '{self.name}' is declared as {self.type}, but is {text[:80]!r}"
            ) from None


def declared(fields: Request) -> list[OutputParameter]:
    """The outputs that a step declares, beside its arguments.

    Raises:
        RequestError: a declaration is malformed.
    """
    return [
        OutputParameter(entry.text("OutputName"), entry.text("OutputType", "String"))
        for entry in fields.requests(_FIELD)
    ]


def properties(values: Mapping[str, Scalar]) -> dict[str, JSON]:
    """What later steps find: Steps.NAME.OutputParameters['x']."""
    return {_FIELD: dict(values)}


def listed(values: Mapping[str, Scalar]) -> list[JSON]:
    """As the step's metadata show them: [{Name, Value}], every value a string."""
    return [{"Name": name, "Value": as_text(value)} for name, value in values.items()]


def as_text(value: Scalar) -> str:
    """A value as the service writes it down."""
    return value if isinstance(value, str) else json.dumps(value)


def refusals(fields: Request) -> Iterator[str]:
    """What is wrong with a step's declarations."""
    yield from constraints.at_most(fields, _FIELD, MOST)
    entries = constraints.objects(fields, _FIELD)
    for entry in entries:
        if constraints.is_missing(entry, "OutputName"):
            yield f"{entry.where}: OutputName is missing"
        yield from constraints.name(entry, "OutputName", r".+", longest=_LONGEST_NAME)
        yield from constraints.one_of(entry, "OutputType", tuple(_READERS))
    names = [name for entry in entries if isinstance(name := constraints.known(entry, "OutputName"), str)]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"{fields.where}.{_FIELD}: two outputs are named '{name}'; names must be unique"


def _integer(text: str) -> int:
    if not re.fullmatch(r"[+-]?\d+", text, re.ASCII):
        raise ValueError(text)
    return int(text)


def _float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


def _boolean(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError(text)
    return text.lower() == "true"


_READERS: Mapping[str, Callable[[str], Scalar]] = {
    "String": str,
    "Integer": _integer,
    "Float": _float,
    "Boolean": _boolean,
}
