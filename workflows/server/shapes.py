"""Requests and answers in the shapes of botocore's service models: AWS's own by construction.

Inside this package timestamps are ISO 8601 strings, as in the records; on the wire of JSON protocols they are
seconds since 1970.
"""

import math
import re
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import cache
from typing import TypeAlias

from botocore.loaders import Loader
from botocore.model import ListShape, MapShape, ServiceModel, Shape, StructureShape

from workflows.aws.service_models import loader
from workflows.definition.model import JSON
from workflows.server.errors import AwsError, validation

Input: TypeAlias = "Mapping[str, JSON]"
Output: TypeAlias = "Mapping[str, JSON]"

# Numbers are below this, and not below its negative.
_LIMITS = {"integer": 2**31, "long": 2**63, "float": 2.0**128, "double": sys.float_info.max}
_PYTHON: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "blob": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "long": (int,),
    "float": (int, float),
    "double": (int, float),
    "timestamp": (int, float, str),
    "structure": (dict,),
    "list": (list,),
    "map": (dict,),
}


@cache
def service_model(name: str) -> ServiceModel:
    """The description of a service that botocore brings along."""
    reader = Loader() if name == "s3" else loader()  # clients change that of S3
    return ServiceModel(reader.load_service_model(name, "service-2"), name)


def read_input(shape: StructureShape | None, document: JSON) -> dict[str, JSON]:
    """A request's body, checked against its shape.

    Raises:
        AwsError: SerializationException for a wrong type, ValidationException with AWS's wording for values.
    """
    body = document if document is not None else {}
    if not isinstance(body, dict):
        raise AwsError("SerializationException", "The request body is not an object")
    if shape is None:
        return {}
    faults = list(_faults(shape, body, ""))
    if faults:
        count = "1 validation error" if len(faults) == 1 else f"{len(faults)} validation errors"
        raise validation(f"{count} detected: {'; '.join(faults)}")
    read = _read(shape, body)
    return read if isinstance(read, dict) else {}


def write_output(shape: StructureShape | None, record: Output) -> dict[str, JSON]:
    """An answer's body: what the shape knows of a record, and nothing else."""
    if shape is None:
        return {}
    written = _write(shape, dict(record))
    return written if isinstance(written, dict) else {}


def _faults(shape: Shape, value: JSON, at: str) -> Iterator[str]:
    """What is wrong with a value, and with everything in it."""
    if not _is_of_type(shape.type_name, value):
        yield f"Value at '{at}' failed to satisfy constraint: Member must be of type {shape.type_name}"
        return
    yield from _broken_constraints(shape, value, at)
    for inner, item, place in _parts(shape, value, at):
        if item is None:
            yield f"Value null at '{place}' failed to satisfy constraint: Member must not be null"
        else:
            yield from _faults(inner, item, place)


def _is_of_type(name: str, value: JSON) -> bool:
    if not isinstance(value, _PYTHON[name]) or (isinstance(value, bool) and name != "boolean"):
        return False
    if name == "timestamp":
        return _moment(value) is not None
    limit = _LIMITS.get(name)
    return limit is None or not isinstance(value, (int, float)) or -limit <= value < limit


def _moment(value: JSON) -> datetime | None:
    """A time in a request, in seconds since 1970 or as ISO 8601 has it; None if no calendar has it."""
    try:
        if isinstance(value, str):
            found = datetime.fromisoformat(value)
            return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
        return datetime.fromtimestamp(value, UTC) if isinstance(value, (int, float)) else None
    except (ValueError, OverflowError, OSError):  # the last is the C library's
        return None


def _parts(shape: Shape, value: JSON, at: str) -> Iterator[tuple[Shape, JSON, str]]:
    """The members of a value with their shapes and places; required ones also where they are missing."""
    if isinstance(shape, StructureShape) and isinstance(value, dict):
        for name, member in shape.members.items():
            if name in shape.required_members or value.get(name) is not None:
                yield member, value.get(name), _below(at, name)
    elif isinstance(shape, ListShape) and isinstance(value, list):
        for index, item in enumerate(value, start=1):
            yield shape.member, item, f"{at}.{index}.member"
    elif isinstance(shape, MapShape) and isinstance(value, dict):
        for name, item in value.items():
            yield shape.value, item, f"{at}.{name}.member"


