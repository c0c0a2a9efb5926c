"""The figures that the steps of an execution came to: metrics of trainings, numbers in reports."""

import json
from collections.abc import Iterable, Iterator

from workflows.definition.model import JSON, Definition
from workflows.definition.records import Record, objects_of
from workflows.local.objects import ObjectError
from workflows.local.request import Request
from workflows.local.resources import made_by_step
from workflows.local.store import Store

_Figure = tuple[tuple[str, str], float]  # step and name, value


def figures(store: Store, steps: list[Record], definition: Definition) -> dict[tuple[str, str], float]:
    """Step and name -> value: of the metrics of trainings and tunings, of numbers in property files."""
    return {
        **dict(_trained(store, steps)),
        **dict(_tuned(store, steps)),
        **dict(_evaluated(store, steps, definition)),
    }


def _trained(store: Store, steps: list[Record]) -> Iterator[_Figure]:
    """The last value of each metric of the training jobs."""
    for step, job in made_by_step(store, steps, "TrainingJob"):
        for entry in objects_of(job.get("FinalMetricDataList")):
            yield from _figure(step, entry["MetricName"], entry["Value"])


def _tuned(store: Store, steps: list[Record]) -> Iterator[_Figure]:
    """The objective of the best training job of each tuning job."""
    for step, job in made_by_step(store, steps, "TuningJob"):
        best = Request(job, step).find("BestTrainingJob.FinalHyperParameterTuningJobObjectiveMetric")
        if isinstance(best, dict):
            yield from _figure(step, best["MetricName"], best["Value"])


def _evaluated(store: Store, steps: list[Record], definition: Definition) -> Iterator[_Figure]:
    """The numbers in the property files of the processing jobs."""
    for step, job in made_by_step(store, steps, "ProcessingJob"):
        known = definition.steps.get(step)
        outputs = {
            output.text("OutputName"): output.text("S3Output.S3Uri")
            for output in Request(job, step).requests("ProcessingOutputConfig.Outputs")
        }
        for file in known.property_files.values() if known else ():
            if file.output in outputs:
                report = _read(store, f"{outputs[file.output].rstrip('/')}/{file.path}")
                for path, value in _leaves(report, file.name):
                    yield from _figure(step, path, value)


def _figure(step: str, name: JSON, value: JSON) -> Iterator[_Figure]:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        yield (step, str(name)), float(value)


def _read(store: Store, uri: str) -> JSON:
    try:
        document: JSON = json.loads(store.objects.read(uri))
    except (ObjectError, ValueError, RecursionError):
        # A job that failed has left none; what is not JSON holds no figures.
        return None
    return document


def _leaves(node: JSON, path: str) -> Iterator[tuple[str, JSON]]:
    children: Iterable[tuple[str, JSON]] = ()
    if isinstance(node, dict):
        children = ((f"{path}.{key}", value) for key, value in node.items())
    elif isinstance(node, list):
        children = ((f"{path}[{index}]", value) for index, value in enumerate(node))
    else:
        yield path, node
    for name, child in children:
        yield from _leaves(child, name)
