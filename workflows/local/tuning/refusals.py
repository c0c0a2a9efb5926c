"""What can be known to be wrong with a tuning step before anything runs.

Values that are still expressions are taken to be right: whoever runs the step asks again when they are known.

Sources: SageMaker API 2017-07-24, CreateHyperParameterTuningJob, and messages of its validation; Developer
Guide: Resource Limits for Automatic Model Tuning, Define Hyperparameter Ranges, Understand the hyperparameter
tuning strategies, Tune Multiple Algorithms.
"""

from collections.abc import Iterator, Mapping, Sequence

from workflows.definition.errors import did_you_mean
from workflows.definition.expressions import is_expression
from workflows.definition.model import JSON
from workflows.local.images import ImageTable, StandIn
from workflows.local.ledger import fields
from workflows.local.request import Request, RequestError
from workflows.local.runners.base import no_stand_in
from workflows.local.tuning.definition_checks import NOT_HERE, CheckedDefinition, has_expression, objects
from workflows.local.tuning.job import MAX_JOBS, definition_requests, objective_request, ranges_request
from workflows.local.tuning.strategies import BAYESIAN, GRID, HYPERBAND, RANDOM

_MAX_DEFINITIONS = 10
_MAX_RANDOM_JOBS = 10_000
_CONFIG = "HyperParameterTuningJobConfig"
_LIMITS = f"{_CONFIG}.ResourceLimits"
_CRITERIA = f"{_CONFIG}.TuningJobCompletionCriteria"
_PATIENCE = f"{_CRITERIA}.BestObjectiveNotImproving.MaxNumberOfTrainingJobsNotImproving"
_TARGET = f"{_CRITERIA}.TargetObjectiveMetricValue"
# Path -> lowest and highest value.
_INTEGERS: Mapping[str, tuple[int, int]] = {
    f"{_LIMITS}.MaxNumberOfTrainingJobs": (1, _MAX_RANDOM_JOBS),
    f"{_LIMITS}.MaxParallelTrainingJobs": (1, 100),
    f"{_LIMITS}.MaxRuntimeInSeconds": (120, 15_768_000),
    f"{_CONFIG}.RandomSeed": (0, 2**63 - 1),
    _PATIENCE: (3, _MAX_RANDOM_JOBS),
}


def refusals(arguments: Mapping[str, JSON], where: str) -> Iterator[str]:
    """Everything for which SageMaker or this machine refuses a tuning step.

    Args:
        arguments: of the step; CreateHyperParameterTuningJob's request, in which expressions may be left.
        where: its place in the definition, such as "Steps[3] Arguments".

    Yields:
        Messages, each with its place.
    """
    request = Request(arguments, where)
    try:
        definitions = definition_requests(request)
    except RequestError as error:
        yield str(error)
        return
    yield from _strategy(request)
    yield from _numbers(request)
    yield from _absent_features(request, definitions)
    yield from _number_of_definitions(request, definitions)
    checked = [CheckedDefinition.of(request, definition) for definition in definitions]
    for entry in checked:
        yield from entry.problems
    yield from _directions(request, definitions)
    yield from _number_of_jobs(request, checked)


def image_refusals(arguments: Mapping[str, JSON], where: str, images: ImageTable) -> Iterator[str]:
    """Training images that cannot run here, or not on so many instances, and objectives they do not publish.

    Args:
        arguments: as `refusals` finds them right.
        where: their place in the definition.
        images: what stands in for container images.

    Yields:
        Messages, each with its place.
    """
    request = Request(arguments, where)
    for definition in definition_requests(request):
        image = definition.find("AlgorithmSpecification.TrainingImage")
        if not isinstance(image, str):
            continue
        stand_in = images.find(image)
        if stand_in is None:
            yield no_stand_in(image, definition.where, images)
        else:
            yield from _too_many_instances(definition, stand_in)
            yield from _unknown_metric(request, definition, stand_in.metrics)


def _too_many_instances(definition: Request, stand_in: StandIn) -> Iterator[str]:
    for path, key, count in fields(dict(definition.fields)):
        most = stand_in.max_instances
        if key == "InstanceCount" and isinstance(count, int) and most is not None and count > most:
            yield (
                f"{definition.where}.{path}: what stands in for '{stand_in.repository}' runs on at most "
                f"{most} instances, not {count}; lower it for a local run"
            )


def _unknown_metric(request: Request, definition: Request, published: Mapping[str, str]) -> Iterator[str]:
    own = definition.find("AlgorithmSpecification.MetricDefinitions") or []
    objective = objective_request(request, definition)
    metric = objective.find("MetricName")
    if not isinstance(metric, str) or has_expression(own):
        return
    names = {*published, *(entry["Name"] for entry in objects(own) if isinstance(entry.get("Name"), str))}
    known = sorted(str(name) for name in names)
    if metric not in known:
        yield (
            f"{objective.where}.MetricName: no metric definition of the training job is named '{metric}'"
            f"{did_you_mean(metric, known)}; add it to AlgorithmSpecification.MetricDefinitions"
        )


def _strategy(request: Request) -> Iterator[str]:
    place = f"{request.where}.{_CONFIG}.Strategy"
    strategy = request.find(f"{_CONFIG}.Strategy")
    if strategy == HYPERBAND:
        yield f"{place}: {HYPERBAND} does not run on this machine; use {BAYESIAN}, {RANDOM} or {GRID}"
    elif strategy not in (BAYESIAN, RANDOM, GRID) and not is_expression(strategy):
        yield f"{place}: must be {BAYESIAN}, {RANDOM} or {GRID}, is {strategy!r}"
    elif request.find(f"{_CONFIG}.StrategyConfig") is not None:
        yield f"{request.where}.{_CONFIG}.StrategyConfig: only {HYPERBAND} takes it; remove it"


