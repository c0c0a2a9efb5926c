"""Where the logs of jobs are: of those in pipelines, of those outside, and of what tuning jobs start."""

from pathlib import Path

from workflows.definition.records import last_part
from workflows.local import naming
from workflows.local.job_kinds import job_folder
from workflows.local.records import (
    ENDPOINT,
    EXECUTION_STEP,
    HYPER_PARAMETER_TUNING_JOB,
    TRAINING_JOB,
)
from workflows.local.store import Store
from workflows.local.tuning.job import tuning_job_name

LOG = "log.txt"


def log_of(store: Store, record_kind: str, name: str) -> Path:
    """The log of a job, or of an endpoint's containers; the file need not exist.

    Of a job with several hosts these are the lines of all, each with its host.

    Args:
        store: where the job is on record.
        record_kind: of the job, such as "training-job"; or "endpoint".
        name: of the job.
    """
    if record_kind == ENDPOINT:
        return store.home / "endpoints" / name / LOG
    return folder_of(store, record_kind, name) / LOG


def folder_of(store: Store, record_kind: str, name: str) -> Path:
    """The folder of a job that is or was on record; it need not exist.

    A job with several hosts has a folder for each in it, with a log of its own.
    """
    own = job_folder(store, record_kind, name)
    if own.is_dir():
        return own
    record = store.find(record_kind, name) or {}
    if record_kind == TRAINING_JOB and "TuningJobArn" in record:
        return folder_of(store, HYPER_PARAMETER_TUNING_JOB, last_part(record["TuningJobArn"])) / name
    return _step_folder(store, record_kind, name) or own


def _step_folder(store: Store, record_kind: str, name: str) -> Path | None:
    """The folder of the step that has made a job: its name is made of the execution's and the step's."""
    execution, _, _ = name.removeprefix("pipelines-").partition("-")
    for record in store.all(EXECUTION_STEP, parent=execution):
        step = str(record["StepName"])
        job = naming.job_name(execution, step)
        if name == (tuning_job_name(job) if record_kind == HYPER_PARAMETER_TUNING_JOB else job):
            return store.home / "runs" / execution / step
    return None
