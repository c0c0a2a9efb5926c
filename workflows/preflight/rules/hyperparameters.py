"""Hyperparameters of the built-in algorithms: names, values, and what does not go together."""

from collections.abc import Iterator
from dataclasses import replace

from workflows.definition.errors import did_you_mean
from workflows.preflight.builtin.algorithm import MODEL_CHANNEL, Algorithm
from workflows.preflight.builtin.hyperparameter import parse_epochs, parse_shape
from workflows.preflight.builtin.image_classification import SMALL_NETWORKS
from workflows.preflight.checks import Check
from workflows.preflight.context import Context
from workflows.preflight.findings import Finding, Path, Rule, Severity
from workflows.preflight.instances import gpus
from workflows.preflight.trainings import Training, trainings

_SOURCE = (
    "SageMaker Developer Guide, Object Detection Hyperparameters and Image Classification Hyperparameters"
)
_FAILS = "The training fails when it starts, after its instance was paid for."

UNKNOWN = Rule(
    identifier="unknown-hyperparameter",
    severity=Severity.ERROR,
    title="The built-in algorithm has no such hyperparameter",
    why=_FAILS,
    source=_SOURCE,
    refused_here=True,
)
MISSING = Rule(
    identifier="missing-hyperparameter",
    severity=Severity.ERROR,
    title="A hyperparameter that the built-in algorithm must have is absent",
    why=_FAILS,
    source=_SOURCE,
    refused_here=True,
)
WRONG = Rule(
    identifier="wrong-hyperparameter",
    severity=Severity.ERROR,
    title="A hyperparameter has a value that the built-in algorithm does not take",
    why=_FAILS,
    source=_SOURCE,
)
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
    why="Each GPU gets an equal part of a batch. A part without a picture, or a batch that the data cannot "
    "fill, fails the training.",
    source="SageMaker Developer Guide, Object Detection Hyperparameters, mini_batch_size",
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
# Source: as above, num_layers: the small networks are for pictures of about this many pixels.
_SMALL_PICTURE = 28


def _find(context: Context) -> Iterator[Finding]:
    for training in trainings(context):
        algorithm = training.algorithm
        if algorithm is None:
            continue
        single = [*_names(training, algorithm), *_values(training, algorithm)]
        yield from single
        wrong = {finding.path[-1] for finding in single}
        # Rules that join two hyperparameters make sense only where each by itself is right.
        for names, finding in _joint(context, training, algorithm):
            if wrong.isdisjoint(names):
                yield finding


CHECK = Check(
    rules=(
        UNKNOWN,
        MISSING,
        WRONG,
        TOGETHER,
        WITHOUT_EFFECT,
        LATE_STEP,
        LATE_STOP,
        BATCH,
        IGNORED_WEIGHTS,
        SEVERAL_MACHINES,
    ),
    find=_find,
)


def _names(training: Training, algorithm: Algorithm) -> Iterator[Finding]:
    known = algorithm.hyperparameters
    given = {name: _at(training, name) for name in training.hyperparameters}
    given |= {each.name: (*each.path, "Name") for each in training.tuned}
    for name, path in given.items():
        if name not in known:
            yield UNKNOWN.at(
                path,
                f"{algorithm.title} has no hyperparameter '{name}'{did_you_mean(name, list(known))}",
                "remove or rename it",
            )
    for name, entry in known.items():
        if entry.required and name not in given:
            yield MISSING.at(
                training.hyperparameters_path,
                f"{algorithm.title} needs {name}",
                f"add {name}: {entry.allowed}",
            )


def _values(training: Training, algorithm: Algorithm) -> Iterator[Finding]:
    texts: dict[Path, tuple[str, str]] = {
        _at(training, name): (name, value.text)
        for name, value in training.hyperparameters.items()
        if value.text is not None
    }
    for each in training.tuned:
        texts |= {path: (each.name, text) for path, text in each.values.items()}
    for path, (name, text) in texts.items():
        entry = algorithm.hyperparameters.get(name)
        fault = entry.fault(text) if entry else None
        if entry and fault:
            finding = WRONG.at(path, fault, f"write {entry.allowed}")
            yield replace(finding, refused_here=not entry.is_taken_here(text))


