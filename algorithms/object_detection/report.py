"""The log lines of SageMaker's Object Detection image; the service reads its metrics from them.

Source: outputs of executed notebooks in the history of github.com/aws/amazon-sagemaker-examples. Losses and
mAP are written as Python prints a float, epochs are counted from 0.
"""

import json
import logging
import time
from datetime import timedelta
from pathlib import Path

from algorithms.object_detection.settings import Settings

_log = logging.getLogger(__name__)
_BATCHES_BETWEEN_LINES = 100


def set_up(settings: Settings, *, checkpoints: bool) -> None:
    """What the training runs on."""
    _log.info("Using default worker.")
    if not checkpoints:
        _log.info("Checkpoint loading and saving are disabled.")
    _log.info("Number of GPUs being used: 0")
    _log.info("Create Store: %s", settings.merged["kv_store"])
    shape = (3, settings.image_shape, settings.image_shape)
    _log.warning("Training images are resized to image shape %s", shape)


def sample_count(settings: Settings, records: int) -> None:
    """Warn if the job states another number of training samples than there are."""
    if records == settings.num_training_samples:
        return
    batch = settings.mini_batch_size
    expected, processed = -(-settings.num_training_samples // batch), -(-records // batch)
    _log.warning(
        "num_training_samples is %d, but the train channel holds %d records; the learning rate falls by "
        "the former",
        settings.num_training_samples,
        records,
    )
    if expected != processed:
        _log.warning(
            "Expected number of batches: %d, did not match the number of batches processed: %d. This may "
            "happen "
            "when some images or annotations are invalid or num_training_samples is wrong.",
            expected,
            processed,
        )


class EpochReport:
    """The lines of one epoch."""

    def __init__(self, host: str, epoch: int, settings: Settings) -> None:
        self._host, self._epoch, self._settings = host, epoch, settings
        self._started = time.time()

    def batch_done(self, batches: int) -> None:
        """A line about the speed after every 100th batch."""
        if batches % _BATCHES_BETWEEN_LINES:
            return
        elapsed = time.time() - self._started
        examples = batches * self._settings.mini_batch_size
        _log.info(
            "Epoch: %4d, batches: %6d, num_examples: %6d, %.1f samples/sec, epoch time so far:  %s",
            self._epoch,
            batches,
            examples,
            examples / max(elapsed, 1e-9),
            timedelta(seconds=elapsed),
        )

    def trained(self, batches: int, cross_entropy: float, smooth_l1: float) -> None:
        """The losses of the epoch."""
        start = f"#quality_metric: host={self._host}, epoch={self._epoch}, batch={batches} train"
        _log.info("%s cross_entropy <loss>=(%r)", start, cross_entropy)
        _log.info("%s smooth_l1 <loss>=(%r)", start, smooth_l1)
        _log.info("Round of batches complete")
        _log.info("Updated the metrics")

    def validated(self, score: float, pictures: int) -> None:
        """The validation mAP, over how many pictures."""
        _log.info("Evaluated %d validation images", pictures)
        _log.info(
            "#quality_metric: host=%s, epoch=%d, validation mAP <score>=(%r)", self._host, self._epoch, score
        )

    def finished(self, batches: int) -> None:
        """Progress and the epoch's totals."""
        done = round(100 * (self._epoch + 1) / self._settings.epochs, 2)
        _log.info("#progress_metric: host=%s, completed %s %% of epochs", self._host, done)
        _log.info("#metrics %s", json.dumps(self._totals(batches)))

    def _totals(self, batches: int) -> dict[str, object]:
        records = batches * self._settings.mini_batch_size
        return {
            "StartTime": self._started,
            "EndTime": time.time(),
            "Dimensions": {
                "Algorithm": "AWS/Object Detection",
                "Host": self._host,
                "Operation": "training",
                "epoch": str(self._epoch),
                "Meta": "training_data_iter",
            },
            "Metrics": {
                name: {"count": 1, "sum": value, "min": value, "max": value}
                for name, value in (("Records Seen", records), ("Batches Seen", batches))
            },
        }


def learning_rate(updates: int, rate: float) -> None:
    """A step of the learning rate, before the update that follows `updates` others."""
    _log.info("Update[%d]: Change learning rate to %0.5e", updates + 1, rate)


def best_model(score: float) -> None:
    """A new best epoch."""
    _log.info("Updating the best model with validation-mAP=%r", score)


def saved(path: Path) -> None:
    """Weights were written."""
    _log.info('Saved checkpoint to "%s"', path)


def stopped_early(epoch: int, settings: Settings) -> None:
    """Early stopping took effect."""
    _log.info(
        "Early stopping after epoch %d: validation mAP has not improved for %d epochs",
        epoch,
        settings.early_stopping_patience,
    )


def end(path: Path) -> None:
    """The last lines of a training."""
    _log.warning("wait_for_all_workers will not sync workers since the kv store is not running distributed")
    saved(path)
    _log.info("Test data is not provided.")
