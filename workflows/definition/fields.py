"""Reads the fields of a definition's objects, each fault with its place."""

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeVar

from workflows.definition.errors import DefinitionError
from workflows.definition.model import JSON

_T = TypeVar("_T")


def listed(value: JSON, where: str) -> list[JSON]:
    """A list; an absent one is empty."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise DefinitionError(f"{where}: must be a list")
    return value


def entries(value: JSON, where: str) -> Iterator[tuple[dict[str, JSON], str]]:
    """The objects in a list, each with its place."""
    for index, node in enumerate(listed(value, where)):
        yield an_object(node, f"{where}[{index}]"), f"{where}[{index}]"


def an_object(value: JSON, where: str, *, or_else: str = "an object") -> dict[str, JSON]:
    """An object; `or_else` says what must be there, where that is not all."""
    if not isinstance(value, dict):
        raise DefinitionError(f"{where}: must be {or_else}")
    return value


def texts(value: JSON, where: str) -> tuple[str, ...]:
    """A list of strings."""
    return tuple(_text(item, f"{where}[{index}]") for index, item in enumerate(listed(value, where)))


def text(node: Mapping[str, JSON], key: str, where: str, *, at_most: int | None = None) -> str:
    """A string that must be there."""
    if key not in node:
        raise DefinitionError(f"{where}: {key} is missing")
    return _text(node[key], f"{where}.{key}", at_most)


def optional_text(
    node: Mapping[str, JSON], key: str, where: str, *, at_most: int | None = None
) -> str | None:
    """A string, or None where it is absent."""
    return None if node.get(key) is None else text(node, key, where, at_most=at_most)


def whole_number(
    node: Mapping[str, JSON], key: str, where: str, *, between: tuple[int, int], unit: str
) -> int | None:
    """An integer within bounds (both are allowed), or None where it is absent."""
    value, (lowest, highest) = node.get(key), between
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not lowest <= value <= highest:
        raise DefinitionError(
            f"{where}.{key}: {value!r} must be a whole number of {unit} from {lowest} to {highest}"
        )
    return value


def factor(node: Mapping[str, JSON], key: str, where: str) -> float | None:
    """A number that is not negative, or None where it is absent."""
    value = node.get(key)
    if value is None:
        return None
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 <= value <= sys.float_info.max:
        raise DefinitionError(f"{where}.{key}: {value!r} must be a number, 0 or more")
    return float(value)


def by_name(items: Iterable[tuple[_T, str]], name: Callable[[_T], str], *, kind: str) -> dict[str, _T]:
    """Each item under its name; `items` holds each with its place.

    Raises:
        DefinitionError: two of them have one name.
    """
    found: dict[str, _T] = {}
    places: dict[str, str] = {}
    for item, place in items:
        own = name(item)
        if own in found:
            raise DefinitionError(
                f"{places[own]} and {place}: two {kind} are named '{own}'; names must be unique, so rename "
                "or remove one of them"
            )
        found[own], places[own] = item, place
    return found


def _text(value: JSON, where: str, at_most: int | None = None) -> str:
    if not isinstance(value, str):
        raise DefinitionError(f"{where}: {value!r} must be a string")
    if at_most is not None and len(value) > at_most:
        raise DefinitionError(
            f"{where}: {len(value)} characters are more than the {at_most} that are allowed"
        )
    return value
