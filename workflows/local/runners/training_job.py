"""Training steps: CreateTrainingJob."""

import time
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import PurePosixPath

from workflows.definition.model import JSON
from workflows.local import transitions
from workflows.local.archives import write_archive
from workflows.local.checkpoints import CheckpointCopier
from workflows.local.cluster import Cut
from workflows.local.images import StandIn
from workflows.local.merging import merge
from workflows.local.metrics import MetricPatterns
from workflows.local.objects import parse
from workflows.local.records import TRAINING_JOB
from workflows.local.request import Request, RequestError
from workflows.local.runners.base import Result, Site, StepFailed, Task
from workflows.local.runners.job_containers import (
    Containers,
    Input,
    Outcome,
    folder_of,
    give_inputs,
    instances_of,
    is_sharded,
    make_containers,
    place_below,
    run_to_end,
    write_resource_config,
)
from workflows.local.runners.jobs import (
    data_source,
    describe,
    discard_last_try,
    failure_of,
    finish,
    record_start,
    store,
)

_DATA = PurePosixPath("input/data")
_MODEL = PurePosixPath("model")
_OUTPUT = PurePosixPath("output/data")


def run(task: Task, site: Site) -> Result:
    """Give the job its channels, train, store model.tar.gz, collect its metrics."""
    _check_fault(task)
    job = _Job(task, site)
    failure = failure_of(task, job.run)
    description = job.describe(failure)
    metadata: dict[str, JSON] = {"TrainingJob": {"Arn": description["TrainingJobArn"]}}
    result = Result(kind=TRAINING_JOB, name=task.name, description=description, metadata=metadata)
    return finish(task, result, failure)


def _check_fault(task: Task) -> None:
    if task.fault is None or task.fault.kind != "spot-interruption":
        return
    if task.request.find("EnableManagedSpotTraining") is not True:
        raise StepFailed(
            f"spot-interruption: {task.request.where} does not set EnableManagedSpotTraining to true, and "
            "only managed spot jobs are interrupted"
        )


class _Job:
    """One training job, from its start to its last record."""

    def __init__(self, task: Task, site: Site) -> None:
        request = task.request
        self._task, self._site = task, site
        self._stand_in = site.stand_in(request.text("AlgorithmSpecification.TrainingImage"), request.where)
        self._instances = instances_of(request, "ResourceConfig")
        self._metrics = _MetricReader(self._stand_in, task, site)
        self._statuses = transitions.Transitions(site.now)
        self._started = site.now()
        self._trained_s = 0.0
        self._cut: Cut | None = None
        self._artifact: str | None = None

    def run(self) -> str | None:
        """Train until the end, also over interruptions, and store the artifacts; returns why it failed."""
        discard_last_try(self._task, self._site)
        fault = self._task.fault
        left = fault.times if fault and fault.kind == "spot-interruption" else 0
        containers, outcome = self._train(self._task)
        while outcome.cut is Cut.INTERRUPTED:
            left -= 1
            self._enter(transitions.INTERRUPTED)
            self._site.report(self._task.step, "the spot instance was interrupted; the job starts again")
            again = self._task if left else replace(self._task, fault=None)
            containers, outcome = self._train(again)
        self._cut = outcome.cut
        if outcome.failure is None:
            self._enter(transitions.UPLOADING)
            self._store_archives(containers)
        return outcome.failure

    def describe(self, failure: str | None) -> dict[str, JSON]:
        """What DescribeTrainingJob says at the end."""
        self._statuses.enter(self._last_status(failure))
        seconds = round(self._trained_s)
        extra: dict[str, JSON] = {
            "FinalMetricDataList": self._metrics.final(),
            "TrainingStartTime": self._started,
            "TrainingEndTime": self._site.now(),
            "TrainingTimeInSeconds": seconds,
            "BillableTimeInSeconds": seconds,
            **self._statuses.fields(),
        }
        if self._artifact:
            extra["ModelArtifacts"] = {"S3ModelArtifacts": self._artifact}
        description = describe(
            self._task,
            self._site,
            prefix="TrainingJob",
            kind=TRAINING_JOB,
            started=self._started,
            failure=failure,
            **extra,
        )
        if self._cut is Cut.TIMEOUT:
            # As the service has it: such a job was stopped.
            description["TrainingJobStatus"] = "Stopped"
        return description

    def _last_status(self, failure: str | None) -> str:
        if failure is None:
            return transitions.COMPLETED
        if self._cut is Cut.TIMEOUT:
            return transitions.MAX_RUNTIME_EXCEEDED
        return transitions.STOPPED if self._site.stopped.is_set() else transitions.FAILED

    def _enter(self, status: str) -> None:
        self._statuses.enter(status)
        record_start(
            self._task,
            self._site,
            prefix="TrainingJob",
            kind=TRAINING_JOB,
            started=self._started,
            TrainingStartTime=self._started,
            **self._statuses.fields(),
        )

    def _train(self, task: Task) -> tuple[Containers, Outcome]:
        """One run of the containers, from empty trees; checkpoints are what survives it."""
        self._enter(transitions.STARTING)
        containers = make_containers(
            task,
            self._site,
            stand_in=self._stand_in,
            instances=self._instances,
            argv=("train",),
            environment=_environment(task, self._site),
        )
        self._enter(transitions.DOWNLOADING)
        self._fill(containers)
        self._enter(transitions.TRAINING)
        began = time.monotonic()
        with self._checkpoints_of(containers):
            outcome = run_to_end(
                containers,
                task,
                self._site,
                message_file="output/failure",
                on_line=self._metrics.read,
                ran_s=self._trained_s,
            )
        self._trained_s += time.monotonic() - began
        return containers, outcome

    def _fill(self, containers: Containers) -> None:
        request = self._task.request
        channels = request.requests("InputDataConfig")
        give_inputs(
            containers, [_input(channel) for channel in channels], self._site.objects, kept=self._kept()
        )
        config: dict[str, JSON] = {
            channel.text("ChannelName"): _channel_config(channel.fields) for channel in channels
        }
        for container in containers.values():
            for place in self._kept():
                (container.opt_ml / place).mkdir(parents=True, exist_ok=True)
            container.write_config("input/config/inputdataconfig.json", config)
            hyperparameters: dict[str, JSON] = {**request.mapping("HyperParameters")}
            container.write_config("input/config/hyperparameters.json", hyperparameters)
        write_resource_config(containers, "input/config/resourceconfig.json", self._instances)
        self._give_checkpoints(containers)

    def _give_checkpoints(self, containers: Containers) -> None:
        uri = self._checkpoint_uri()
        if uri and any(True for _ in self._site.objects.keys(uri)):
            earlier = Input(uri, self._checkpoint_place(), sharded=False)
            # Only what it adds or changes gets into its own tree, but what becomes the model must be there.
            give_inputs(containers, [earlier], self._site.objects, kept=(_MODEL, _OUTPUT))

    def _kept(self) -> list[PurePosixPath]:
        return [_MODEL, _OUTPUT, *([self._checkpoint_place()] if self._checkpoint_uri() else [])]

    def _checkpoint_uri(self) -> str | None:
        """Where checkpoints are kept; it is a folder, however it is written."""
        uri = self._task.request.text("CheckpointConfig.S3Uri", "")
        return f"{uri.rstrip('/')}/" if uri else None

    def _checkpoint_place(self) -> PurePosixPath:
        path = self._task.request.text("CheckpointConfig.LocalPath", "/opt/ml/checkpoints")
        return place_below(path, "/opt/ml", "CheckpointConfig.LocalPath")

    def _checkpoints_of(self, containers: Containers) -> AbstractContextManager[object]:
        uri = self._checkpoint_uri()
        if uri is None:
            return nullcontext()
        folders = [container.opt_ml / self._checkpoint_place() for container in containers.values()]
        return CheckpointCopier(folders, parse(uri), self._site.objects)

    def _store_archives(self, containers: Containers) -> None:
        output = (
            f"{self._task.request.text('OutputDataConfig.S3OutputPath').rstrip('/')}/{self._task.name}/output"
        )
        files = []
        for place, name in ((_MODEL, "model.tar.gz"), (_OUTPUT, "output.tar.gz")):
            folders = {host: folder_of(container, place) for host, container in containers.items()}
            entries = merge(folders, lambda line: self._site.report(self._task.step, line))
            if entries or place is _MODEL:
                archive = self._task.folder / "archives" / name
                archive.parent.mkdir(exist_ok=True)
                write_archive(entries, archive)
                files.append((archive, f"{output}/{name}"))
        store(self._task, self._site, files)
        self._artifact = f"{output}/model.tar.gz"


