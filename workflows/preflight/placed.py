"""The loader's own checks of parts, used where they can go on after a fault."""

import re
from collections.abc import Callable, Iterator

from workflows.definition.errors import DefinitionError
from workflows.preflight.findings import Finding, Path, Rule

# What a part of the loader puts before its message when it is called with an empty place.
_PLACE = re.compile(r"((?:\.\w+|\[\d+\])*)(?:: )?(.*)", re.DOTALL)
_PART = re.compile(r"\.(\w+)|\[(\d+)\]")


def refused_by(read: Callable[[], object], rule: Rule, path: Path, remedy: str) -> Iterator[Finding]:
    """What a part of the loader says about a node at `path`, when it is called with an empty place."""
    try:
        read()
    except DefinitionError as error:
        inside, text = placed(error)
        yield rule.at((*path, *inside), text, remedy)


def placed(error: DefinitionError) -> tuple[Path, str]:
    """Where below its node a fault is, and the fault."""
    found = _PLACE.fullmatch(str(error))
    if found is None:
        return (), str(error)
    parts = (int(index) if index else name for name, index in _PART.findall(found[1]))
    return tuple(parts), found[2]