def _numbers(request: Request) -> Iterator[str]:
    for path, (low, high) in _INTEGERS.items():
        value = request.find(path)
        if value is None or is_expression(value):
            continue
        if isinstance(value, bool) or not isinstance(value, int):
            yield f"{request.where}.{path}: must be an integer, is {value!r}"
        elif not low <= value <= high:
            yield f"{request.where}.{path}: must be from {low} to {high}, is {value}"
    target = request.find(_TARGET)
    if isinstance(target, bool) or not isinstance(target, int | float | dict | None):
        yield f"{request.where}.{_TARGET}: must be a number, is {target!r}"
    if request.find(f"{_LIMITS}.MaxParallelTrainingJobs") is None:
        yield f"{request.where}.{_LIMITS}.MaxParallelTrainingJobs: is missing; it is required"


def _absent_features(request: Request, definitions: Sequence[Request]) -> Iterator[str]:
    if request.find("WarmStartConfig") is not None:
        yield f"{request.where}.WarmStartConfig: starting from earlier tuning jobs {NOT_HERE}"
    if request.find("Autotune") is not None:
        yield f"{request.where}.Autotune: choosing ranges and limits by itself {NOT_HERE}"
    places = {f"{ranges.where}.AutoParameters" for ranges in _with_auto_parameters(request, definitions)}
    for place in sorted(places):
        yield f"{place}: guessing ranges {NOT_HERE}, and give the parameters ranges"
    if len(definitions) > 1 and request.find(f"{_CONFIG}.TrainingJobEarlyStoppingType") == "Auto":
        yield (
            f"{request.where}.{_CONFIG}.TrainingJobEarlyStoppingType: Auto is for one training job "
            f"definition, here are {len(definitions)}; set it to Off"
        )


def _with_auto_parameters(request: Request, definitions: Sequence[Request]) -> Iterator[Request]:
    for definition in definitions:
        ranges = ranges_request(request, definition)
        if ranges.find("AutoParameters"):
            yield ranges


def _number_of_definitions(request: Request, definitions: Sequence[Request]) -> Iterator[str]:
    several = request.find("TrainingJobDefinitions")
    if not definitions:
        yield f"{request.where}: has no TrainingJobDefinition; nothing says what is to be trained"
    elif several and request.find("TrainingJobDefinition") is not None:
        yield f"{request.where}: has TrainingJobDefinition and TrainingJobDefinitions; remove one of them"
    elif several:
        yield from _definition_names(request, definitions)


def _definition_names(request: Request, definitions: Sequence[Request]) -> Iterator[str]:
    if len(definitions) > _MAX_DEFINITIONS:
        yield f"{request.where}.TrainingJobDefinitions: {len(definitions)} are more than {_MAX_DEFINITIONS}"
    names: set[str] = set()
    for definition in definitions:
        name = definition.find("DefinitionName")
        if name is None or name == "":
            yield f"{definition.where}.DefinitionName: is missing; one of several needs a name"
        elif isinstance(name, str) and name in names:
            yield f"{definition.where}.DefinitionName: '{name}' is the name of another one, too"
        elif isinstance(name, str):
            names.add(name)


def _directions(request: Request, definitions: Sequence[Request]) -> Iterator[str]:
    types = {objective_request(request, definition).find("Type") for definition in definitions}
    if {"Maximize", "Minimize"} <= {kind for kind in types if isinstance(kind, str)}:
        yield (
            f"{request.where}.TrainingJobDefinitions: some objectives are maximized and some minimized, so "
            "no training job is the best of all; give them the same Type"
        )


def _number_of_jobs(request: Request, checked: Sequence[CheckedDefinition]) -> Iterator[str]:
    place = f"{request.where}.{_LIMITS}.MaxNumberOfTrainingJobs"
    wanted, strategy = request.find(f"{_LIMITS}.MaxNumberOfTrainingJobs"), request.find(f"{_CONFIG}.Strategy")
    counts = [entry.combinations for entry in checked]
    total = sum(count for count in counts if count is not None)
    finite = bool(counts) and None not in counts
    if strategy == GRID:
        yield from _number_of_grid_jobs(place, wanted, total if finite else None)
        return
    if strategy == BAYESIAN and isinstance(wanted, int) and MAX_JOBS < wanted <= _MAX_RANDOM_JOBS:
        yield f"{place}: {wanted} are more than the {MAX_JOBS} that a {BAYESIAN} search may have"
    if isinstance(wanted, int) and finite and total < wanted:
        yield (
            f"{place}: there are only {total} combinations of the ranges' values for {wanted} training jobs; "
            "lower it or add ranges"
        )
    if wanted is None and not _ends_otherwise(request):
        yield f"{place}: is missing, and no other limit or criterion ends the search; set it"


def _number_of_grid_jobs(place: str, wanted: JSON, combinations: int | None) -> Iterator[str]:
    if combinations is None:
        return
    if combinations > MAX_JOBS:
        yield f"{place}: the grid has {combinations} combinations, more than the {MAX_JOBS} that one may have"
    elif isinstance(wanted, int) and wanted != combinations:
        yield f"{place}: is {wanted}, but the grid has {combinations} combinations; leave it out"


def _ends_otherwise(request: Request) -> bool:
    return any(
        request.find(path) is not None for path in (f"{_LIMITS}.MaxRuntimeInSeconds", _TARGET, _PATIENCE)
    )
