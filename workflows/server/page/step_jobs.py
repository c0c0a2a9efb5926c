"""What a step's job leaves: its log, and the metrics in it."""

import os
from pathlib import Path

from workflows.definition.records import Record
from workflows.local import job_logs
from workflows.local.metrics import MetricPatterns
from workflows.local.records import TRAINING_JOB
from workflows.local.request import Request
from workflows.local.resources import KINDS as METADATA_KINDS
from workflows.local.resources import resource_name
from workflows.local.store import Store
from workflows.server.machine import Machine
from workflows.server.page.step_views import StepView
from workflows.server.sagemaker.execution_steps import job_of

_JOBS = ("ProcessingJob", "TrainingJob", "TransformJob", "TuningJob")
# The end of a log that one look shows.
TAIL_BYTES = 64 * 1024


def job_of_step(store: Store, execution_id: str, step: StepView) -> tuple[str, str, Record] | None:
    """Kind, name and record of a step's job; of one from the cache, the job that ran then."""
    if step.record is None:
        return None
    for key in _JOBS:
        name = resource_name(dict(step.record), key)
        record = store.find(METADATA_KINDS[key], name) if name else None
        if name and record:
            return METADATA_KINDS[key], name, record
    found = job_of(store, execution_id, step.name, step.type)
    return (found[0].record, str(found[1][found[0].name]), found[1]) if found else None


def log_of_step(store: Store, execution_id: str, step: StepView) -> Path | None:
    """The log of a step's job; None if it has none yet."""
    job = job_of_step(store, execution_id, step)
    log = job_logs.log_of(store, job[0], job[1]) if job else None
    return log if log is not None and log.is_file() else None


def tail(log: Path) -> tuple[str, bool]:
    """The last lines of a log, and whether there are more before them."""
    with log.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        begin = max(0, size - TAIL_BYTES)
        file.seek(begin)
        content = file.read(TAIL_BYTES)
    if begin:
        content = content.partition(b"\n")[2]
    return content.decode(errors="replace"), begin > 0


def metric_series(
    machine: Machine, execution_id: str, steps: list[StepView]
) -> dict[str, dict[str, list[float]]]:
    """Metric -> training step -> its values so far, in the order of the log."""
    found: dict[str, dict[str, list[float]]] = {}
    for step in steps:
        job = job_of_step(machine.store, execution_id, step)
        if job is None or job[0] != TRAINING_JOB:
            continue
        log = job_logs.log_of(machine.store, job[0], job[1])
        for name, values in _patterns(machine, job[2]).series(log).items() if log.is_file() else ():
            found.setdefault(name, {})[step.name] = values
    return found


def _patterns(machine: Machine, job: Record) -> MetricPatterns:
    request = Request(job, str(job["TrainingJobName"]))
    # A job that is only asked for by the name of an algorithm publishes no metrics here.
    image = request.text("AlgorithmSpecification.TrainingImage", "")
    stand_in = machine.engine.place.images.find(image) if image else None
    return MetricPatterns(request, stand_in.metrics if stand_in else {})
