"""Hyperparameters of the built-in algorithms that do not go together, or not with the rest of their job."""

from collections.abc import Iterator
from dataclasses import replace
from typing import TypeAlias

from workflows.preflight.builtin.algorithm import IMAGES, MODEL_CHANNEL, Algorithm
from workflows.preflight.builtin.hyperparameter import parse_epochs, parse_shape
from workflows.preflight.builtin.image_classification import (
    IMAGE_CLASSIFICATION,
    LARGE_NETWORKS,
    SMALL_NETWORKS,
)
from workflows.preflight.checks import Check
from workflows.preflight.context import Context
from workflows.preflight.findings import Finding, Rule, Severity
from workflows.preflight.instances import gpus
from workflows.preflight.rules.hyperparameters import MISSING
from workflows.preflight.trainings import Training, trainings

_SOURCE = (
    "SageMaker Developer Guide, Object Detection Hyperparameters and Image Classification Hyperparameters"
)
_FAILS = "The training fails when it starts, after its instance was paid for."

TOGETHER = Rule(
    identifier="hyperparameters-conflict",
    severity=Severity.ERROR,
    title="Hyperparameters have values that do not go together",
    why=_FAILS,
    source=_SOURCE,
)
WITHOUT_EFFECT = Rule(
    identifier="hyperparameter-without-effect",
    severity=Severity.NOTE,
    title="A hyperparameter has no effect with the chosen optimizer",
    why="Whoever sets it expects an effect that it has not.",
    source=_SOURCE,
)
LATE_STEP = Rule(
    identifier="rate-step-after-last-epoch",
    severity=Severity.WARNING,
    title="lr_scheduler_step names an epoch that the training does not reach",
    why="The learning rate is not lowered as it was meant.",
    source=_SOURCE,
)
LATE_STOP = Rule(
    identifier="early-stopping-too-late",
    severity=Severity.WARNING,
    title="Early stopping begins after the last epoch",
    why="It can never stop the training.",
    source=_SOURCE,
)
BATCH = Rule(
    identifier="batch-size",
    severity=Severity.ERROR,
    title="mini_batch_size does not fit the GPUs or the number of training pictures",
    why="Each GPU gets an equal part of a batch, and MXNet refuses a part without a picture. A batch that "
    "the data cannot fill repeats pictures, or fails.",
    source="SageMaker Developer Guide, Object Detection Hyperparameters, mini_batch_size; MXNet, how "
    "batches are split",
)
IGNORED_WEIGHTS = Rule(
    identifier="pretrained-ignored",
    severity=Severity.WARNING,
    title="use_pretrained_model is 1 although the job goes on from a model",
    why="The weights of the model channel win; the other ones are ignored.",
    source="SageMaker examples, incremental training of Image Classification",
)
SEVERAL_MACHINES = Rule(
    identifier="store-for-several-machines",
    severity=Severity.WARNING,
    title="kv_store and the number of instances do not go together",
    why="dist_sync and dist_async are for several machines, and several machines need one of them.",
    source=_SOURCE,
)

_BOTH = "set both, or neither"
# The small networks of Image Classification are for pictures of about this many pixels.
_SMALL_PICTURE = 28
# Its pretrained weights are for this image_shape.
_OF_WEIGHTS = (3, 224, 224)
# The hyperparameters that are looked at together, and what is found.
_Joint: TypeAlias = tuple[tuple[str, ...], Finding]


def _find(context: Context) -> Iterator[Finding]:
    for training in trainings(context):
        if training.algorithm is None:
            continue
        for names, finding in _joint(context, training, training.algorithm):
            # It makes sense only where each by itself is right.
            if not any(training.is_wrong(name) for name in names):
                yield finding


CHECK = Check(
    rules=(TOGETHER, WITHOUT_EFFECT, LATE_STEP, LATE_STOP, BATCH, IGNORED_WEIGHTS, SEVERAL_MACHINES),
    find=_find,
)


