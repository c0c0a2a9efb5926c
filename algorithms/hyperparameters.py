"""A built-in algorithm's hyperparameters as data, and the check of a job's values against them.

Standard library only, so that whatever prepares a job can read the same table that the algorithm obeys.
"""

import math
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal

Kind = Literal["integer", "float", "choice", "epochs", "regex", "text"]

_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,2})?")


@dataclass(frozen=True, kw_only=True)
class Hyperparameter:
    """One hyperparameter; values are strings, because CreateTrainingJob has no other type.

    `kind` is one of: integer, float, choice (one of `choices`), epochs (comma separated positive integers, or
    empty), regex (or empty), text (anything). `low` and `high` bound the two number kinds; an open bound is
    not itself allowed.
    """

    name: str
    kind: Kind
    default: str | None = None  # None: the job must give a value
    low: float = -math.inf
    high: float = math.inf
    low_open: bool = False
    high_open: bool = False
    choices: tuple[str, ...] = ()
    documented: bool = True
    # What only the stand-in takes, so that a small machine can train at all.
    local_choices: tuple[str, ...] = ()
    local_low: float | None = None

    @property
    def required(self) -> bool:
        """Whether a job without a value for it is refused."""
        return self.default is None

    @property
    def allowed(self) -> str:
        """The values that SageMaker takes, in words."""
        match self.kind:
            case "choice":
                return "one of " + ", ".join(f"'{choice}'" for choice in self.choices)
            case "epochs":
                return "epochs separated by commas, such as '10, 20'"
            case "regex":
                return "a regular expression"
            case "text":
                return "text"
        number = "an integer" if self.kind == "integer" else "a number"
        return " and ".join([number, *self._bounds()])

    def fault(self, value: str) -> str | None:
        """What is wrong with the value, by SageMaker's rules; None if nothing is."""
        if self._well_formed(value, self.choices, self.low):
            return None
        near = get_close_matches(value, self.choices, n=1)
        hint = f"; did you mean '{near[0]}'?" if near else ""
        return f"{self.name}='{value}' must be {self.allowed}{hint}"

    def taken_locally(self, value: str) -> bool:
        """Whether the stand-in takes the value although SageMaker's image would refuse it."""
        low = self.low if self.local_low is None else self.local_low
        return self._well_formed(value, self.choices + self.local_choices, low)

    def _bounds(self) -> Iterable[str]:
        if math.isfinite(self.low):
            yield f"{'above' if self.low_open else 'at least'} {self.low:g}"
        if math.isfinite(self.high):
            yield f"{'below' if self.high_open else 'at most'} {self.high:g}"

    def _well_formed(self, value: str, choices: Collection[str], low: float) -> bool:
        match self.kind:
            case "integer":
                return bool(_INTEGER.fullmatch(value)) and self._in_range(int(value), low)
            case "float":
                number = _number(value)
                return number is not None and self._in_range(number, low)
            case "choice":
                return value in choices
            case "epochs":
                return not value.strip() or all(_is_epoch(part) for part in value.split(","))
            case "regex":
                return _is_regex(value)
        return True

    def _in_range(self, number: float, low: float) -> bool:
        above = number > low if self.low_open else number >= low
        below = number < self.high if self.high_open else number <= self.high
        return above and below


@dataclass(frozen=True)
class Checked:
    """A job's hyperparameters after the check."""

    values: Mapping[str, str]  # defaults merged with what the job gives
    faults: tuple[str, ...]  # all of them, so that a job is corrected once
    warnings: tuple[str, ...]


def check(table: Iterable[Hyperparameter], given: Mapping[str, str]) -> Checked:
    """Merge a job's hyperparameters with the defaults and find every fault.

    Args:
        table: the algorithm's hyperparameters.
        given: name -> value, as the job sends them.
    """
    known = {entry.name: entry for entry in table}
    faults = [_unknown(name, known) for name in given if name not in known]
    faults += [f"{name} is required" for name, entry in known.items() if entry.required and name not in given]
    warnings = []
    for name, value in given.items():
        fault = known[name].fault(value) if name in known else None
        if fault is None:
            continue
        if known[name].taken_locally(value):
            warnings.append(
                f"{name}='{value}' accepted on this machine only; SageMaker's image refuses it "
                f"(it must be {known[name].allowed})"
            )
        else:
            faults.append(fault)
    defaults = {name: entry.default for name, entry in known.items() if entry.default is not None}
    return Checked(values={**defaults, **given}, faults=tuple(faults), warnings=tuple(warnings))


def parse_epochs(value: str) -> tuple[int, ...]:
    """The epochs of a well-formed value of kind epochs, ascending."""
    return tuple(sorted(int(part) for part in value.split(","))) if value.strip() else ()


def _unknown(name: str, known: Collection[str]) -> str:
    near = get_close_matches(name, known, n=1)
    hint = f"; did you mean '{near[0]}'?" if near else ""
    return f"there is no hyperparameter '{name}'{hint}"


def _number(value: str) -> float | None:
    # float() alone would also take 1_000, surrounding spaces, nan and digits of other scripts.
    return float(value) if _NUMBER.fullmatch(value) else None


def _is_epoch(part: str) -> bool:
    return bool(_INTEGER.fullmatch(part.strip())) and int(part) > 0


def _is_regex(value: str) -> bool:
    try:
        re.compile(value)
    except re.error:
        return False
    return True