def _joint(
    context: Context, training: Training, algorithm: Algorithm
) -> Iterator[tuple[tuple[str, ...], Finding]]:
    """What joins several hyperparameters: their names, and what is found."""
    yield from _optimizer(training, algorithm)
    yield from _epochs(training)
    yield from _batch(context, training)
    yield from _pretrained(context, training, algorithm)
    yield from _machines(context, training)
    if algorithm.large_networks:
        yield from _pictures(training)


def _optimizer(training: Training, algorithm: Algorithm) -> Iterator[tuple[tuple[str, ...], Finding]]:
    optimizer = training.text("optimizer")
    for name in training.hyperparameters:
        entry = algorithm.hyperparameters.get(name)
        if entry and optimizer and entry.optimizers and optimizer not in entry.optimizers:
            yield (
                (name, "optimizer"),
                WITHOUT_EFFECT.at(
                    _at(training, name),
                    f"{name} has an effect with {' and '.join(entry.optimizers)} only, not with {optimizer}",
                    "leave it, or remove it",
                ),
            )


def _epochs(training: Training) -> Iterator[tuple[tuple[str, ...], Finding]]:
    epochs = _number(training, "epochs")
    if epochs is None:
        return
    steps = training.text("lr_scheduler_step")
    late = [step for step in _steps(steps) if step >= epochs]
    if late:
        yield (
            ("epochs", "lr_scheduler_step"),
            LATE_STEP.at(
                _at(training, "lr_scheduler_step"),
                f"lr_scheduler_step={steps!r}, but the training has {epochs} epochs",
                "name earlier epochs, or train longer",
            ),
        )
    frequency = _number(training, "checkpoint_frequency")
    if frequency is not None and frequency > epochs:
        yield (
            ("epochs", "checkpoint_frequency"),
            TOGETHER.at(
                _at(training, "checkpoint_frequency"),
                f"checkpoint_frequency={frequency} must be at most epochs={epochs}",
                "write a smaller one",
            ),
        )
    least = _number(training, "early_stopping_min_epochs")
    if training.text("early_stopping") == "True" and least is not None and least >= epochs:
        yield (
            ("epochs", "early_stopping", "early_stopping_min_epochs"),
            LATE_STOP.at(
                _at(training, "early_stopping_min_epochs"),
                f"early_stopping_min_epochs={least}, but the training has {epochs} epochs",
                "begin earlier, or switch it off",
            ),
        )


def _steps(text: str | None) -> list[int]:
    try:
        return parse_epochs(text or "")
    except ValueError:
        return []


def _batch(context: Context, training: Training) -> Iterator[tuple[tuple[str, ...], Finding]]:
    batch = _number(training, "mini_batch_size")
    if batch is None:
        return
    path, names = _at(training, "mini_batch_size"), ("mini_batch_size", "num_training_samples")
    samples = _number(training, "num_training_samples")
    if samples is not None and 0 < samples < batch:
        yield (
            names,
            BATCH.at(
                path,
                f"mini_batch_size={batch} is more than num_training_samples={samples}",
                "write a smaller one",
            ),
        )
    instance = context.text_at(training.resources.get("InstanceType"))
    processors = gpus(instance) if instance else None
    if processors and batch < processors:
        yield (
            names,
            BATCH.at(
                path,
                f"mini_batch_size={batch} is less than the {processors} GPUs of {instance}",
                f"write {processors} or more",
            ),
        )
    elif processors and batch % processors:
        yield (
            names,
            BATCH.mildly_at(
                path,
                f"mini_batch_size={batch} cannot be shared equally by the {processors} GPUs of {instance}",
                f"write a multiple of {processors}",
            ),
        )


