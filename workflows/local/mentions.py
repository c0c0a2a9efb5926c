"""What records refer to: the names of resources, and S3 URIs.

A URI covers the object that it names and every object below it. Below ends at a '/': s3://b/run1 does not
cover s3://b/run10/x. Not every URI in a record says that what is below it is needed:

- What is read (an input, a model's artifact) covers all that is below it, be it a whole bucket.
- A place to write to (S3OutputPath and its like) says where outputs go, not what is there; many executions
  write below the same bucket or prefix. It covers an object only if it leads at least as deep as the
  destination of the job that made the object: an S3OutputPath s3://b/scores covers what another execution
  wrote to s3://b/scores, and s3://b does not.
- In a definition every URI is such a place, as it may be the beginning of one; those that the definition
  itself writes to cover nothing.
- Anything else (a parameter, an environment variable, an argument) is a place to write to if the same owner
  writes there or below, and is read if not. So an execution that has come to no result yet keeps all that its
  parameters name.

A bucket and a key that stand apart from each other are not recognized.
"""

import re
from collections.abc import Iterator
from enum import Enum

from workflows.definition.model import JSON
from workflows.local.objects import SCHEME

# Keys under which a request says where something is to be written, and what it reads.
_WRITTEN = frozenset({"S3Output", "S3OutputPath", "DestinationS3Uri", "CheckpointConfig"})
_READ = frozenset({"S3Uri", "ModelDataUrl", "S3ModelArtifacts"})
_DELIMITED = re.compile(r"s3://[^\s\"'`,;|<>()\[\]{}\\]+")
_ARN_PARTS = 6
_LONGEST_ARN = 2048


class _Role(Enum):
    READ = "read"
    WRITTEN = "written"
    OTHER = "other"


class Mentions:
    """Everything that some records refer to."""

    def __init__(self) -> None:
        """Nothing yet."""
        self._names: set[str] = set()
        self._read: set[str] = set()
        self._places: set[str] = set()

    def add(self, *bodies: JSON) -> None:
        """Add the records of one owner: an execution with its results, or a resource."""
        self._names |= {name for body in bodies for _, text in _texts(body) for name in _names_in(text)}
        found = _by_role(*bodies)
        above = {prefix for uri in found[_Role.WRITTEN] for prefix in prefixes(uri)}
        self._read |= found[_Role.READ] | (found[_Role.OTHER] - above)
        self._places |= found[_Role.WRITTEN] | (found[_Role.OTHER] & above)

    def add_definition(self, document: JSON) -> None:
        """Add a definition: beginnings of URIs, and whole ones, of which some will be written by itself."""
        found = _by_role(document)
        self._places |= (found[_Role.READ] | found[_Role.OTHER]) - found[_Role.WRITTEN]

    def names(self, kind: str, name: str) -> bool:
        """Whether a resource is named, or its ARN is."""
        return name in self._names or f"{kind}/{name}" in self._names

    def cover(self, uri: str, destination: str | None) -> bool:
        """Whether an object is referred to.

        Args:
            uri: of the object.
            destination: where the job that made it was told to write; None if nobody knows, and then any
                place above counts.
        """
        least = len(destination) if destination else 0
        return any(
            prefix in self._read or (prefix in self._places and len(prefix) >= least)
            for prefix in prefixes(uri)
        )


def written(body: JSON) -> set[str]:
    """The places that a record of a job says it writes to, without a '/' at their ends."""
    return _by_role(body)[_Role.WRITTEN]


def prefixes(uri: str) -> Iterator[str]:
    """s3://b/x/y -> s3://b, s3://b/x, s3://b/x/y."""
    for index in range(len(SCHEME), len(uri)):
        if uri[index] == "/":
            yield uri[:index]
    yield uri


def _by_role(*bodies: JSON) -> dict[_Role, set[str]]:
    found: dict[_Role, set[str]] = {role: set() for role in _Role}
    for body in bodies:
        for role, text in _texts(body):
            found[role].update(_uris(text))
    return found


def _texts(node: JSON, role: _Role = _Role.OTHER) -> Iterator[tuple[_Role, str]]:
    """Every string of a record, keys included, and what a URI in it would be."""
    if isinstance(node, str):
        yield role, node
    elif isinstance(node, list):
        for item in node:
            yield from _texts(item, role)
    elif isinstance(node, dict):
        for key, value in node.items():
            yield role, key
            yield from _texts(value, _role_of(key, role))


def _role_of(key: str, above: _Role) -> _Role:
    if above is _Role.WRITTEN or key in _WRITTEN:
        return _Role.WRITTEN
    return _Role.READ if key in _READ else _Role.OTHER


def _uris(text: str) -> Iterator[str]:
    """The URIs in a text: as keys may hold blanks, each to the text's end and to its first delimiter."""
    start = text.find(SCHEME)
    while start >= 0:
        rest = text[start:]
        for uri in (rest, *_DELIMITED.findall(rest)[:1]):
            if len(whole := uri.rstrip("/")) > len(SCHEME):
                yield whole
        start = text.find(SCHEME, start + 1)


def _names_in(text: str) -> set[str]:
    if len(text) > _LONGEST_ARN:
        return set()
    parts = text.split(":", _ARN_PARTS - 1) if text.startswith("arn:") else []
    return {text, parts[-1]} if len(parts) == _ARN_PARTS else {text}