def _environment(task: Task, site: Site) -> dict[str, str]:
    own = {"TRAINING_JOB_NAME": task.name, "TRAINING_JOB_ARN": site.arn(TRAINING_JOB, task.name)}
    return {**site.environment, **own, **task.request.mapping("Environment")}


def _input(channel: Request) -> Input:
    name = channel.text("ChannelName")
    if name in (".", "..") or "/" in name:
        raise RequestError(f"{channel.where}.ChannelName: '{name}' cannot be the name of a channel")
    uri, _ = data_source(channel)
    distribution = channel.text("DataSource.S3DataSource.S3DataDistributionType", "FullyReplicated")
    return Input(uri, _DATA / name, sharded=is_sharded(distribution))


def _channel_config(channel: Mapping[str, JSON]) -> dict[str, JSON]:
    source = channel.get("DataSource")
    s3 = source.get("S3DataSource") if isinstance(source, dict) else None
    distribution = s3.get("S3DataDistributionType") if isinstance(s3, dict) else None
    config: dict[str, JSON] = {
        "TrainingInputMode": channel.get("InputMode") or "File",
        "S3DistributionType": distribution or "FullyReplicated",
        "RecordWrapperType": channel.get("RecordWrapperType") or "None",
    }
    if channel.get("ContentType"):
        config["ContentType"] = channel["ContentType"]
    return config


class _MetricReader:
    """Keeps the last value of each metric in a job's log."""

    def __init__(self, stand_in: StandIn, task: Task, site: Site) -> None:
        self._patterns = MetricPatterns(task.request, stand_in.metrics)
        self._last: dict[str, tuple[float, str]] = {}
        self._task, self._site = task, site

    def read(self, line: str) -> None:
        """Take the metrics of one line."""
        for name, value in self._patterns.find(line):
            self._last[name] = (value, self._site.now())
            self._site.metric(self._task.step, name, value)

    def final(self) -> list[JSON]:
        """FinalMetricDataList: the last value of each."""
        return [
            {"MetricName": name, "Value": value, "Timestamp": when}
            for name, (value, when) in self._last.items()
        ]
