"""A job's hyperparameters with their types, after every rule that needs no data has been checked."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from algorithms.hyperparameters import check, parse_epochs
from algorithms.object_detection.hyperparameters import TABLE
from processing_scripts.contract import JobError


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The hyperparameters that training obeys; names and meanings are SageMaker's."""

    num_classes: int
    num_training_samples: int
    base_network: str
    use_pretrained_model: bool
    image_shape: int  # side of the square that pictures are resized to, pixels
    epochs: int
    mini_batch_size: int
    learning_rate: float
    lr_scheduler_step: tuple[int, ...]  # epochs, ascending
    lr_scheduler_factor: float
    optimizer: str
    momentum: float
    weight_decay: float
    overlap_threshold: float  # intersection over union that makes a detection a hit in the evaluation
    nms_threshold: float
    nms_topk: int
    label_width: int
    freeze_layer_pattern: re.Pattern[str] | None
    early_stopping: bool
    early_stopping_min_epochs: int
    early_stopping_patience: int
    early_stopping_tolerance: float
    merged: Mapping[str, str]  # all of them as strings, defaults included; becomes hyperparams.json
    warnings: tuple[str, ...]


def parse_settings(given: Mapping[str, str]) -> Settings:
    """Check a job's hyperparameters and give them their types.

    Raises:
        JobError: names every unknown, missing, malformed or out-of-range hyperparameter at once.
    """
    checked = check(TABLE, given)
    faults = list(checked.faults)
    if checked.values["kv_store"] in ("dist_sync", "dist_async"):
        faults.append(
            f"kv_store='{checked.values['kv_store']}' needs several machines and this is one; leave "
            f"kv_store out"
        )
    if faults:
        raise JobError("hyperparameters: " + "; ".join(faults))
    return _typed(checked.values, checked.warnings)


def _typed(values: Mapping[str, str], warnings: tuple[str, ...]) -> Settings:
    pattern = values["freeze_layer_pattern"]
    return Settings(
        num_classes=int(values["num_classes"]),
        num_training_samples=int(values["num_training_samples"]),
        base_network=values["base_network"],
        use_pretrained_model=values["use_pretrained_model"] == "1",
        image_shape=int(values["image_shape"]),
        epochs=int(values["epochs"]),
        mini_batch_size=int(values["mini_batch_size"]),
        learning_rate=float(values["learning_rate"]),
        lr_scheduler_step=parse_epochs(values["lr_scheduler_step"]),
        lr_scheduler_factor=float(values["lr_scheduler_factor"]),
        optimizer=values["optimizer"],
        momentum=float(values["momentum"]),
        weight_decay=float(values["weight_decay"]),
        overlap_threshold=float(values["overlap_threshold"]),
        nms_threshold=float(values["nms_threshold"]),
        nms_topk=int(values["nms_topk"]),
        label_width=int(values["label_width"]),
        freeze_layer_pattern=re.compile(pattern) if pattern else None,
        early_stopping=values["early_stopping"] == "True",
        early_stopping_min_epochs=int(values["early_stopping_min_epochs"]),
        early_stopping_patience=int(values["early_stopping_patience"]),
        early_stopping_tolerance=float(values["early_stopping_tolerance"]),
        merged=dict(values),
        warnings=warnings,
    )
