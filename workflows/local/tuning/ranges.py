"""The ranges of a search: which values a hyperparameter may take, and how they are spread.

Every range maps a share between 0 and 1 to a value, so that whoever draws shares evenly draws values as the
range's scaling wants them. Values are strings, as all hyperparameters are.

Source: SageMaker Developer Guide, Define Hyperparameter Ranges.
"""

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from workflows.local.request import Request, RequestError

AUTO, LINEAR, LOGARITHMIC, REVERSE_LOGARITHMIC = "Auto", "Linear", "Logarithmic", "ReverseLogarithmic"
MAX_VALUES = 30  # of one categorical range
# The guide recommends a linear scale within one order of magnitude and a logarithmic one over several: `Auto`
# is logarithmic from two orders on. How SageMaker itself chooses is not documented.
AUTO_LOGARITHMIC_FROM = 100

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_INTEGER = re.compile(r"[+-]?\d+")
_LARGEST_INTEGER = 2**63 - 1


@dataclass(frozen=True)
class Continuous:
    """Every number from `low` to `high`."""

    name: str
    low: float
    high: float
    scaling: str  # Linear, Logarithmic or ReverseLogarithmic

    @property
    def count(self) -> None:
        """There is no number of values."""
        return None

    def at(self, share: float) -> str:
        """The value at a share of the way from the lowest to the highest."""
        if self.scaling == LOGARITHMIC:
            value = math.exp(_between(math.log(self.low), math.log(self.high), share))
        elif self.scaling == REVERSE_LOGARITHMIC:
            value = 1 - math.exp(_between(math.log1p(-self.low), math.log1p(-self.high), share))
        else:
            value = _between(self.low, self.high, share)
        return self.text(value)

    def text(self, value: float) -> str:
        """A value as a hyperparameter; rounding never leads out of the range."""
        return repr(min(max(value, self.low), self.high))


@dataclass(frozen=True)
class Integer:
    """Every integer from `low` to `high`, both included."""

    name: str
    low: int
    high: int
    scaling: str  # Linear or Logarithmic

    @property
    def count(self) -> int:
        """How many values there are."""
        return self.high - self.low + 1

    def at(self, share: float) -> str:
        """The value at a share of the way from the lowest to the highest."""
        if self.scaling == LOGARITHMIC:
            # Half a step beyond both ends: the outermost integers get as much room as the others.
            value = math.exp(_between(math.log(self.low - 0.5), math.log(self.high + 0.5), share))
        else:
            value = self.low + int(share * self.count)
        return self.text(value)

    def text(self, value: float) -> str:
        """A value as a hyperparameter; rounding never leads out of the range."""
        return str(min(max(round(value), self.low), self.high))

    def nth(self, index: int) -> str:
        """The value at a place in their order."""
        return str(self.low + index)


@dataclass(frozen=True)
class Categorical:
    """Some values, none of which is nearer to one than to another."""

    name: str
    values: tuple[str, ...]

    @property
    def count(self) -> int:
        """How many values there are."""
        return len(self.values)

    def at(self, share: float) -> str:
        """The value at a share of the list."""
        return self.values[min(int(share * len(self.values)), len(self.values) - 1)]

    def nth(self, index: int) -> str:
        """The value at a place in the list."""
        return self.values[index]


Range: TypeAlias = Continuous | Integer | Categorical


def read_ranges(request: Request) -> Iterator[Range]:
    """The ranges of a ParameterRanges object, in its order.

    Raises:
        RequestError: a range is not one that SageMaker would search.
    """
    for field, read in READERS.items():
        for entry in request.requests(field):
            yield read(entry)


def _read_continuous(entry: Request) -> Continuous:
    name, low, high = entry.text("Name"), _number(entry, "MinValue"), _number(entry, "MaxValue")
    if not math.isfinite(high - low):
        raise RequestError(f"{entry.where}: '{name}' from {low} to {high} is too wide to be searched")
    scaling = _scaling(entry, low, high)
    if scaling == REVERSE_LOGARITHMIC and not (low >= 0 and high < 1):
        raise RequestError(
            f"{entry.where}: '{name}' goes from {low} to {high}, but ReverseLogarithmic scaling needs "
            "0 <= x < 1"
        )
    return Continuous(name, low, high, scaling)


def _read_integer(entry: Request) -> Integer:
    name, low, high = entry.text("Name"), _integer(entry, "MinValue"), _integer(entry, "MaxValue")
    scaling = _scaling(entry, low, high)
    if scaling == REVERSE_LOGARITHMIC:
        raise RequestError(
            f"{entry.where}: '{name}' is an integer range; ReverseLogarithmic scaling exists for continuous "
            "ranges only"
        )
    return Integer(name, low, high, scaling)


def _read_categorical(entry: Request) -> Categorical:
    name, values = entry.text("Name"), entry.texts("Values")
    if not 0 < len(values) <= MAX_VALUES:
        raise RequestError(f"{entry.where}: '{name}' has {len(values)} Values; it takes 1 to {MAX_VALUES}")
    if len(set(values)) < len(values):
        raise RequestError(f"{entry.where}: '{name}' has one of its Values twice; name each once")
    return Categorical(name, tuple(values))


# Field of ParameterRanges -> what reads one of its entries.
READERS: Mapping[str, Callable[[Request], Range]] = {
    "ContinuousParameterRanges": _read_continuous,
    "IntegerParameterRanges": _read_integer,
    "CategoricalParameterRanges": _read_categorical,
}


def _scaling(entry: Request, low: float, high: float) -> str:
    if low >= high:
        # SageMaker refuses a range of one value, too.
        raise RequestError(
            f"{entry.where}: MinValue {low} is not below MaxValue {high}; a value that does not vary belongs "
            "in StaticHyperParameters"
        )
    scaling = entry.text("ScalingType", AUTO)
    if scaling not in (AUTO, LINEAR, LOGARITHMIC, REVERSE_LOGARITHMIC):
        raise RequestError(
            f"{entry.where}.ScalingType: '{scaling}' is none of Auto, Linear, Logarithmic, ReverseLogarithmic"
        )
    if scaling == AUTO:
        return LOGARITHMIC if low > 0 and high / low >= AUTO_LOGARITHMIC_FROM else LINEAR
    if scaling == LOGARITHMIC and low <= 0:
        raise RequestError(
            f"{entry.where}: MinValue is {low}, but Logarithmic scaling needs values above 0; choose Linear "
            "or a higher MinValue"
        )
    return scaling


def _number(entry: Request, field: str) -> float:
    value = entry.find(field)
    text = str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value
    if not isinstance(text, str) or not _NUMBER.fullmatch(text) or not math.isfinite(float(text)):
        raise RequestError(f"{entry.where}.{field}: must be a number in a string, is {value!r}")
    return float(text)


def _integer(entry: Request, field: str) -> int:
    value = entry.find(field)
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    # Twenty characters hold every integer that is allowed; Python refuses to read very long ones.
    if not isinstance(text, str) or len(text) > 20 or not _INTEGER.fullmatch(text):
        raise RequestError(f"{entry.where}.{field}: must be an integer in a string, is {value!r}")
    if abs(int(text)) > _LARGEST_INTEGER:
        raise RequestError(f"{entry.where}.{field}: {text} is beyond 64 bits")
    return int(text)


def _between(low: float, high: float, share: float) -> float:
    return low + share * (high - low)