def _broken_constraints(shape: Shape, value: JSON, at: str) -> Iterator[str]:
    """What the service model says of lengths, ranges, patterns and choices, in AWS's words."""
    shown = value if isinstance(value, str) else str(value)
    start = f"Value '{shown}' at '{at}' failed to satisfy constraint: Member must"
    choices = shape.metadata.get("enum")
    if choices and value not in choices:
        yield f"{start} satisfy enum value set: [{', '.join(choices)}]"
    pattern, longest = shape.metadata.get("pattern"), shape.metadata.get("max", math.inf)
    # Not of what is too long anyway: it could take long, too.
    if pattern and isinstance(value, str) and len(value) <= longest and not _matches(pattern, value):
        yield f"{start} satisfy regular expression pattern: {pattern}"
    sized = isinstance(value, (str, list, dict))
    size = len(value) if isinstance(value, (str, list, dict)) else value
    if shape.type_name in ("timestamp", "boolean", "blob") or not isinstance(size, (int, float)):
        return
    for key, wrong, word in (("min", size.__lt__, "greater"), ("max", size.__gt__, "less")):
        limit = shape.metadata.get(key)
        if limit is not None and wrong(limit) is True:
            what = f"have length {word} than or equal to" if sized else f"have value {word} than or equal to"
            yield f"{start} {what} {limit}"


# Patterns that Python would try in more ways than there are atoms, and what says the same.
_THE_SAME = {
    r"^[ \t]*[\x20-\x7E]+([ \t]+[\x20-\x7E]+)*[ \t]*$": r"\t*[\x20-\x7E][\t\x20-\x7E]*",
}


@cache
def _compiled(pattern: str) -> "re.Pattern[str] | None":
    pattern = _THE_SAME.get(pattern, pattern)
    try:
        return re.compile(pattern.replace("\\p{L}", r"\w").replace("\\p{Z}", r"\s").replace("\\p{N}", r"\d"))
    except re.error:
        return None  # a construct of Java's that Python does not have: not checked


def _matches(pattern: str, value: str) -> bool:
    compiled = _compiled(pattern)
    return compiled is None or compiled.fullmatch(value) is not None


def _below(at: str, name: str) -> str:
    own = name[:1].lower() + name[1:]
    return f"{at}.{own}" if at else own


def _read(shape: Shape, value: JSON) -> JSON:
    """Keeps the members that the shape knows, with timestamps as strings."""
    if isinstance(shape, StructureShape) and isinstance(value, dict):
        known = {name: item for name, item in value.items() if name in shape.members and item is not None}
        return {name: _read(shape.members[name], item) for name, item in known.items()}
    if isinstance(shape, ListShape) and isinstance(value, list):
        return [_read(shape.member, item) for item in value]
    if isinstance(shape, MapShape) and isinstance(value, dict):
        return {name: _read(shape.value, item) for name, item in value.items()}
    moment = _moment(value) if shape.type_name == "timestamp" else None
    return value if moment is None else moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _write(shape: Shape, value: JSON) -> JSON:
    if isinstance(shape, StructureShape) and isinstance(value, dict):
        known = {name: item for name, item in value.items() if name in shape.members and item is not None}
        return {name: _write(shape.members[name], item) for name, item in known.items()}
    if isinstance(shape, ListShape) and isinstance(value, list):
        return [_write(shape.member, item) for item in value]
    if isinstance(shape, MapShape) and isinstance(value, dict):
        return {name: _write(shape.value, item) for name, item in value.items()}
    if shape.type_name == "timestamp" and isinstance(value, str):
        return datetime.fromisoformat(value).timestamp()
    if shape.type_name == "string" and isinstance(value, (int, float)):
        return str(value).lower() if isinstance(value, bool) else str(value)
    return value
