"""The JSONPath expressions of DataProcessing: InputFilter and OutputFilter.

SageMaker takes a subset of the dialect of Java's JsonPath, and no Python library speaks that dialect: several
names make an object of these, several indexes a list. Its operators: $, .name, *, ['a','b'], [0,2], [1:3],
with indexes that may be negative (Developer Guide, "Associate Prediction Results with Input Records"). What
it refuses beyond that is known from its answers: other characters in names, underscores among them
(github.com/aws/aws-sdk issue 184), and ranges beside anything else in one pair of brackets
(github.com/aws/sagemaker-python-sdk issue 1112; the API reference shows "$[0,5:]" all the same).

UNVERIFIED: whether a slice includes its end. The guide says both; here it does not, as in JsonPath.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from workflows.definition.errors import WorkflowError
from workflows.definition.model import JSON

_LONGEST = 63
_FOREIGN = re.compile(r"[^A-Za-z0-9$\[\]*. ,:'-]")
_NAME = re.compile(r"\.([A-Za-z0-9-]+)")
_WILDCARD = re.compile(r"\.\*|\.?\[ *\* *\]")
_NAMES = re.compile(r"\.?\[ *('[^']*'(?: *, *'[^']*')*) *\]")
_INDEXES = re.compile(r"\.?\[ *(-?\d+(?: *, *-?\d+)*) *\]")
_SLICE = re.compile(r"\.?\[ *(-?\d+)? *: *(-?\d+)? *\]")
_BRACKETS = re.compile(r"\.?\[([^]]*)\]")


class PathError(WorkflowError):
    """An expression is none that SageMaker takes, or leads nowhere in a record."""


class Selector(Protocol):
    """One part of an expression."""

    @property
    def is_single(self) -> bool:
        """Whether it leads to one value, and not to a list."""

    def select(self, value: JSON) -> Iterator[JSON]:
        """What it finds in a value.

        Raises:
            PathError: the value has no such part.
        """


@dataclass(frozen=True)
class Names:
    """Members of an object: one is its value, several are an object again."""

    names: tuple[str, ...]
    is_single = True

    def select(self, value: JSON) -> Iterator[JSON]:
        """The value, or the smaller object."""
        if not isinstance(value, dict):
            raise PathError(f"'{self.names[0]}' was looked for in {_kind(value)}")
        for name in self.names:
            if name not in value:
                raise PathError(f"there is no '{name}' among {', '.join(value) or 'no members'}")
        yield value[self.names[0]] if len(self.names) == 1 else {name: value[name] for name in self.names}


@dataclass(frozen=True)
class Indexes:
    """Elements of a list."""

    numbers: tuple[int, ...]

    @property
    def is_single(self) -> bool:
        """Several make a list."""
        return len(self.numbers) == 1

    def select(self, value: JSON) -> Iterator[JSON]:
        """The elements."""
        items = _list(value)
        for number in self.numbers:
            if not -len(items) <= number < len(items):
                raise PathError(f"there is no element {number}; there are {len(items)}")
            yield items[number]


@dataclass(frozen=True)
class Slice:
    """Neighbours in a list; the end is not among them."""

    start: int | None
    end: int | None
    is_single = False

    def select(self, value: JSON) -> Iterator[JSON]:
        """The elements."""
        items = _list(value)
        found = items[self.start : self.end]
        if not found:
            raise PathError(f"the range selects nothing; there are {len(items)} elements")
        yield from found


@dataclass(frozen=True)
class Wildcard:
    """Everything in a list or an object."""

    is_single = False

    def select(self, value: JSON) -> Iterator[JSON]:
        """Its elements, or the values of its members."""
        if isinstance(value, dict):
            yield from value.values()
        else:
            yield from _list(value)


@dataclass(frozen=True)
class JsonPath:
    """A parsed expression."""

    text: str
    selectors: tuple[Selector, ...]

    @property
    def is_root(self) -> bool:
        """Whether it stands for everything."""
        return not self.selectors

    @property
    def fits_csv(self) -> bool:
        """Whether it can be applied to a row of CSV, which is a list of texts."""
        return len(self.selectors) <= 1 and not any(isinstance(part, Names) for part in self.selectors)

    def select(self, value: JSON) -> JSON:
        """What the expression finds.

        Raises:
            PathError: it leads nowhere.
        """
        found = [value]
        for part in self.selectors:
            found = [item for entry in found for item in part.select(entry)]
        return found[0] if all(part.is_single for part in self.selectors) else found


ROOT = JsonPath("$", ())


def parse(text: str) -> JsonPath:
    """Read an expression.

    Raises:
        PathError: it is none that SageMaker takes.
    """
    if len(text) > _LONGEST:
        raise PathError(f"'{text}' has {len(text)} characters; at most {_LONGEST} are allowed")
    if foreign := _FOREIGN.search(text):
        raise PathError(
            f'unexpected "{foreign[0]}" in JsonPath "{text}"; names take letters, digits and \'-\''
        )
    if not text.startswith("$"):
        raise PathError(f"\"{text}\" does not begin with '$'")
    selectors = tuple(_selectors(text))
    if any(isinstance(part, Names) and len(part.names) > 1 for part in selectors[:-1]):
        raise PathError(f'"{text}": nothing can follow several names')
    return JsonPath(text, selectors)


def _selectors(text: str) -> Iterator[Selector]:
    position = 1
    while position < len(text):
        selector, position = _selector(text, position)
        yield selector


def _selector(text: str, position: int) -> tuple[Selector, int]:
    """The selector at a position, and where it ends."""
    if match := _NAME.match(text, position):
        return Names((match[1],)), match.end()
    if match := _WILDCARD.match(text, position):
        return Wildcard(), match.end()
    if match := _NAMES.match(text, position):
        return Names(tuple(re.findall(r"'([^']*)'", match[1]))), match.end()
    if match := _INDEXES.match(text, position):
        return Indexes(tuple(int(number) for number in match[1].split(","))), match.end()
    if match := _SLICE.match(text, position):
        return Slice(*(None if number is None else int(number) for number in match.groups())), match.end()
    raise PathError(_not_understood(text, position))


def _not_understood(text: str, position: int) -> str:
    brackets = _BRACKETS.match(text, position)
    if brackets and ":" in brackets[1]:
        return (
            f'"{text}": only single range filters of format (eg: [1:5]) are supported, [{brackets[1]}] is not'
        )
    return (
        f'"{text}": "{text[position:]}" is not understood; supported are '
        ".name, *, ['a','b'], [0,2], [1:3]"
    )


def _list(value: JSON) -> Sequence[JSON]:
    if not isinstance(value, list):
        raise PathError(f"elements were looked for in {_kind(value)}")
    return value


def _kind(value: JSON) -> str:
    kinds: Mapping[type, str] = {dict: "an object", list: "a list", str: "a string"}
    return kinds.get(type(value), f"{value!r}")
