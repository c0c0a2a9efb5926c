"""Transform jobs: CreateTransformJob and its like."""

from collections.abc import Iterator, Mapping

from workflows.local.job_kinds import TRANSFORM
from workflows.local.records import MODEL
from workflows.server.json_protocol import Operation
from workflows.server.machine import Machine
from workflows.server.sagemaker import defaults
from workflows.server.sagemaker.jobs import JobOperations, not_found
from workflows.server.shapes import Input


def refusals(machine: Machine, given: Input) -> Iterator[str]:
    """What SageMaker refuses of a transform job's request, beside what steps are refused for."""
    model = str(given["ModelName"])
    if machine.store.find(MODEL, model) is None:
        yield f'Could not find model "{machine.names.arn(MODEL, model)}".'


TRANSFORM_JOBS = JobOperations(
    kind=TRANSFORM,
    noun="transform job",
    unknown=not_found("Could not find requested job with name: {name}"),
    unknown_to_stop=not_found("Could not find job to update with name: {name}"),
    taken=(
        "Job name must be unique within an AWS account and region, and a job with this name already exists "
        "({arn})"
    ),
    summaries="TransformJobSummaries",
    refusals=refusals,
    defaults=defaults.TRANSFORM,
    default_order="Descending",
)

OPERATIONS: Mapping[str, Operation] = {
    "CreateTransformJob": TRANSFORM_JOBS.create,
    "DescribeTransformJob": TRANSFORM_JOBS.describe,
    "ListTransformJobs": TRANSFORM_JOBS.list_page,
    "StopTransformJob": TRANSFORM_JOBS.stop,
}
