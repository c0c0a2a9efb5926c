"""In which leaves two JSON documents differ."""

from collections.abc import Iterator
from dataclasses import dataclass

from workflows.definition.model import JSON

# Lists of a definition and of requests are matched by these, not by their order.
_NAMED_BY = ("Name", "InputName", "OutputName", "ChannelName", "VariantName", "PropertyFileName")


@dataclass(frozen=True, kw_only=True)
class Change:
    """One field of the key that is not what it was; None where it is absent."""

    field: str
    before: JSON
    after: JSON


def differences(before: JSON, after: JSON, at: str = "") -> Iterator[Change]:
    """The leaves in which two documents differ, by their paths."""
    if isinstance(before, dict) and isinstance(after, dict):
        for name in sorted({*before, *after}):
            yield from differences(before.get(name), after.get(name), f"{at}.{name}" if at else name)
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, (old, new) in enumerate(zip(before, after, strict=True)):
            yield from differences(old, new, f"{at}[{index}]")
    elif before != after:
        yield Change(field=at, before=before, after=after)


def by_name(node: JSON) -> JSON:
    """A document with an object in place of every list whose entries have names of their own.

    What has been moved is then no difference, and what was inserted is one, not many.
    """
    if isinstance(node, dict):
        return {key: by_name(value) for key, value in node.items()}
    if not isinstance(node, list):
        return node
    for field in _NAMED_BY:
        names = [item.get(field) if isinstance(item, dict) else None for item in node]
        if node and all(isinstance(name, str) for name in names) and len({*map(str, names)}) == len(node):
            return {str(name): by_name(item) for name, item in zip(names, node, strict=True)}
    return [by_name(item) for item in node]
