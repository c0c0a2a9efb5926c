"""Processing jobs: CreateProcessingJob and its like."""

from collections.abc import Iterator, Mapping

from workflows.local.job_kinds import PROCESSING
from workflows.server.json_protocol import Operation
from workflows.server.machine import Machine
from workflows.server.sagemaker import defaults
from workflows.server.sagemaker.jobs import JobOperations, not_found
from workflows.server.shapes import Input


def refusals(_machine: Machine, given: Input) -> Iterator[str]:
    """What SageMaker refuses of a processing job's request, beside what steps are refused for."""
    names: set[str] = set()
    inputs = given.get("ProcessingInputs")
    for entry in inputs if isinstance(inputs, list) else []:
        name = str(entry["InputName"]) if isinstance(entry, dict) else ""
        if name in names:
            yield f"ProcessingInputs: several are named '{name}'; input names must be unique within a job"
        names.add(name)


PROCESSING_JOBS = JobOperations(
    kind=PROCESSING,
    noun="processing job",
    unknown=not_found("Could not find requested job with name: {name}"),
    unknown_to_stop=not_found("Could not find job to update with name: {name}"),
    taken=(
        "Job name must be unique within an AWS account and region, and a job with this name already exists "
        "({arn})"
    ),
    summaries="ProcessingJobSummaries",
    refusals=refusals,
    defaults=defaults.PROCESSING,
)

OPERATIONS: Mapping[str, Operation] = {
    "CreateProcessingJob": PROCESSING_JOBS.create,
    "DescribeProcessingJob": PROCESSING_JOBS.describe,
    "ListProcessingJobs": PROCESSING_JOBS.list_page,
    "StopProcessingJob": PROCESSING_JOBS.stop,
    "DeleteProcessingJob": PROCESSING_JOBS.delete,
}
