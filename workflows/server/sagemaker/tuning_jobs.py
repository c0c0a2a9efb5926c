"""Tuning jobs: CreateHyperParameterTuningJob and its like."""

from collections.abc import Iterator, Mapping

from workflows.definition.model import JSON
from workflows.definition.records import Record, last_part, objects_of
from workflows.local.job_kinds import TRAINING, TUNING
from workflows.local.records import TRAINING_JOB
from workflows.local.request import Request
from workflows.local.tuning.job import definition_requests, ranges_request
from workflows.server.errors import AwsError
from workflows.server.json_protocol import Operation
from workflows.server.machine import Machine
from workflows.server.paging import chosen, page
from workflows.server.sagemaker import defaults
from workflows.server.sagemaker.jobs import JobOperations
from workflows.server.shapes import Input, Output

_CONFIG = "HyperParameterTuningJobConfig"
_OBJECTIVE = "FinalHyperParameterTuningJobObjectiveMetric"


def _unknown(name: str) -> AwsError:
    return AwsError("ResourceNotFound", f"Amazon SageMaker can't find a tuning job with the name {name}.")


def _no_more_refusals(_machine: Machine, _given: Input) -> Iterator[str]:
    """Steps are refused for everything that there is."""
    yield from ()


TUNING_JOBS = JobOperations(
    kind=TUNING,
    noun="hyperparameter tuning job",
    unknown=_unknown,
    unknown_to_stop=_unknown,
    taken=(
        "Hyperparameter tuning job names must be unique within an AWS account and region, and a tuning job "
        "with this name already exists ({arn})"
    ),
    summaries="HyperParameterTuningJobSummaries",
    refusals=_no_more_refusals,
    defaults=defaults.TUNING,
    default_sort="Name",
)


def list_tuning_jobs(machine: Machine, given: Input) -> Output:
    """ListHyperParameterTuningJobs."""
    listed = TUNING_JOBS.list_page(machine, given)
    summaries = [_summary(record) for record in objects_of(listed[TUNING_JOBS.summaries])]
    return {**listed, TUNING_JOBS.summaries: list[JSON](summaries)}


def list_training_jobs(machine: Machine, given: Input) -> Output:
    """ListTrainingJobsForHyperParameterTuningJob."""
    name = str(given[TUNING.name])
    tuning_job = machine.store.find(TUNING.record, name)
    if tuning_job is None:
        raise _unknown(name)
    arn = tuning_job[TUNING.arn]
    jobs = [
        _training(job, tuning_job)
        for job in machine.store.all(TRAINING_JOB)
        if job.get("TuningJobArn") == arn
    ]
    listed, token = page(_sorted(jobs, given), given)
    return {"TrainingJobSummaries": list[JSON](listed), "NextToken": token}


OPERATIONS: Mapping[str, Operation] = {
    "CreateHyperParameterTuningJob": TUNING_JOBS.create,
    "DescribeHyperParameterTuningJob": TUNING_JOBS.describe,
    "ListHyperParameterTuningJobs": list_tuning_jobs,
    "StopHyperParameterTuningJob": TUNING_JOBS.stop,
    "ListTrainingJobsForHyperParameterTuningJob": list_training_jobs,
}


def _summary(record: Record) -> Record:
    config = Request(record, "").find(_CONFIG)
    fields = config if isinstance(config, dict) else {}
    return {**record, "Strategy": fields.get("Strategy"), "ResourceLimits": fields.get("ResourceLimits")}


def _training(job: Record, tuning_job: Record) -> Record:
    """HyperParameterTrainingJobSummary of a training job."""
    known = [
        summary
        for summary in objects_of(tuning_job.get("TrainingJobSummaries"))
        if summary["TrainingJobName"] == job["TrainingJobName"]
    ]
    if known:
        return {**job, **known[0]}
    return {
        **job,
        "TuningJobName": last_part(tuning_job[TUNING.arn]),
        "TunedHyperParameters": _tuned(job, Request(tuning_job, "")),
        "ObjectiveStatus": "Pending" if job[TRAINING.status] == "InProgress" else "Failed",
    }


def _tuned(job: Record, tuning_job: Request) -> dict[str, JSON]:
    """The hyperparameters of a training job that the tuning job has chosen."""
    names = {
        str(entry["Name"])
        for definition in definition_requests(tuning_job)
        for ranges in ranges_request(tuning_job, definition).fields.values()
        for entry in objects_of(ranges)
    }
    values = job.get("HyperParameters")
    return {key: value for key, value in (values if isinstance(values, dict) else {}).items() if key in names}


def _sorted(jobs: list[Record], given: Input) -> list[Record]:
    status, sort_by = given.get("StatusEquals"), given.get("SortBy", "Name")
    if status is not None:
        jobs = [job for job in jobs if job[TRAINING.status] == status]
    if sort_by == "FinalObjectiveMetricValue":
        # Those without an objective are not listed, as the service has it.
        jobs = sorted((job for job in jobs if _OBJECTIVE in job), key=_objective)
        return jobs[::-1] if given.get("SortOrder") == "Descending" else jobs
    fields = {"Name": TRAINING.name, "Status": TRAINING.status, "CreationTime": "CreationTime"}
    return chosen(jobs, {**given, "SortBy": sort_by}, sort_by=fields, default_order="Ascending")


def _objective(job: Record) -> float:
    value = Request(job, "").find(f"{_OBJECTIVE}.Value")
    return float(value) if isinstance(value, (int, float)) else 0.0
