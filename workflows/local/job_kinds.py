"""SageMaker's kinds of job, and where jobs that were made outside a pipeline have their folders."""

from dataclasses import dataclass
from pathlib import Path

from workflows.local.records import (
    HYPER_PARAMETER_TUNING_JOB,
    PROCESSING_JOB,
    TRAINING_JOB,
    TRANSFORM_JOB,
)
from workflows.local.store import Store

STOPPING = "Stopping"


@dataclass(frozen=True, kw_only=True)
class JobKind:
    """One of SageMaker's kinds of job."""

    record: str  # the kind of its records
    prefix: str  # of its fields, such as TrainingJobName
    step_type: str  # whose runner does its work
    ended: str  # the field with the time of its end

    @property
    def name(self) -> str:
        """The field with a job's name."""
        return f"{self.prefix}Name"

    @property
    def status(self) -> str:
        """The field with a job's status."""
        return f"{self.prefix}Status"

    @property
    def arn(self) -> str:
        """The field with a job's ARN."""
        return f"{self.prefix}Arn"


TRAINING = JobKind(record=TRAINING_JOB, prefix="TrainingJob", step_type="Training", ended="TrainingEndTime")
PROCESSING = JobKind(
    record=PROCESSING_JOB, prefix="ProcessingJob", step_type="Processing", ended="ProcessingEndTime"
)
TRANSFORM = JobKind(
    record=TRANSFORM_JOB, prefix="TransformJob", step_type="Transform", ended="TransformEndTime"
)
TUNING = JobKind(
    record=HYPER_PARAMETER_TUNING_JOB,
    prefix="HyperParameterTuningJob",
    step_type="Tuning",
    ended="HyperParameterTuningEndTime",
)
KINDS = (TRAINING, PROCESSING, TRANSFORM, TUNING)


def job_folder(store: Store, record_kind: str, name: str) -> Path:
    """The folder of a job that was made outside a pipeline."""
    return store.home / "jobs" / record_kind / name
