"""Records: what Describe calls return, here and on AWS."""

from collections.abc import Iterable
from datetime import datetime
from typing import TypeAlias

from workflows.definition.model import JSON

Record: TypeAlias = dict[str, JSON]


def at(record: Record, *path: str) -> JSON:
    """A member of a member; None where one of them is missing."""
    found: JSON = record
    for key in path:
        found = found.get(key) if isinstance(found, dict) else None
    return found


def objects_of(value: JSON) -> list[Record]:
    """The objects in a list."""
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def last_part(arn: JSON) -> str:
    """The name at the end of an ARN."""
    return str(arn).rpartition("/")[2]


def package_name(arn: JSON) -> str:
    """GROUP/VERSION in a model package's ARN."""
    return str(arn).rpartition(":model-package/")[2]


def source_of(step: Record) -> str | None:
    """The execution that a step's outcome was taken from: by the cache, or by selective execution."""
    for key in ("CacheHitResult", "SelectiveExecutionResult"):
        origin = at(step, key, "SourcePipelineExecutionArn")
        if origin:
            return last_part(origin)
    return None


def seconds_between(start: JSON, end: JSON) -> float:
    """The time between two times of records."""
    return (datetime.fromisoformat(str(end)) - datetime.fromisoformat(str(start))).total_seconds()


def newest(entries: Iterable[Record], key: str) -> list[Record]:
    """The records, newest first by one of their times."""
    return sorted(entries, key=lambda entry: str(entry.get(key, "")), reverse=True)
