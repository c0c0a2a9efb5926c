"""Volumes of training jobs, where the data that are copied to them are at hand."""

from collections.abc import Iterator
from pathlib import Path

from workflows.preflight.checks import Check
from workflows.preflight.context import Context
from workflows.preflight.document import at, object_of
from workflows.preflight.findings import Finding, Rule, Severity
from workflows.preflight.instances import has_local_storage
from workflows.preflight.trainings import Training, trainings

_SOURCE = (
    "API reference, TrainingInputMode, File: the volume must hold the data and the output model; "
    "ResourceConfig, VolumeSizeInGB: it does not count on instances with NVMe storage"
)

TOO_SMALL = Rule(
    identifier="data-volume-too-small",
    severity=Severity.ERROR,
    title="The channels are larger than the volume that they are copied to",
    why="The job fails while it downloads its data, or starts without room for anything.",
    source=_SOURCE,
)
NEARLY_FULL = Rule(
    identifier="data-volume-nearly-full",
    severity=Severity.WARNING,
    title="The channels leave less than a tenth of the volume for the model, checkpoints and scratch files",
    why="The training may fail when it writes its model. How much it needs is not known: a tenth is a guess.",
    source=_SOURCE,
)

# The larger of the two meanings of a gigabyte: what does not fit by it does not fit by the other.
_GB = 1 << 30
_ROOM = 0.1


def _find(context: Context) -> Iterator[Finding]:
    if context.data is None:
        return
    folders = {entry.name: entry for entry in sorted(context.data.iterdir()) if entry.is_dir()}
    for training in trainings(context):
        instance = context.text_at(training.resources.get("InstanceType"))
        volume_gb = context.whole_number_at(training.resources.get("VolumeSizeInGB"))
        if instance is None or has_local_storage(instance) or not volume_gb:
            continue
        names = [name for name in _copied(context, training) if name in folders]
        size = sum(_bytes_below(folders[name]) for name in names)
        place = (*training.resources_path, "VolumeSizeInGB")
        fault = f"{' and '.join(names)} have {size / _GB:.2f} GB, and the volume has {volume_gb}"
        wanted = int(size / (1 - _ROOM) / _GB) + 1
        if size > volume_gb * _GB:
            yield TOO_SMALL.at(place, fault, f"write {wanted} or more")
        elif size > volume_gb * _GB * (1 - _ROOM):
            yield NEARLY_FULL.at(place, fault, f"write {wanted} or more")


CHECK = Check(rules=(TOO_SMALL, NEARLY_FULL), find=_find)


def _copied(context: Context, training: Training) -> Iterator[str]:
    """The names of the channels that are copied whole to every instance's volume."""
    general = object_of(training.node.get("AlgorithmSpecification")).get("TrainingInputMode")
    for node, _ in training.channels():
        name = context.text_at(node.get("ChannelName"))
        mode = context.text_at(node.get("InputMode", general))
        distribution = at(node, "DataSource", "S3DataSource", "S3DataDistributionType")
        if name and mode == "File" and context.text_at(distribution) != "ShardedByS3Key":
            yield name


def _bytes_below(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
