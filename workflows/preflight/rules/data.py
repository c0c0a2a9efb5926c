"""The data that built-in algorithms will read, where they are at hand."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from workflows.preflight.builtin.hyperparameter import parse_shape
from workflows.preflight.builtin.object_detection import OBJECT_DETECTION
from workflows.preflight.checks import Check
from workflows.preflight.context import Context
from workflows.preflight.data.survey import BOXES, CLASSES, LAYOUT, UNREADABLE, Survey, find_data, survey
from workflows.preflight.findings import Finding, Rule, Severity
from workflows.preflight.findings import Path as Place
from workflows.preflight.rules import pictures
from workflows.preflight.trainings import Training, trainings

_FORMATS = "SageMaker Developer Guide, Object Detection and Image Classification, input interface"
_MXNET = "MXNet, ImageDetRecordIter and im2rec"
_FAILS = "The training fails, or learns something else than was meant."

NONE = Rule(
    identifier="data-missing",
    severity=Severity.ERROR,
    title="A channel's folder does not hold exactly one .rec or .lst file",
    why="There is nothing to check; the algorithm wants exactly one file of records in a channel.",
    source=_FORMATS,
)
DAMAGED = Rule(
    identifier="data-unreadable",
    severity=Severity.ERROR,
    title="A file is damaged, or what is in a record is no picture",
    why=_FAILS,
    source="dmlc-core, RecordIO; MXNet, image records",
)
WRONG_LAYOUT = Rule(
    identifier="data-label-layout",
    severity=Severity.ERROR,
    title="A label is not laid out as the algorithm reads it",
    why=_FAILS,
    source=_MXNET,
)
WRONG_BOXES = Rule(
    identifier="data-boxes",
    severity=Severity.ERROR,
    title="A box is empty, or not inside its picture",
    why=_FAILS,
    source=f"{_MXNET}: fractions of the picture's sides",
)
WRONG_CLASSES = Rule(
    identifier="data-classes",
    severity=Severity.ERROR,
    title="Class ids are not 0, 1, 2 … without a gap, or not as many as num_classes",
    why=_FAILS,
    source=f"{_FORMATS}: classes are successive from 0",
)
NARROW = Rule(
    identifier="data-label-width",
    severity=Severity.ERROR,
    title="A label is wider than label_width",
    why="MXNet's reader stops at the first such record.",
    source="SageMaker Developer Guide, Object Detection Hyperparameters, label_width",
)
COUNT = Rule(
    identifier="data-sample-count",
    severity=Severity.WARNING,
    title="num_training_samples is not the number of training pictures",
    why="The learning rate is lowered at other moments than was meant.",
    source="SageMaker Developer Guide, Object Detection Hyperparameters, num_training_samples",
)
FEW = Rule(
    identifier="data-below-batch",
    severity=Severity.WARNING,
    title="There are fewer training pictures than mini_batch_size",
    why="No batch is ever full.",
    source="SageMaker Developer Guide, Object Detection Hyperparameters, mini_batch_size",
)
SMALL = Rule(
    identifier="data-small-picture",
    severity=Severity.ERROR,
    title="A picture is smaller than image_shape, and there is no resize",
    why="Image Classification fails at the first such picture.",
    source="SageMaker Developer Guide, Image Classification Hyperparameters, image_shape",
)
SAME = Rule(
    identifier="data-same-picture",
    severity=Severity.WARNING,
    title="The same picture is in training and in validation",
    why="The validation's figures are better than the model.",
    source="the data themselves: equal bytes",
)
UNBALANCED = Rule(
    identifier="data-class-balance",
    severity=Severity.NOTE,
    title="The largest class of the training has ten times as many labels as the smallest, or more",
    why="The model may hardly learn the small class. Ten is a guess; the service has no limit.",
    source="the data themselves",
)
UNSEEN = Rule(
    identifier="data-class-not-validated",
    severity=Severity.NOTE,
    title="A class of the training is not in the validation",
    why="The validation's figures say nothing about it.",
    source="the data themselves",
)

_RULES = {UNREADABLE: DAMAGED, LAYOUT: WRONG_LAYOUT, BOXES: WRONG_BOXES, CLASSES: WRONG_CLASSES}
_REMEDY = "prepare the data again"
_SURVEYED = ("train", "validation")
_UNBALANCED = 10
_MOST_TOLD = 10


def _find(context: Context) -> Iterator[Finding]:
    if context.data is None:
        return
    surveys: dict[tuple[Path, bool], Survey] = {}
    for training in trainings(context):
        if training.algorithm is None:
            continue
        is_detection = training.algorithm is OBJECT_DETECTION
        found: dict[str, tuple[Survey, Place]] = {}
        for node, place in training.channels():
            name = context.text_at(node.get("ChannelName"))
            if name not in _SURVEYED:
                continue
            file = find_data(context.data / name)
            if file is None:
                folder = context.data / name
                yield NONE.at(place, f"{folder} holds not exactly one .rec or .lst file", "leave one there")
                continue
            key = (file, is_detection)
            if key not in surveys:
                surveys[key] = survey(file, is_detection=is_detection)
            found[name] = surveys[key], place
        yield from _channels(training, found)
        if context.inspection is not None:
            yield from pictures.find_in_pictures(context.inspection, found)


CHECK = Check(
    rules=(
        NONE,
        DAMAGED,
        WRONG_LAYOUT,
        WRONG_BOXES,
        WRONG_CLASSES,
        NARROW,
        COUNT,
        FEW,
        SMALL,
        SAME,
        UNBALANCED,
        UNSEEN,
        *pictures.RULES,
    ),
    find=_find,
)


def _channels(training: Training, found: dict[str, tuple[Survey, Place]]) -> Iterator[Finding]:
    for result, place in found.values():
        for kind, faults in result.faults.items():
            for fault in faults:
                yield _RULES[kind].at(place, f"{result.file.name}: {fault}", _REMEDY)
        yield from _sizes(training, result, place)
    # Of a damaged file nothing is known as a whole.
    if "train" in found and UNREADABLE not in found["train"][0].faults:
        yield from _training(training, *found["train"])
    if len(found) == len(_SURVEYED):
        (train, _), (validation, place) = (found[name] for name in _SURVEYED)
        yield from _both(train, validation, place)


def _both(train: Survey, validation: Survey, place: Place) -> Iterator[Finding]:
    unknown = sorted(set(validation.classes) - set(train.classes))
    if unknown:
        yield WRONG_CLASSES.at(place, f"{_named(unknown)} in the validation only", _REMEDY)
    # Of a damaged file nothing is known as a whole.
    unseen = [] if UNREADABLE in validation.faults else sorted(set(train.classes) - set(validation.classes))
    if unseen:
        yield UNSEEN.at(place, f"{_named(unseen)} in the training only", "hold pictures of each class out")
    same = len(validation.shared_with(train))
    if same:
        yield SAME.at(place, f"{same} pictures are in both", "keep each on one side")


def _named(classes: Sequence[int]) -> str:
    told = ", ".join(map(str, classes[:_MOST_TOLD])) + (", …" if len(classes) > _MOST_TOLD else "")
    return f"class {told} is" if len(classes) == 1 else f"classes {told} are"


def _sizes(training: Training, result: Survey, place: Place) -> Iterator[Finding]:
    width = _number(training, "label_width")
    if width is not None and result.widest > width:
        fault = f"{result.file.name}: the widest label has {result.widest} numbers, and label_width={width}"
        yield NARROW.at(place, fault, f"set label_width to {result.widest} or more")
    shape = parse_shape(training.text("image_shape") or "")
    is_classification = training.algorithm is not OBJECT_DETECTION
    if not is_classification or shape is None or result.smallest is None:
        return
    if "resize" not in training.hyperparameters and _is_smaller(result.smallest, shape):
        fault = f"{result.file.name}: sides down to {result.smallest[0]} x {result.smallest[1]} pixels"
        yield SMALL.at(place, fault, f"make the pictures larger, or set resize above {max(shape[1:])}")


def _training(training: Training, result: Survey, place: Place) -> Iterator[Finding]:
    classes, wanted = len(result.classes), _number(training, "num_classes")
    if sorted(result.classes) != list(range(classes)):
        gap = next(number for number in range(classes + 1) if number not in result.classes)
        fault = f"{result.file.name}: no picture is of class {gap}, but of a higher one"
        yield WRONG_CLASSES.at(place, fault, "number the classes from 0 without a gap")
    elif wanted is not None and classes != wanted:
        fault = f"{result.file.name}: pictures of {classes} classes, and num_classes={wanted}"
        yield WRONG_CLASSES.at(place, fault, f"set num_classes to {classes}")
    samples, batch = _number(training, "num_training_samples"), _number(training, "mini_batch_size")
    if samples is not None and samples != result.samples:
        fault = f"{result.file.name} holds {result.samples} pictures, and num_training_samples={samples}"
        yield COUNT.at(place, fault, f"set it to {result.samples}")
    if batch is not None and result.samples < batch:
        fault = f"{result.file.name} holds {result.samples} pictures, and mini_batch_size={batch}"
        yield FEW.at(place, fault, "write a smaller one")
    if classes > 1:
        yield from _balance(result, place)


def _balance(result: Survey, place: Place) -> Iterator[Finding]:
    (largest, most), *_, (smallest, fewest) = result.classes.most_common()
    if most >= _UNBALANCED * fewest:
        fault = f"{result.file.name}: class {largest} has {most} labels, and class {smallest} has {fewest}"
        yield UNBALANCED.at(place, fault, "add pictures of the small classes, or accept it")


def _is_smaller(size: tuple[int, int], shape: tuple[int, int, int]) -> bool:
    return size[1] < shape[1] or size[0] < shape[2]


def _number(training: Training, name: str) -> int | None:
    known = training.algorithm.hyperparameters if training.algorithm else {}
    text = training.text(name) if name in known and not training.is_wrong(name) else None
    return int(text) if text else None
