"""Which of S3's operations a request is: by method, path, query and headers, as botocore's model has them."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Literal
from urllib.parse import parse_qsl

from botocore.model import OperationModel, Shape

from workflows.server.shapes import service_model

Level = Literal["service", "bucket", "object"]
_PATHS: Mapping[str, Level] = {"/": "service", "/{Bucket}": "bucket", "/{Bucket}/{Key+}": "object"}


@dataclass(frozen=True)
class _Pattern:
    """What a request must have to be one operation."""

    operation: str
    method: str
    level: Level
    query: Mapping[str, str]  # '' takes any value
    subresources: frozenset[str]  # those parameters that stand in the model's path
    headers: frozenset[str]

    def fits(self, query: Mapping[str, str], headers: Collection[str]) -> bool:
        return all(key in query and value in ("", query[key]) for key, value in self.query.items()) and all(
            name in headers for name in self.headers
        )

    @property
    def weight(self) -> int:
        """The more it asks for, the more it says: PUT with an upload's id is not PutObject."""
        return len(self.query) + len(self.headers)


def operation_of(
    method: str, level: Level, query: Mapping[str, str], headers: Collection[str], here: Collection[str]
) -> str | None:
    """The name of the operation, or None if S3 has none like this.

    Args:
        method: of the request.
        level: what its path names.
        query: its parameters.
        headers: names of its headers, in small letters.
        here: the operations of this machine, preferred where several look alike: GET / is ListBuckets, and
            ListDirectoryBuckets.
    """
    alike = [pattern for pattern in _patterns() if (pattern.method, pattern.level) == (method, level)]
    fitting = [pattern for pattern in alike if pattern.fits(query, headers)]
    best = max(fitting, key=lambda pattern: (pattern.weight, pattern.operation in here), default=None)
    if best is None:
        return None
    # GET ?attributes without the header that it needs is not GetObject, nor PUT ?delete CreateBucket.
    parameters = {key for pattern in alike for key in pattern.query} | _subresources(level)
    return best.operation if best.query.keys() >= parameters & query.keys() else None


@cache
def _subresources(level: Level) -> frozenset[str]:
    """Parameters that say which side of a bucket or an object a request is about, whatever its method."""
    return frozenset(key for pattern in _patterns() if pattern.level == level for key in pattern.subresources)


@cache
def _patterns() -> tuple[_Pattern, ...]:
    model = service_model("s3")
    found = [_pattern(model.operation_model(name)) for name in model.operation_names]
    return tuple(pattern for pattern in found if pattern is not None)


def _pattern(operation: OperationModel) -> _Pattern | None:
    path, _, query = operation.http["requestUri"].partition("?")
    if path not in _PATHS:
        return None
    required = _required(operation.input_shape)
    subresources = dict(parse_qsl(query, keep_blank_values=True))
    return _Pattern(
        operation=operation.name,
        method=operation.http["method"],
        level=_PATHS[path],
        query=subresources | {name: "" for where, name in required if where == "querystring"},
        subresources=frozenset(subresources),
        headers=frozenset(name.lower() for where, name in required if where == "header"),
    )


def _required(shape: Shape | None) -> list[tuple[str, str]]:
    """Location and name of each member that must be there."""
    if shape is None:
        return []
    found = [shape.members[name].serialization for name in shape.required_members]
    return [(place.get("location", ""), place.get("name", "")) for place in found]
