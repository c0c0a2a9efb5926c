"""Channels of the built-in algorithms: which there must be, and what is in them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from workflows.definition.errors import did_you_mean
from workflows.definition.model import JSON
from workflows.preflight.builtin.algorithm import IMAGES, MODEL_CHANNEL, MODEL_CONTENT, RECORDIO, Algorithm
from workflows.preflight.checks import Check
from workflows.preflight.context import Context
from workflows.preflight.document import at, list_of
from workflows.preflight.findings import Finding, Path, Rule, Severity
from workflows.preflight.trainings import Training, trainings

_SOURCE = "SageMaker Developer Guide, Object Detection and Image Classification, input interface"
_FAILS = "The training fails when it starts, after its instance was paid for."

MISSING = Rule(
    identifier="missing-channel",
    severity=Severity.ERROR,
    title="A channel that the built-in algorithm must have is absent",
    why=_FAILS,
    source=_SOURCE,
)
UNKNOWN = Rule(
    identifier="unknown-channel",
    severity=Severity.ERROR,
    title="The built-in algorithm has no such channel; a warning where it resembles none",
    why="What is in it is not read, or the training fails when it starts.",
    source=_SOURCE,
)
CONTENT = Rule(
    identifier="wrong-content-type",
    severity=Severity.ERROR,
    title="A channel's content type is none that the built-in algorithm takes there",
    why=_FAILS,
    source=_SOURCE,
)
MODE = Rule(
    identifier="wrong-input-mode",
    severity=Severity.ERROR,
    title="A channel comes in a mode in which the built-in algorithm cannot read it",
    why=_FAILS,
    source=_SOURCE,
)
MANIFEST = Rule(
    identifier="wrong-manifest",
    severity=Severity.ERROR,
    title="A channel of an augmented manifest lacks what the built-in algorithm needs",
    why=_FAILS,
    source=f"{_SOURCE}, augmented manifest image format",
)
SHARDED = Rule(
    identifier="sharded-channel",
    severity=Severity.WARNING,
    title="A channel of records is split among instances",
    why="Image Classification wants FullyReplicated; what Object Detection does with a part is not known.",
    source=_SOURCE,
)

_DATA = ("train", "validation")
_RESEMBLES = 0.8


@dataclass(frozen=True, kw_only=True)
class _Channel:
    """One entry of InputDataConfig, with what is known of it."""

    name: str
    path: Path
    node: Mapping[str, JSON]
    content: str | None  # media type without parameters, lower case
    mode: str | None
    data_type: str | None  # of S3

    @property
    def is_manifest(self) -> bool:
        return self.data_type == "AugmentedManifestFile"


def _find(context: Context) -> Iterator[Finding]:
    for training in trainings(context):
        algorithm = training.algorithm
        if algorithm is None or any(
            isinstance(node.get("ChannelName"), dict) for node, _ in training.channels()
        ):
            continue
        channels = {channel.name: channel for channel in _channels(context, training)}
        yield from _presence(training, algorithm, channels)
        for channel in channels.values():
            yield from _content(channel, channels)
            yield from _mode(channel)
            yield from _distribution(context, channel)
            if channel.is_manifest:
                yield from _manifest(context, algorithm, channel)


CHECK = Check(rules=(MISSING, UNKNOWN, CONTENT, MODE, MANIFEST, SHARDED), find=_find)


def _channels(context: Context, training: Training) -> Iterator[_Channel]:
    whole = context.text_at(at(training.node.get("AlgorithmSpecification"), "TrainingInputMode"))
    for node, path in training.channels():
        content = context.text_at(node.get("ContentType"))
        yield _Channel(
            name=context.text_at(node.get("ChannelName")) or "",
            path=path,
            node=node,
            content=content.split(";")[0].strip().lower() if content else None,
            mode=context.text_at(node["InputMode"]) if "InputMode" in node else whole,
            data_type=context.text_at(at(node.get("DataSource"), "S3DataSource", "S3DataType")),
        )


def _presence(
    training: Training, algorithm: Algorithm, channels: Mapping[str, _Channel]
) -> Iterator[Finding]:
    for name, channel in channels.items():
        if name not in algorithm.channels:
            resembles = get_close_matches(name, algorithm.channels, 1, _RESEMBLES)
            yield (UNKNOWN.at if resembles else UNKNOWN.mildly_at)(
                (*channel.path, "ChannelName"),
                f"{algorithm.title} has no channel '{name}'{did_you_mean(name, algorithm.channels)}",
                "remove or rename it",
            )
    train = channels.get("train")
    wanted: tuple[str, ...] = _DATA
    if train and train.content in IMAGES and not train.is_manifest:
        wanted = (*_DATA, *algorithm.label_channels)
    for name in wanted:
        if name not in channels:
            path = (*training.path, "InputDataConfig")
            yield MISSING.at(
                path if "InputDataConfig" in training.node else training.path,
                f"{algorithm.title} needs a channel '{name}'",
                f"add it to InputDataConfig{'' if name in _DATA else ', or give the pictures as RecordIO'}",
            )


def _content(channel: _Channel, channels: Mapping[str, _Channel]) -> Iterator[Finding]:
    if channel.content is None:
        return
    path = (*channel.path, "ContentType")
    if channel.name == MODEL_CHANNEL:
        if channel.content != MODEL_CONTENT:
            yield CONTENT.at(path, f"the model channel has {channel.content}", f"write {MODEL_CONTENT}")
    elif channel.content not in (RECORDIO, *IMAGES):
        yield CONTENT.at(
            path,
            f"'{channel.name}' has {channel.content}{did_you_mean(channel.content, (RECORDIO, *IMAGES))}",
            f"write {RECORDIO} for records, {IMAGES[0]} for single pictures",
        )
    elif channel.name != "train" and "train" in channels:
        form = channels["train"].content
        if form in (RECORDIO, *IMAGES) and (form == RECORDIO) != (channel.content == RECORDIO):
            yield CONTENT.at(
                path,
                f"'{channel.name}' has {channel.content}, and 'train' has {form}",
                "give both in one form",
            )


def _mode(channel: _Channel) -> Iterator[Finding]:
    needs_files = channel.name == MODEL_CHANNEL or (channel.content in IMAGES and not channel.is_manifest)
    if channel.mode == "Pipe" and needs_files:
        path = (*channel.path, "InputMode") if "InputMode" in channel.node else channel.path
        yield MODE.at(path, f"'{channel.name}' comes in Pipe mode", "set its InputMode to File")


def _distribution(context: Context, channel: _Channel) -> Iterator[Finding]:
    source = at(channel.node.get("DataSource"), "S3DataSource", "S3DataDistributionType")
    if context.text_at(source) == "ShardedByS3Key":
        yield SHARDED.at(
            (*channel.path, "DataSource", "S3DataSource", "S3DataDistributionType"),
            f"'{channel.name}' is ShardedByS3Key",
            "write FullyReplicated",
        )


def _manifest(context: Context, algorithm: Algorithm, channel: _Channel) -> Iterator[Finding]:
    path = (*channel.path, "DataSource", "S3DataSource")
    names = [
        context.text_at(name)
        for name in list_of(at(channel.node.get("DataSource"), "S3DataSource", "AttributeNames"))
    ]
    first, second = algorithm.manifest_attributes
    if len(names) != 2 or names[0] != first or (second is not None and names[1] != second):
        yield MANIFEST.at(
            path,
            f"AttributeNames of '{channel.name}' is {names}",
            f"write {first} first and {second or 'the name of the annotation'} second",
        )
    if context.text_at(channel.node.get("RecordWrapperType")) != "RecordIO":
        yield MANIFEST.at(channel.path, f"'{channel.name}' has no RecordWrapperType of RecordIO", "write it")
    if channel.mode != "Pipe":
        yield MANIFEST.at(
            channel.path, f"'{channel.name}' comes in {channel.mode} mode", "set its InputMode to Pipe"
        )