def _pretrained(
    context: Context, training: Training, algorithm: Algorithm
) -> Iterator[tuple[tuple[str, ...], Finding]]:
    if training.text("use_pretrained_model") != "1":
        return
    path, layers = (
        _at(training, "use_pretrained_model"),
        training.text("num_layers") if algorithm.large_networks else None,
    )
    channels = [context.text_at(node.get("ChannelName")) for node, _ in training.channels()]
    if MODEL_CHANNEL in channels:
        yield (
            ("use_pretrained_model",),
            IGNORED_WEIGHTS.at(path, "the job has a model channel, whose weights win", "set it to 0"),
        )
    if layers is not None and layers not in algorithm.large_networks:
        yield (
            ("use_pretrained_model", "num_layers"),
            replace(
                TOGETHER.at(
                    path,
                    f"there are no pretrained weights for num_layers={layers}",
                    f"set num_layers to one of {', '.join(algorithm.large_networks)}",
                ),
                refused_here=True,
            ),
        )
    shape = training.text("image_shape") if algorithm.large_networks else None
    if shape is not None and parse_shape(shape) != (3, 224, 224):
        yield (
            ("use_pretrained_model", "image_shape"),
            TOGETHER.at(
                path,
                f"the pretrained weights need image_shape=3,224,224, not {shape}",
                "set image_shape to that",
            ),
        )


def _machines(context: Context, training: Training) -> Iterator[tuple[tuple[str, ...], Finding]]:
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
            _at(training, "kv_store"),
            f"kv_store is {store}, and the job has {machines}",
            "leave kv_store out on one machine; write dist_sync on several",
        ),
    )


def _pictures(training: Training) -> Iterator[tuple[tuple[str, ...], Finding]]:
    """Rules of Image Classification's pictures and labels."""
    shape = parse_shape(training.text("image_shape") or "")
    resize, layers = _number(training, "resize"), training.text("num_layers")
    if shape and resize is not None and resize <= max(shape[1:]):
        finding = TOGETHER.at(
            _at(training, "resize"),
            f"resize={resize} must be larger than both sides of image_shape={training.text('image_shape')}",
            "write a larger one",
        )
        # The stand-in takes an equal one.
        yield ("resize", "image_shape"), replace(finding, refused_here=resize < max(shape[1:]))
    if training.text("use_weighted_loss") == "1" and training.text("multi_label") == "0":
        finding = TOGETHER.at(
            _at(training, "use_weighted_loss"), "use_weighted_loss=1 works with multi_label=1 only", _BOTH
        )
        yield ("use_weighted_loss", "multi_label"), replace(finding, refused_here=True)
    top, classes = _number(training, "top_k"), _number(training, "num_classes")
    if top is not None and classes is not None and top > classes:
        yield (
            ("top_k", "num_classes"),
            TOGETHER.mildly_at(
                _at(training, "top_k"),
                f"top_k={top} of {classes} classes is always right",
                "write a smaller one",
            ),
        )
    if shape and layers in SMALL_NETWORKS and max(shape[1:]) > _SMALL_PICTURE:
        yield (
            ("num_layers", "image_shape"),
            TOGETHER.mildly_at(
                _at(training, "num_layers"),
                f"num_layers={layers} builds a network for pictures of about {_SMALL_PICTURE} pixels",
                "choose one of the larger networks",
            ),
        )


def _number(training: Training, name: str) -> int | None:
    known = training.algorithm.hyperparameters if training.algorithm else {}
    text = training.text(name) if name in known else None
    entry = known.get(name)
    return int(text) if text and entry and entry.is_taken_here(text) else None


def _at(training: Training, name: str) -> Path:
    """Where a hyperparameter stands; where it does not, it has its default."""
    here = name in training.hyperparameters
    return (*training.hyperparameters_path, name) if here else training.hyperparameters_path