def _joint(context: Context, training: Training, algorithm: Algorithm) -> Iterator[_Joint]:
    yield from _optimizer(training, algorithm)
    yield from _rate_steps(training)
    yield from _ends(training)
    yield from _batch(context, training)
    yield from _pretrained(context, training)
    yield from _machines(context, training)
    if algorithm is IMAGE_CLASSIFICATION:
        yield from _weights(training)
        yield from _pictures(training)
        yield from _labels(training)
        yield from _resize(context, training)


def _optimizer(training: Training, algorithm: Algorithm) -> Iterator[_Joint]:
    optimizer = training.text("optimizer")
    for name in training.hyperparameters:
        entry = algorithm.hyperparameters.get(name)
        if entry and optimizer and entry.optimizers and optimizer not in entry.optimizers:
            yield (
                (name, "optimizer"),
                WITHOUT_EFFECT.at(
                    training.place(name),
                    f"{name} has an effect with {' and '.join(entry.optimizers)} only, not with {optimizer}",
                    "leave it, or remove it",
                ),
            )


def _rate_steps(training: Training) -> Iterator[_Joint]:
    epochs, steps = _number(training, "epochs"), training.text("lr_scheduler_step")
    if epochs is not None and any(step >= epochs for step in _steps(steps)):
        finding = LATE_STEP.at(
            training.place("lr_scheduler_step"),
            f"lr_scheduler_step={steps!r}, but the training has {epochs} epochs",
            "name earlier epochs, or train longer",
        )
        yield ("epochs", "lr_scheduler_step"), finding


def _ends(training: Training) -> Iterator[_Joint]:
    """Checkpoints and early stopping against the last epoch."""
    epochs = _number(training, "epochs")
    frequency = _number(training, "checkpoint_frequency")
    if epochs is not None and frequency is not None and frequency > epochs:
        finding = TOGETHER.at(
            training.place("checkpoint_frequency"),
            f"checkpoint_frequency={frequency} must be at most epochs={epochs}",
            "write a smaller one",
        )
        yield ("epochs", "checkpoint_frequency"), replace(finding, refused_here=True)
    least, stops = _number(training, "early_stopping_min_epochs"), training.text("early_stopping") == "True"
    if stops and epochs is not None and least is not None and least >= epochs:
        finding = LATE_STOP.at(
            training.place("early_stopping_min_epochs"),
            f"early_stopping_min_epochs={least}, but the training has {epochs} epochs",
            "begin earlier, or switch it off",
        )
        yield ("epochs", "early_stopping", "early_stopping_min_epochs"), finding


def _steps(text: str | None) -> list[int]:
    try:
        return parse_epochs(text or "")
    except ValueError:
        return []


def _batch(context: Context, training: Training) -> Iterator[_Joint]:
    batch, samples = _number(training, "mini_batch_size"), _number(training, "num_training_samples")
    path, names = training.place("mini_batch_size"), ("mini_batch_size", "num_training_samples")
    if batch is not None and samples is not None and batch > samples:
        fault = f"mini_batch_size={batch} is more than num_training_samples={samples}"
        yield names, BATCH.mildly_at(path, fault, "write a smaller one")
    instance = context.text_at(training.resources.get("InstanceType"))
    processors = gpus(instance) if instance else None
    if batch is None or processors is None:
        return
    if batch < processors:
        fault = f"mini_batch_size={batch} is less than the {processors} GPUs of {instance}"
        yield names, BATCH.at(path, fault, f"write {processors} or more")
    elif batch % processors:
        fault = f"mini_batch_size={batch} cannot be shared equally by the {processors} GPUs of {instance}"
        yield names, BATCH.mildly_at(path, fault, f"write a multiple of {processors}")


def _pretrained(context: Context, training: Training) -> Iterator[_Joint]:
    channels = [context.text_at(node.get("ChannelName")) for node, _ in training.channels()]
    if training.text("use_pretrained_model") == "1" and MODEL_CHANNEL in channels:
        path = training.place("use_pretrained_model")
        finding = IGNORED_WEIGHTS.at(path, "the job has a model channel, whose weights win", "set it to 0")
        yield ("use_pretrained_model",), finding


