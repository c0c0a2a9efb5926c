"""A definition as it was written, whatever is wrong with it."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NoReturn

from workflows.definition.model import JSON, Branch
from workflows.preflight.findings import Path

BRANCHES = (("IfSteps", True), ("ElseSteps", False))
# No request of the service is half as deep; checks go down by recursion.
DEEPEST = 100


class Repeating(dict[str, JSON]):
    """An object in whose text a key stands more than once; the last one counts."""

    repeated: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class RawStep:
    """A step wherever it stands; what is malformed in it reads as absent."""

    name: str  # "" where it has none
    type: str  # "" where it has none
    path: Path
    node: Mapping[str, JSON]
    branch: Branch | None

    @property
    def arguments(self) -> Mapping[str, JSON]:
        """Its Arguments, empty where they are no object."""
        return object_of(self.node.get("Arguments"))

    @property
    def arguments_path(self) -> Path:
        """Where they stand."""
        return (*self.path, "Arguments")


def parse(text: str) -> JSON:
    """The document in a text.

    Raises:
        ValueError: it is not JSON, with the place.
        RecursionError: it is far too deep.
    """
    document: JSON = json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=_object)
    return document


def is_too_deep(document: JSON) -> bool:
    """Whether more than DEEPEST objects and lists stand in one another."""
    level = [document]
    for _ in range(DEEPEST):
        level = [child for node in level for child in _children(node)]
        if not level:
            return False
    return True


def steps_of(nodes: JSON, path: Path = ("Steps",), branch: Branch | None = None) -> Iterator[RawStep]:
    """Every step in document order, those in branches behind their condition."""
    for index, node in enumerate(list_of(nodes)):
        if not isinstance(node, dict):
            continue
        step = RawStep(
            name=text_of(node.get("Name")),
            type=text_of(node.get("Type")),
            path=(*path, index),
            node=node,
            branch=branch,
        )
        yield step
        if step.type == "Condition":
            for key, outcome in BRANCHES:
                side = Branch(condition=step.name, outcome=outcome)
                yield from steps_of(step.arguments.get(key), (*step.arguments_path, key), side)


def own_arguments(step: RawStep) -> Mapping[str, JSON]:
    """A step's arguments without the steps in its branches."""
    if step.type != "Condition":
        return step.arguments
    inside = [key for key, _ in BRANCHES]
    return {key: value for key, value in step.arguments.items() if key not in inside}


def objects(nodes: JSON, path: Path) -> Iterator[tuple[dict[str, JSON], Path]]:
    """The objects in a list, each with its place; whatever else is there is left out."""
    for index, node in enumerate(list_of(nodes)):
        if isinstance(node, dict):
            yield node, (*path, index)


def object_of(value: JSON) -> dict[str, JSON]:
    """The value if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def list_of(value: JSON) -> list[JSON]:
    """The value if it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def text_of(value: JSON) -> str:
    """The value if it is a string, else an empty one."""
    return value if isinstance(value, str) else ""


def at(node: JSON, *path: str) -> JSON:
    """A member of a member; None where one of them is missing."""
    for key in path:
        node = object_of(node).get(key)
    return node


def _object(pairs: list[tuple[str, JSON]]) -> dict[str, JSON]:
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    names = [name for name, _ in pairs]
    repeating = Repeating(found)
    repeating.repeated = tuple(name for name in found if names.count(name) > 1)
    return repeating


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _children(node: JSON) -> list[JSON]:
    if isinstance(node, dict):
        return list(node.values())
    return node if isinstance(node, list) else []
