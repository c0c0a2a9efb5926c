"""The log lines of SageMaker's Image Classification image; the service reads its metrics from them.

Source: outputs of executed notebooks in the history of github.com/aws/amazon-sagemaker-examples. Epochs are
counted from 0, numbers of pictures per second have three decimals and all others six.
"""

import logging
import time
from pathlib import Path

import numpy as np

from algorithms.image_classification.data import Records
from algorithms.image_classification.settings import Settings
from algorithms.image_classification.trainer import Tally

_log = logging.getLogger(__name__)
_BATCHES_BETWEEN_LINES = 20


def training_set(settings: Settings, records: Records) -> None:
    """Warn where the training pictures are not what the hyperparameters say."""
    if records.count != settings.num_training_samples:
        _log.warning(
            "num_training_samples is %d, but the train channel holds %d pictures; the learning rate falls by "
            "the former",
            settings.num_training_samples,
            records.count,
        )
    missing = np.flatnonzero(records.class_counts == 0)
    if len(missing):
        _log.warning(
            "The train channel holds no picture of %d of the %d classes, such as class %d",
            len(missing),
            settings.num_classes,
            missing[0],
        )


def parameters(settings: Settings) -> None:
    """The block of what the training obeys."""
    _log.info("---- Parameters ----")
    named = ("momentum", "weight_decay") if settings.optimizer in ("sgd", "nag") else ("eps",)
    values = settings.merged
    lines: dict[str, object] = {
        "num_layers": settings.num_layers,
        "data type": np.float32,
        "epochs": settings.epochs,
        "optimizer": settings.optimizer,
        **{name: values[name] for name in named},
        "learning_rate": settings.learning_rate,
        "num_training_samples": settings.num_training_samples,
        "mini_batch_size": settings.mini_batch_size,
        "image_shape": settings.image_shape,
        "num_classes": settings.num_classes,
        "augmentation_type": settings.augmentation_type,
        "kv_store": values["kv_store"],
    }
    if settings.top_k is not None:
        lines["top_k"] = settings.top_k
    for name, value in lines.items():
        _log.info("%s: %s", name, value)
    if settings.checkpoint_frequency is None:
        _log.info("checkpoint_frequency not set, will store the best model")
    else:
        _log.info("checkpoint_frequency: %d", settings.checkpoint_frequency)


class EpochReport:
    """The lines of one epoch."""

    def __init__(self, epoch: int, settings: Settings) -> None:
        self._epoch, self._settings = epoch, settings
        self._started = self._last = time.monotonic()

    def is_due(self, batch: int) -> bool:
        """Whether a line follows this batch; batches are counted from 0."""
        return batch > 0 and batch % _BATCHES_BETWEEN_LINES == 0

    def batch_done(self, batch: int, tally: Tally) -> None:
        """A line about speed and accuracy: the speed of the last 20 batches, the accuracy of all so far."""
        now = time.monotonic()
        speed = _BATCHES_BETWEEN_LINES * self._settings.mini_batch_size / max(now - self._last, 1e-9)
        self._last = now
        accuracies = "".join(f"\t{name}={value:f}" for name, value in self._accuracies(tally).items())
        _log.info("Epoch[%d] Batch [%d]\tSpeed: %.3f samples/sec%s", self._epoch, batch, speed, accuracies)

    def trained(self, tally: Tally) -> None:
        """The accuracy over the epoch's training pictures."""
        for name, value in self._accuracies(tally).items():
            _log.info("Epoch[%d] Train-%s=%f", self._epoch, name, value)
        _log.info("Epoch[%d] Time cost=%.3f", self._epoch, time.monotonic() - self._started)

    def validated(self, accuracy: float) -> None:
        """The accuracy over all validation pictures."""
        _log.info("Epoch[%d] Validation-accuracy=%f", self._epoch, accuracy)

    def _accuracies(self, tally: Tally) -> dict[str, float]:
        accuracies = {"accuracy": tally.accuracy}
        if self._settings.top_k is not None:
            accuracies[f"top_k_accuracy_{self._settings.top_k}"] = tally.top_k_accuracy
        return accuracies


def learning_rate(updates: int, rate: float) -> None:
    """A step of the learning rate, before the update that follows `updates` others."""
    _log.info("Update[%d]: Change learning rate to %0.5e", updates + 1, rate)


def best_model(accuracy: float) -> None:
    """A new best epoch."""
    _log.info("Storing the best model with validation accuracy: %f", accuracy)


def saved(path: Path) -> None:
    """Weights were written."""
    _log.info('Saved checkpoint to "%s"', path)


def stopped_early(epoch: int, settings: Settings) -> None:
    """Early stopping took effect."""
    _log.info(
        "Early stopping after epoch %d: validation accuracy has not improved for %d epochs",
        epoch,
        settings.early_stopping_patience,
    )
