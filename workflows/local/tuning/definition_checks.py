"""What is wrong with one training job definition of a tuning step, as far as it is known."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from workflows.definition.expressions import is_expression
from workflows.definition.model import JSON
from workflows.local.request import Request, RequestError
from workflows.local.tuning.job import (
    OBJECTIVE_HYPERPARAMETER,
    objective_request,
    ranges_request,
    read_objective,
)
from workflows.local.tuning.ranges import READERS, Categorical, Range
from workflows.local.tuning.space import SearchSpace
from workflows.local.tuning.strategies import GRID

NOT_HERE = "is not available on this machine; remove it for a local run"
MAX_RANGES = 30
_MAX_HYPERPARAMETERS = 100


@dataclass(frozen=True)
class CheckedDefinition:
    """One training job definition and what is wrong with it."""

    problems: tuple[str, ...]
    combinations: int | None  # None: of a continuous range, or not known

    @classmethod
    def of(cls, request: Request, definition: Request) -> "CheckedDefinition":
        """Check a definition of a CreateHyperParameterTuningJob request; expressions may be left in both."""
        ranges, problems, all_known = _read_ranges(ranges_request(request, definition))
        problems += _ranges_as_a_whole(request, definition, ranges)
        problems += _static_hyperparameters(definition, ranges)
        problems += _objective(request, definition)
        problems += _missing_fields(definition)
        countable = all_known and ranges
        return cls(tuple(problems), SearchSpace(tuple(ranges)).combinations if countable else None)


def _read_ranges(request: Request) -> tuple[list[Range], list[str], bool]:
    """The ranges that are known, what is wrong with the others, and whether all could be read."""
    ranges: list[Range] = []
    problems: list[str] = []
    all_known = True
    for field, read in READERS.items():
        try:
            entries = request.requests(field)
        except RequestError as error:
            problems.append(str(error))
            continue
        for entry in entries:
            if has_expression(dict(entry.fields)):
                all_known = False
                continue
            try:
                ranges.append(read(entry))
            except RequestError as error:
                problems.append(str(error))
    return ranges, problems, all_known and not problems


def _ranges_as_a_whole(request: Request, definition: Request, ranges: Sequence[Range]) -> Iterator[str]:
    place = ranges_request(request, definition)
    entries = [entry for field in READERS for entry in objects(place.find(field))]
    if not entries and not place.find("AutoParameters"):
        yield f"{place.where}: has no range; nothing is to be tuned"
    if len(entries) > MAX_RANGES:
        yield f"{place.where}: {len(entries)} ranges are more than {MAX_RANGES}"
    names = [entry["Name"] for entry in entries if isinstance(entry.get("Name"), str)]
    for name in sorted({str(name) for name in names if names.count(name) > 1}):
        yield f"{place.where}: '{name}' has more than one range; leave one"
    if request.find("HyperParameterTuningJobConfig.Strategy") == GRID:
        for entry in ranges:
            if not isinstance(entry, Categorical):
                yield (
                    f"{place.where}: '{entry.name}' is no categorical range, and a {GRID} search takes no "
                    "other; list its values in CategoricalParameterRanges"
                )


def _static_hyperparameters(definition: Request, ranges: Sequence[Range]) -> Iterator[str]:
    place = f"{definition.where}.StaticHyperParameters"
    static = definition.find("StaticHyperParameters") or {}
    if not isinstance(static, dict):
        yield f"{place}: must be an object"
        return
    for name, value in static.items():
        if not isinstance(value, str) and not is_expression(value):
            yield f"{place}.{name}: must be a string, is {value!r}"
    for entry in ranges:
        if entry.name in static:
            yield f"{place}.{entry.name}: has a range, too; remove it here or there"
    # The service adds one of its own.
    if (total := len(static) + len(ranges) + 1) > _MAX_HYPERPARAMETERS:
        yield (
            f"{place}: with the ranges and {OBJECTIVE_HYPERPARAMETER} there are {total} hyperparameters; at "
            f"most {_MAX_HYPERPARAMETERS} are allowed"
        )


def _objective(request: Request, definition: Request) -> Iterator[str]:
    objective = objective_request(request, definition)
    if not objective.fields:
        yield f"{objective.where}: is missing; it names the metric that is to be improved"
    elif not has_expression(dict(objective.fields)):
        try:
            read_objective(objective)
        except RequestError as error:
            yield str(error)


def _missing_fields(definition: Request) -> Iterator[str]:
    if definition.find("AlgorithmSpecification.AlgorithmName") is not None:
        yield (
            f"{definition.where}.AlgorithmSpecification.AlgorithmName: an algorithm resource {NOT_HERE}, "
            "and name a TrainingImage"
        )
    elif definition.find("AlgorithmSpecification.TrainingImage") is None:
        yield f"{definition.where}.AlgorithmSpecification.TrainingImage: is missing"
    if definition.find("OutputDataConfig.S3OutputPath") is None:
        yield f"{definition.where}.OutputDataConfig.S3OutputPath: is missing"


def objects(node: JSON) -> list[dict[str, JSON]]:
    """The objects in a list; none if it is no list."""
    return [entry for entry in node if isinstance(entry, dict)] if isinstance(node, list) else []


def has_expression(node: JSON) -> bool:
    """Whether something below a node is not known yet."""
    if is_expression(node):
        return True
    children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    return any(has_expression(child) for child in children)
