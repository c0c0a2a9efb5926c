"""Training steps: CreateTrainingJob."""

import tarfile
from collections.abc import Mapping
from pathlib import Path

from workflows.definition.model import JSON
from workflows.local.container import Container
from workflows.local.images import StandIn
from workflows.local.metrics import MetricPatterns
from workflows.local.records import TRAINING_JOB
from workflows.local.runners.base import Result, Site, Task
from workflows.local.runners.jobs import (
    data_source,
    describe,
    finish,
    make_container,
    run_to_end,
    write_resource_config,
)


def run(task: Task, site: Site) -> Result:
    """Give the job its channels, train, store model.tar.gz, collect its metrics."""
    request = task.request
    stand_in = site.stand_in(request.text("AlgorithmSpecification.TrainingImage"), request.where)
    container = make_container(task, stand_in, ("train",), _environment(task, site))
    started = site.now()
    _fill(container, task, site)
    metrics = _MetricReader(stand_in, task, site)
    failure = run_to_end(
        container,
        site,
        message_file="output/failure",
        timeout_s=request.number("StoppingCondition.MaxRuntimeInSeconds", 86400),
        on_line=metrics.read,
    )
    if checkpoints := request.find("CheckpointConfig.S3Uri"):
        # Also after a failure: that is what checkpoints are for.
        site.objects.adopt(container.opt_ml / "checkpoints", str(checkpoints))
    output = f"{request.text('OutputDataConfig.S3OutputPath').rstrip('/')}/{task.name}/output"
    extra: dict[str, JSON] = {"FinalMetricDataList": metrics.final(), "TrainingEndTime": site.now()}
    extra |= {"TrainingStartTime": started, "SecondaryStatus": "Completed" if failure is None else "Failed"}
    if failure is None:
        _store_archives(container, task, site, output)
        extra["ModelArtifacts"] = {"S3ModelArtifacts": f"{output}/model.tar.gz"}
    description = describe(
        task, site, prefix="TrainingJob", kind=TRAINING_JOB, started=started, failure=failure, **extra
    )
    metadata: dict[str, JSON] = {"TrainingJob": {"Arn": description["TrainingJobArn"]}}
    result = Result(kind=TRAINING_JOB, name=task.name, description=description, metadata=metadata)
    return finish(task, result, failure)


def _environment(task: Task, site: Site) -> dict[str, str]:
    own = {"TRAINING_JOB_NAME": task.name, "TRAINING_JOB_ARN": site.arn(TRAINING_JOB, task.name)}
    return {**site.environment, **own, **task.request.mapping("Environment")}


def _fill(container: Container, task: Task, site: Site) -> None:
    request = task.request
    channels: dict[str, JSON] = {}
    for channel in request.requests("InputDataConfig"):
        name = channel.text("ChannelName")
        uri, _ = data_source(channel)
        site.objects.download(uri, container.opt_ml / "input" / "data" / name)
        channels[name] = _channel_config(channel.fields)
    container.write_config("input/config/inputdataconfig.json", channels)
    container.write_config("input/config/hyperparameters.json", dict(request.mapping("HyperParameters")))
    write_resource_config(container, "input/config/resourceconfig.json")
    for folder in ("model", "output/data"):
        (container.opt_ml / folder).mkdir(parents=True, exist_ok=True)
    if checkpoints := request.find("CheckpointConfig.S3Uri"):
        folder_path = container.opt_ml / "checkpoints"
        folder_path.mkdir()
        if any(True for _ in site.objects.keys(str(checkpoints))):
            site.objects.download(str(checkpoints), folder_path)


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


def _store_archives(container: Container, task: Task, site: Site, output: str) -> None:
    _store_archive(container.opt_ml / "model", task.folder / "model.tar.gz", site, f"{output}/model.tar.gz")
    if any((container.opt_ml / "output" / "data").iterdir()):
        folder = container.opt_ml / "output" / "data"
        _store_archive(folder, task.folder / "output.tar.gz", site, f"{output}/output.tar.gz")


def _store_archive(folder: Path, archive: Path, site: Site, uri: str) -> None:
    # Level 1: weights hardly compress, and nobody should wait for it.
    with tarfile.open(archive, "w:gz", compresslevel=1) as tar:
        for path in sorted(folder.iterdir()):
            tar.add(path, arcname=path.name)
    site.objects.adopt_file(archive, uri)
    archive.unlink()


class _MetricReader:
    """Keeps the last value of each metric in a job's log."""

    def __init__(self, stand_in: StandIn, task: Task, site: Site) -> None:
        self._patterns = MetricPatterns(task.request, stand_in.metrics)
        self._last: dict[str, tuple[float, str]] = {}
        self._task, self._site = task, site

    def read(self, line: str) -> None:
        """Take the metrics of one line."""
        self._site.report(self._task.step, line)
        for name, value in self._patterns.find(line):
            self._last[name] = (value, self._site.now())
            self._site.metric(self._task.step, name, value)

    def final(self) -> list[JSON]:
        """FinalMetricDataList: the last value of each."""
        return [
            {"MetricName": name, "Value": value, "Timestamp": when}
            for name, (value, when) in self._last.items()
        ]
