"""Processing steps: CreateProcessingJob."""

from pathlib import Path, PurePosixPath

from workflows.definition.model import JSON
from workflows.local.images import StandIn
from workflows.local.merging import merge
from workflows.local.objects import parse
from workflows.local.records import PROCESSING_JOB
from workflows.local.request import Request
from workflows.local.runners.base import Result, Site, StepFailed, Task
from workflows.local.runners.job_containers import (
    Containers,
    Input,
    all_utf8,
    folder_of,
    give_inputs,
    instances_of,
    is_sharded,
    make_containers,
    messages,
    place_below,
    run_to_end,
    write_resource_config,
)
from workflows.local.runners.jobs import describe, discard_last_try, failure_of, finish, record_start, store

_PROCESSING = "/opt/ml/processing"
_MESSAGE = "output/message"


def run(task: Task, site: Site) -> Result:
    """Give the job its inputs, run its entry point on every host, store the outputs of all."""
    if task.fault and task.fault.kind == "spot-interruption":
        raise StepFailed("spot-interruption: only managed spot training jobs are interrupted")
    stand_in = site.stand_in(task.request.text("AppSpecification.ImageUri"), task.request.where)
    started = site.now()
    fields: dict[str, JSON] = {"ProcessingStartTime": started}
    record_start(task, site, prefix="ProcessingJob", kind=PROCESSING_JOB, started=started, **fields)
    job = _Job(task, site, stand_in)
    failure = failure_of(task, job.run)
    fields["ProcessingEndTime"] = site.now()
    if job.exit_message:
        fields["ExitMessage"] = job.exit_message
    description = describe(
        task, site, prefix="ProcessingJob", kind=PROCESSING_JOB, started=started, failure=failure, **fields
    )
    metadata: dict[str, JSON] = {"ProcessingJob": {"Arn": description["ProcessingJobArn"]}}
    result = Result(kind=PROCESSING_JOB, name=task.name, description=description, metadata=metadata)
    return finish(task, result, failure)


class _Job:
    """One processing job."""

    def __init__(self, task: Task, site: Site, stand_in: StandIn) -> None:
        self._task, self._site, self._stand_in = task, site, stand_in
        self.exit_message = ""

    def run(self) -> str | None:
        """Run it and store its outputs; returns why it failed."""
        discard_last_try(self._task, self._site)
        containers = self._make()
        outcome = run_to_end(containers, self._task, self._site, message_file=_MESSAGE)
        self.exit_message = messages(containers, _MESSAGE)
        if outcome.failure is not None:
            return outcome.failure
        if not all_utf8(containers, _MESSAGE):
            return f"ClientError: /opt/ml/{_MESSAGE} is not UTF-8 text"
        store(self._task, self._site, self._outputs(containers))
        return None

    def _make(self) -> Containers:
        request = self._task.request
        instances = instances_of(request, "ProcessingResources.ClusterConfig")
        argv = (
            *request.texts("AppSpecification.ContainerEntrypoint"),
            *request.texts("AppSpecification.ContainerArguments"),
        )
        containers = make_containers(
            self._task,
            self._site,
            stand_in=self._stand_in,
            instances=instances,
            argv=argv,
            environment={**self._site.environment, **request.mapping("Environment")},
        )
        outputs = [_place(output) for output in request.requests("ProcessingOutputConfig.Outputs")]
        inputs = [_input(entry) for entry in request.requests("ProcessingInputs")]
        give_inputs(containers, inputs, self._site.objects, kept=outputs)
        for container in containers.values():
            for place in outputs:
                (container.opt_ml / place).mkdir(parents=True, exist_ok=True)
            container.write_config(
                "config/processingjobconfig.json", {**request.fields, "ProcessingJobName": self._task.name}
            )
        write_resource_config(containers, "config/resourceconfig.json", instances)
        return containers

    def _outputs(self, containers: Containers) -> list[tuple[Path, str]]:
        """The files of all hosts, and where each is stored."""
        found = []
        for output in self._task.request.requests("ProcessingOutputConfig.Outputs"):
            prefix = parse(output.text("S3Output.S3Uri"))
            folders = {host: folder_of(container, _place(output)) for host, container in containers.items()}
            for relative, path in merge(folders, self._warn).items():
                if path.is_file() and not path.is_symlink():
                    found.append((path, str(prefix.child(relative))))
        return found

    def _warn(self, line: str) -> None:
        self._site.report(self._task.step, line)


def _input(entry: Request) -> Input:
    return Input(
        uri=entry.text("S3Input.S3Uri"),
        place=place_below(entry.text("S3Input.LocalPath"), _PROCESSING, f"{entry.where}.S3Input.LocalPath"),
        sharded=is_sharded(entry.text("S3Input.S3DataDistributionType", "FullyReplicated")),
    )


def _place(output: Request) -> PurePosixPath:
    return place_below(output.text("S3Output.LocalPath"), _PROCESSING, f"{output.where}.S3Output.LocalPath")