def _weights(training: Training) -> Iterator[_Joint]:
    """What Image Classification's pretrained weights fit."""
    if training.text("use_pretrained_model") != "1":
        return
    path, layers = training.place("use_pretrained_model"), training.text("num_layers")
    if layers is not None and layers not in LARGE_NETWORKS:
        finding = TOGETHER.at(
            path,
            f"there are no pretrained weights for num_layers={layers}",
            f"set num_layers to one of {', '.join(LARGE_NETWORKS)}",
        )
        yield ("use_pretrained_model", "num_layers"), replace(finding, refused_here=True)
    shape = training.text("image_shape")
    if shape is not None and parse_shape(shape) != _OF_WEIGHTS:
        finding = TOGETHER.at(
            path, f"the pretrained weights need image_shape=3,224,224, not {shape}", "set image_shape to that"
        )
        yield ("use_pretrained_model", "image_shape"), finding


def _machines(context: Context, training: Training) -> Iterator[_Joint]:
    count = context.whole_number_at(training.resources.get("InstanceCount"))
    store = training.text("kv_store")
    if count is None or store is None:
        return
    is_shared = store.startswith("dist_")
    if is_shared == (count > 1):
        return
    machines = "one machine" if count == 1 else f"{count} machines"
    yield (
        ("kv_store",),
        SEVERAL_MACHINES.at(
            training.place("kv_store"),
            f"kv_store is {store}, and the job has {machines}",
            "leave kv_store out on one machine; write dist_sync on several",
        ),
    )


def _pictures(training: Training) -> Iterator[_Joint]:
    shape, text = parse_shape(training.text("image_shape") or ""), training.text("image_shape")
    if shape is None:
        return
    side, resize, layers = max(shape[1:]), _number(training, "resize"), training.text("num_layers")
    if resize is not None and resize <= side:
        finding = TOGETHER.at(
            training.place("resize"),
            f"resize={resize} must be larger than both sides of image_shape={text}",
            "write a larger one",
        )
        # The stand-in takes an equal one.
        yield ("resize", "image_shape"), replace(finding, refused_here=resize < side)
    if layers in SMALL_NETWORKS and side > _SMALL_PICTURE:
        finding = TOGETHER.mildly_at(
            training.place("num_layers"),
            f"num_layers={layers} builds a network for pictures of about {_SMALL_PICTURE} pixels",
            "choose one of the larger networks",
        )
        yield ("num_layers", "image_shape"), finding


def _labels(training: Training) -> Iterator[_Joint]:
    if training.text("use_weighted_loss") == "1" and training.text("multi_label") == "0":
        path = training.place("use_weighted_loss")
        finding = TOGETHER.at(path, "use_weighted_loss=1 works with multi_label=1 only", _BOTH)
        yield ("use_weighted_loss", "multi_label"), replace(finding, refused_here=True)
    top, classes = _number(training, "top_k"), _number(training, "num_classes")
    if top is not None and classes is not None and top > classes:
        path = training.place("top_k")
        finding = TOGETHER.mildly_at(
            path, f"top_k={top} of {classes} classes is always right", "write a smaller one"
        )
        yield ("top_k", "num_classes"), finding


def _resize(context: Context, training: Training) -> Iterator[_Joint]:
    if "resize" in training.hyperparameters or any(each.name == "resize" for each in training.tuned):
        return
    contents = [context.text_at(node.get("ContentType")) for node, _ in training.channels()]
    if any(content in IMAGES for content in contents):
        finding = MISSING.at(
            training.hyperparameters_path,
            "Image Classification needs resize where its channels hold single pictures",
            "add resize, larger than both sides of image_shape",
        )
        # The stand-in does without.
        yield ("resize",), replace(finding, refused_here=False)


def _number(training: Training, name: str) -> int | None:
    known = training.algorithm.hyperparameters if training.algorithm else {}
    text = training.text(name) if name in known else None
    entry = known.get(name)
    return int(text) if text and entry and entry.is_taken_here(text) else None
