"""A hyperparameter of a built-in algorithm as data."""

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from workflows.definition.errors import did_you_mean

Kind = Literal["integer", "float", "choice", "epochs", "regex", "shape", "text"]

_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,2})?")
_SHAPE = re.compile(r"\s*([0-9]{1,5})\s*,\s*([0-9]{1,5})\s*,\s*([0-9]{1,5})\s*")


@dataclass(frozen=True, kw_only=True)
class Hyperparameter:
    """What a hyperparameter takes; values are strings, because CreateTrainingJob has no other type.

    `kind` is one of: integer, float, choice (one of `choices`), epochs (comma separated positive integers, or
    empty), regex (or empty), shape (channels,height,width), text. An open bound is not itself allowed.
    """

    name: str
    kind: Kind
    default: str | None = None  # None: there is none
    required: bool = False
    low: float = -math.inf
    high: float = math.inf
    low_open: bool = False
    high_open: bool = False
    choices: tuple[str, ...] = ()
    # The optimizers that it has an effect with; empty: it does not depend on them.
    optimizers: tuple[str, ...] = ()
    # What the stand-in on this machine takes beside that.
    choices_here: tuple[str, ...] = ()
    low_here: float | None = None

    def fault(self, value: str) -> str | None:
        """What is wrong with a value by SageMaker's rules; None if nothing is."""
        if self._takes(value, self.choices, self.low):
            return None
        return f"{self.name}={value!r} must be {self.allowed}{did_you_mean(value, self.choices)}"

    def is_taken_here(self, value: str) -> bool:
        """Whether the stand-in on this machine takes the value."""
        low = self.low if self.low_here is None else self.low_here
        return self._takes(value, self.choices + self.choices_here, low)

    @property
    def allowed(self) -> str:
        """The values that it takes, in words."""
        match self.kind:
            case "choice":
                return f"one of {', '.join(self.choices)}"
            case "epochs":
                return "epochs separated by commas, such as 10,20"
            case "regex":
                return "a regular expression"
            case "shape":
                return "channels,height,width, such as 3,224,224"
            case "text":
                return "text"
        number = "an integer" if self.kind == "integer" else "a number"
        return " and ".join([number, *self._bounds()])

    def _bounds(self) -> Iterable[str]:
        if math.isfinite(self.low):
            yield f"{'above' if self.low_open else 'at least'} {self.low:g}"
        if math.isfinite(self.high):
            yield f"{'below' if self.high_open else 'at most'} {self.high:g}"

    def _takes(self, value: str, choices: tuple[str, ...], low: float) -> bool:
        match self.kind:
            case "integer":
                return bool(_INTEGER.fullmatch(value)) and self._is_between(int(value), low)
            case "float":
                return bool(_NUMBER.fullmatch(value)) and self._is_between(float(value), low)
            case "choice":
                return value in choices
            case "epochs":
                return not value.strip() or all(_is_epoch(part) for part in value.split(","))
            case "regex":
                return _is_regex(value)
            case "shape":
                shape = parse_shape(value)
                return shape is not None and 0 not in shape
        return True

    def _is_between(self, number: float, low: float) -> bool:
        above = number > low if self.low_open else number >= low
        return above and (number < self.high if self.high_open else number <= self.high)


def parse_shape(value: str) -> tuple[int, int, int] | None:
    """Channels, height and width in pixels; None if the text has another form."""
    found = _SHAPE.fullmatch(value)
    return (int(found[1]), int(found[2]), int(found[3])) if found else None


def parse_epochs(value: str) -> list[int]:
    """The epochs in a well-formed value of kind epochs."""
    return [int(part) for part in value.split(",")] if value.strip() else []


def _is_epoch(part: str) -> bool:
    return bool(_INTEGER.fullmatch(part.strip())) and int(part) > 0


def _is_regex(value: str) -> bool:
    try:
        re.compile(value)
    except re.error:
        return False
    return True
