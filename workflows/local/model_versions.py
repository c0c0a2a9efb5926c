"""The numbers of the versions in a model package group."""

from collections.abc import Iterable, Mapping

from workflows.definition.model import JSON
from workflows.definition.records import Record

# Beside what DescribeModelPackageGroup returns: the highest number of a version that was deleted. It is
# never given again, as whoever has the ARN would find another model there.
_DELETED = "HighestDeletedVersion"


def next_version(packages: Iterable[Mapping[str, JSON]], group: Mapping[str, JSON] | None) -> int:
    """The number of the next version.

    Args:
        packages: the records of the versions that there are.
        group: the record of their group, if it exists already.
    """
    known = [_number(package.get("ModelPackageVersion")) for package in packages]
    return 1 + max([*known, _number((group or {}).get(_DELETED))])


def with_deleted(group: Record, version: JSON) -> Record:
    """The record of a group of which a version is being deleted."""
    return {**group, _DELETED: max(_number(version), _number(group.get(_DELETED)))}


def _number(value: JSON) -> int:
    return value if isinstance(value, int) else 0
