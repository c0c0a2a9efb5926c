"""Aliases of pipeline versions.

They stand in the pipeline's record, alias by alias, so that one that two clients want at the same moment goes
to one of them.
"""

from collections.abc import Iterable

from workflows.definition.model import JSON
from workflows.definition.records import Record
from workflows.server.errors import not_found, validation

_MEMBER = "VersionAliases"  # alias -> version
# Source: CreatePipeline, PipelineVersionAliases.
_MOST_OF_A_VERSION = 10


def aliases_of(pipeline: Record, version: int) -> list[JSON]:
    """The aliases of a version, in the order of the alphabet."""
    return list[JSON](sorted(alias for alias, number in _all(pipeline).items() if number == version))


def aliased_version(pipeline: Record, alias: str) -> int:
    """The version with this alias.

    Raises:
        AwsError: ResourceNotFound.
    """
    try:
        return _all(pipeline)[alias]
    except KeyError:
        raise not_found(
            f"No version of pipeline '{pipeline['PipelineArn']}' has the alias '{alias}'."
        ) from None


def with_aliases(
    pipeline: Record, version: int, *, add: Iterable[str] = (), remove: Iterable[str] = ()
) -> Record:
    """The record of a pipeline with other aliases for one of its versions.

    Raises:
        AwsError: ValidationException: an alias is taken, is a number, is not there, or there are too many.
    """
    known = _all(pipeline)
    for alias in remove:
        if known.pop(alias, None) != version:
            raise validation(f"Pipeline version {version} does not have the alias '{alias}'.")
    for alias in add:
        if alias.isdigit():
            raise validation(f"The alias '{alias}' consists of numbers only.")
        if known.setdefault(alias, version) != version:
            raise validation(f"The alias '{alias}' belongs to pipeline version {known[alias]} already.")
    if list(known.values()).count(version) > _MOST_OF_A_VERSION:
        raise validation(f"A pipeline version can have up to {_MOST_OF_A_VERSION} aliases.")
    return {**pipeline, _MEMBER: dict(known)}


def _all(pipeline: Record) -> dict[str, int]:
    found = pipeline.get(_MEMBER)
    entries = found.items() if isinstance(found, dict) else ()
    return {alias: number for alias, number in entries if isinstance(number, int)}
