"""A job's hyperparameters with their types, after every rule that needs no data has been checked."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from algorithms.hyperparameters import check, parse_epochs
from algorithms.image_classification.hyperparameters import LARGE_NETWORKS, SMALL_NETWORKS, TABLE
from processing_scripts.contract import JobError

# Pictures up to this height get the small networks in MXNet's example, larger ones the large networks.
SMALL_PICTURE = 28

_SHAPE = re.compile(r"\s*([0-9]{1,5})\s*,\s*([0-9]{1,5})\s*,\s*([0-9]{1,5})\s*")


class ImageShape(NamedTuple):
    """The network's input, pixels: channels first, as the hyperparameter image_shape has it."""

    channels: int
    height: int
    width: int

    def __str__(self) -> str:
        return ",".join(map(str, self))


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The hyperparameters that training obeys; names and meanings are SageMaker's."""

    num_classes: int
    num_training_samples: int
    num_layers: int
    image_shape: ImageShape
    use_pretrained_model: bool
    epochs: int
    mini_batch_size: int
    learning_rate: float
    lr_scheduler_step: tuple[int, ...]  # epochs, ascending
    lr_scheduler_factor: float
    optimizer: str
    optimizer_options: Mapping[str, float]  # those that this optimizer takes, under MXNet's names
    augmentation_type: str | None
    resize: int | None  # the shorter side of every picture before it is cropped, pixels
    top_k: int | None
    multi_label: bool
    use_weighted_loss: bool
    checkpoint_frequency: int | None  # epochs
    early_stopping: bool
    early_stopping_min_epochs: int
    early_stopping_patience: int
    early_stopping_tolerance: float
    merged: Mapping[str, str]  # all of them as strings, defaults included
    warnings: tuple[str, ...]


def parse_settings(given: Mapping[str, str]) -> Settings:
    """Check a job's hyperparameters and give them their types.

    Raises:
        JobError: names every unknown, missing, malformed or out-of-range hyperparameter at once.
    """
    checked = check(TABLE, given)
    values = checked.values
    # Rules that join two hyperparameters make sense only where each by itself is right.
    faults = [*checked.faults, *_unsupported(values), *_shape_faults(values["image_shape"])]
    if not faults:
        faults += _joint_faults(values)
    if faults:
        raise JobError("hyperparameters: " + "; ".join(faults))
    return _typed(values, (*checked.warnings, *_leniencies(values)))


def parse_image_shape(text: str) -> ImageShape | None:
    """The shape in the form channels,height,width; None if it has another form."""
    match = _SHAPE.fullmatch(text)
    return ImageShape(*map(int, match.groups())) if match else None


def _unsupported(values: Mapping[str, str]) -> Iterator[str]:
    """What SageMaker's image can do and this machine cannot."""
    if values["kv_store"] in ("dist_sync", "dist_async"):
        yield f"kv_store='{values['kv_store']}' needs several machines and this is one; leave kv_store out"
    if values["precision_dtype"] == "float16":
        yield "precision_dtype='float16' needs a GPU and this machine trains without one; set it to float32"


def _shape_faults(text: str) -> Iterator[str]:
    shape = parse_image_shape(text)
    if shape is None or 0 in shape:
        yield f"image_shape='{text}' must be channels,height,width, such as '3,224,224'"
    elif shape.channels != 3:
        yield f"image_shape='{text}': this machine takes pictures of 3 channels only; begin it with 3"


def _joint_faults(values: Mapping[str, str]) -> Iterator[str]:
    shape, resize = _shape(values), _optional_int(values["resize"])
    if resize is not None and resize < max(shape.height, shape.width):
        yield f"resize={resize} must be larger than both sides of image_shape='{shape}'"
    frequency = _optional_int(values["checkpoint_frequency"])
    if frequency is not None and frequency > int(values["epochs"]):
        yield f"checkpoint_frequency={frequency} must be at most epochs={values['epochs']}"
    if values["use_weighted_loss"] == "1" and values["multi_label"] == "0":
        yield "use_weighted_loss=1 works with multi_label=1 only; set both or neither"
    if values["use_pretrained_model"] == "1" and values["num_layers"] not in LARGE_NETWORKS:
        allowed = ", ".join(LARGE_NETWORKS)
        yield f"use_pretrained_model=1 needs num_layers to be one of {allowed}, not {values['num_layers']}"


