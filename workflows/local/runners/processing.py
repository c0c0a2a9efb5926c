"""Processing steps: CreateProcessingJob."""

from pathlib import Path

from workflows.definition.model import JSON
from workflows.local.container import Container
from workflows.local.records import PROCESSING_JOB
from workflows.local.runners.base import Result, Site, StepFailed, Task
from workflows.local.runners.jobs import describe, finish, make_container, run_to_end, write_resource_config

_PROCESSING = "/opt/ml/processing/"


def run(task: Task, site: Site) -> Result:
    """Give the job its inputs, run its entry point, store its outputs."""
    request = task.request
    stand_in = site.stand_in(request.text("AppSpecification.ImageUri"), request.where)
    argv = (
        *request.texts("AppSpecification.ContainerEntrypoint"),
        *request.texts("AppSpecification.ContainerArguments"),
    )
    container = make_container(
        task, stand_in, tuple(argv), {**site.environment, **request.mapping("Environment")}
    )
    started = site.now()
    _fill(container, task, site)
    failure = run_to_end(
        container,
        site,
        message_file="output/message",
        timeout_s=request.number("StoppingCondition.MaxRuntimeInSeconds", 86400),
        on_line=lambda line: site.report(task.step, line),
    )
    if failure is None:
        for output in request.requests("ProcessingOutputConfig.Outputs"):
            site.objects.adopt(
                _local(container, output.text("S3Output.LocalPath")), output.text("S3Output.S3Uri")
            )
    extra: dict[str, JSON] = {"ProcessingStartTime": started, "ProcessingEndTime": site.now()}
    if message := container.message("output/message"):
        extra["ExitMessage"] = message[:1024]
    description = describe(
        task, site, prefix="ProcessingJob", kind=PROCESSING_JOB, started=started, failure=failure, **extra
    )
    metadata: dict[str, JSON] = {"ProcessingJob": {"Arn": description["ProcessingJobArn"]}}
    result = Result(kind=PROCESSING_JOB, name=task.name, description=description, metadata=metadata)
    return finish(task, result, failure)


def _fill(container: Container, task: Task, site: Site) -> None:
    for entry in task.request.requests("ProcessingInputs"):
        site.objects.download(entry.text("S3Input.S3Uri"), _local(container, entry.text("S3Input.LocalPath")))
    for output in task.request.requests("ProcessingOutputConfig.Outputs"):
        _local(container, output.text("S3Output.LocalPath")).mkdir(parents=True, exist_ok=True)
    container.write_config(
        "config/processingjobconfig.json", {**task.request.fields, "ProcessingJobName": task.name}
    )
    write_resource_config(container, "config/resourceconfig.json")


def _local(container: Container, path: str) -> Path:
    inside = Path(path)
    if not path.startswith(_PROCESSING) or ".." in inside.parts:
        raise StepFailed(f"LocalPath '{path}' must begin with {_PROCESSING}")
    return container.opt_ml / inside.relative_to("/opt/ml")
