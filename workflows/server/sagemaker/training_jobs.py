"""Training jobs: CreateTrainingJob and its like."""

from collections.abc import Iterator, Mapping

from workflows.definition.errors import WorkflowError
from workflows.definition.model import JSON
from workflows.local.images import repository_of
from workflows.local.job_kinds import TRAINING
from workflows.local.objects import parse
from workflows.local.request import Request
from workflows.local.runners.jobs import data_source
from workflows.server.json_protocol import Operation
from workflows.server.machine import Machine
from workflows.server.sagemaker import defaults
from workflows.server.sagemaker.jobs import JobOperations, not_found
from workflows.server.shapes import Input, Output

_UNKNOWN = not_found("Requested resource not found.")
_UNAVAILABLE = {
    "AlgorithmName": "algorithm resources are not available on this machine; give a TrainingImage",
    "ContainerEntrypoint": "the image's own entry point is run with 'train' on this machine; leave it out",
    "ContainerArguments": "the image's own entry point is run with 'train' on this machine; leave it out",
}


def refusals(machine: Machine, given: Input) -> Iterator[str]:
    """What SageMaker refuses of a training job's request, and what does not run here."""
    request = Request(given, "CreateTrainingJob")
    for field, reason in _UNAVAILABLE.items():
        if request.find(f"AlgorithmSpecification.{field}"):
            yield f"AlgorithmSpecification.{field}: {reason}"
    if request.find("AlgorithmSpecification.TrainingImage") is None:
        yield "AlgorithmSpecification.TrainingImage: is missing; on this machine jobs need an image"
    if request.find("ResourceConfig") is None:
        yield "ResourceConfig: is missing; serverless jobs do not run on this machine"
    yield from _empty_channels(machine, request)


def _empty_channels(machine: Machine, request: Request) -> Iterator[str]:
    """The service looks for the data of each channel before it accepts a job."""
    for channel in request.requests("InputDataConfig"):
        if channel.find("DataSource.S3DataSource") is None:
            continue
        uri, kind = data_source(channel)
        try:
            bucket = parse(uri).bucket
            found = any(True for _ in machine.store.objects.keys(uri))
        except WorkflowError as error:
            yield str(error)
            continue
        if kind == "S3Prefix" and not found:
            yield (
                f'No S3 objects found under S3 URL "{uri}" given in input data source. Please ensure that '
                f"the bucket exists in the selected region ({machine.engine.place.region}), that objects "
                f'exist under that S3 prefix, and that the role "{request.find("RoleArn")}" has '
                f'"s3:ListBucket" permissions on bucket "{bucket}".'
            )


TRAINING_JOBS = JobOperations(
    kind=TRAINING,
    noun="training job",
    unknown=_UNKNOWN,
    unknown_to_stop=_UNKNOWN,
    taken=(
        "Training job names must be unique within an AWS account and region, and a training job with this "
        "name already exists ({arn})"
    ),
    summaries="TrainingJobSummaries",
    refusals=refusals,
    defaults=defaults.TRAINING,
)


def describe_training_job(machine: Machine, given: Input) -> Output:
    """DescribeTrainingJob, with the metrics that a built-in algorithm publishes by itself."""
    job = TRAINING_JOBS.describe(machine, given)
    algorithm = job.get("AlgorithmSpecification")
    if not isinstance(algorithm, dict) or algorithm.get("MetricDefinitions"):
        return job
    image, images = str(algorithm.get("TrainingImage")), machine.engine.place.images
    stand_in = images.find(image) if repository_of(image) in images.repositories() else None
    metrics = stand_in.metrics.items() if stand_in else ()
    published: list[JSON] = [{"Name": name, "Regex": regex} for name, regex in metrics]
    return {**job, "AlgorithmSpecification": {**algorithm, "MetricDefinitions": published}}


def list_training_jobs(machine: Machine, given: Input) -> Output:
    """ListTrainingJobs; nothing here has a warm pool or a training plan."""
    if given.get("WarmPoolStatusEquals") or given.get("TrainingPlanArnEquals"):
        return {TRAINING_JOBS.summaries: []}
    return TRAINING_JOBS.list_page(machine, given)


OPERATIONS: Mapping[str, Operation] = {
    "CreateTrainingJob": TRAINING_JOBS.create,
    "DescribeTrainingJob": describe_training_job,
    "ListTrainingJobs": list_training_jobs,
    "StopTrainingJob": TRAINING_JOBS.stop,
    "DeleteTrainingJob": TRAINING_JOBS.delete,
}