def _leniencies(values: Mapping[str, str]) -> Iterator[str]:
    """What this machine takes although SageMaker's image refuses it, or is not known to take it."""
    shape, resize = _shape(values), _optional_int(values["resize"])
    accepted = "accepted on this machine only; SageMaker's image"
    small_network = values["num_layers"] in SMALL_NETWORKS
    if small_network != (shape.height <= SMALL_PICTURE):
        yield (
            f"num_layers='{values['num_layers']}' with image_shape='{shape}' {accepted} builds this network "
            f"for pictures of {'at most' if small_network else 'more than'} {SMALL_PICTURE} pixels"
        )
    if resize is not None and resize == max(shape.height, shape.width):
        yield (
            f"resize='{resize}' {accepted} refuses it (it must be larger than both sides of "
            f"image_shape='{shape}')"
        )
    if values["use_pretrained_model"] == "1" and shape != (3, 224, 224):
        yield f"use_pretrained_model=1 with image_shape='{shape}' {accepted} wants 3,224,224 for it"
    if values["top_k"] and values["multi_label"] == "1":
        yield f"top_k='{values['top_k']}' has no meaning with multi_label=1 and is ignored"


def _shape(values: Mapping[str, str]) -> ImageShape:
    shape = parse_image_shape(values["image_shape"])
    assert shape is not None  # noqa: S101  # checked by _shape_faults before
    return shape


def _optional_int(text: str) -> int | None:
    return int(text) if text else None


def _optimizer_options(values: Mapping[str, str]) -> dict[str, float]:
    """The options that the guide gives to the job's optimizer, under MXNet's names."""
    names = {
        "sgd": {"momentum": "momentum", "wd": "weight_decay"},
        "nag": {"momentum": "momentum", "wd": "weight_decay"},
        "adam": {"beta1": "beta_1", "beta2": "beta_2", "epsilon": "eps"},
        "rmsprop": {"gamma1": "gamma", "epsilon": "eps"},
    }[values["optimizer"]]
    return {theirs: float(values[ours]) for theirs, ours in names.items()}


def _typed(values: Mapping[str, str], warnings: tuple[str, ...]) -> Settings:
    multi_label = values["multi_label"] == "1"
    return Settings(
        num_classes=int(values["num_classes"]),
        num_training_samples=int(values["num_training_samples"]),
        num_layers=int(values["num_layers"]),
        image_shape=_shape(values),
        use_pretrained_model=values["use_pretrained_model"] == "1",
        epochs=int(values["epochs"]),
        mini_batch_size=int(values["mini_batch_size"]),
        learning_rate=float(values["learning_rate"]),
        lr_scheduler_step=parse_epochs(values["lr_scheduler_step"]),
        lr_scheduler_factor=float(values["lr_scheduler_factor"]),
        optimizer=values["optimizer"],
        optimizer_options=_optimizer_options(values),
        augmentation_type=values["augmentation_type"] or None,
        resize=_optional_int(values["resize"]),
        top_k=None if multi_label else _optional_int(values["top_k"]),
        multi_label=multi_label,
        use_weighted_loss=values["use_weighted_loss"] == "1",
        checkpoint_frequency=_optional_int(values["checkpoint_frequency"]),
        early_stopping=values["early_stopping"] == "True",
        early_stopping_min_epochs=int(values["early_stopping_min_epochs"]),
        early_stopping_patience=int(values["early_stopping_patience"]),
        early_stopping_tolerance=float(values["early_stopping_tolerance"]),
        merged=dict(values),
        warnings=warnings,
    )
