"""The training job: files of /opt/ml in, log lines and an artifact out."""

import logging
import math

import numpy as np
from numpy.typing import NDArray

from algorithms import checkpoint
from algorithms.channels import find_one
from algorithms.checkpoint import Checkpoint, Progress
from algorithms.engine import mx
from algorithms.job import read_settings
from algorithms.object_detection import artifact, hyperparameters, report
from algorithms.object_detection.data import (
    Records,
    TrainingData,
    check_channels,
    raise_undecodable,
    scan,
    validation_batches,
)
from algorithms.object_detection.detector import Detector
from algorithms.object_detection.settings import Settings, parse_settings
from algorithms.object_detection.start import Start, choose_start
from algorithms.object_detection.trainer import OptimizerOptions, Trainer
from algorithms.schedule import (
    EarlyStopping,
    LearningRate,
    warm_up_updates,
)
from processing_scripts import contract
from processing_scripts.contract import JobError
from processing_scripts.vision.metrics import evaluate_detections

# SageMaker's image has no hyperparameter for it. Fixed, so that the same job gives the same weights.
SEED = 100
CHECKPOINT_FILE = "model_algo_1-checkpoint.params"

Floats = NDArray[np.float32]

_log = logging.getLogger(__name__)


def train() -> None:
    """Run the training job that /opt/ml describes.

    Raises:
        JobError: for everything that the job's user can put right.
    """
    settings = read_settings(hyperparameters, parse_settings)
    check_channels(contract.input_data_config())
    training, validation = (_scan(name, settings) for name in ("train", "validation"))
    report.set_up(settings, checkpoints=contract.checkpoints_dir() is not None)
    report.sample_count(settings, training.count)
    mx.random.seed(SEED)
    job = _Job(settings, choose_start(settings), training, validation)
    job.run()


def _scan(channel: str, settings: Settings) -> Records:
    path = find_one(channel, ".rec")
    records = scan(path, num_classes=settings.num_classes, label_width=settings.label_width)
    _log.info("Channel %s: %d records in %s", channel, records.count, path)
    return records


class _Job:
    """One training from its first epoch to its last."""

    def __init__(self, settings: Settings, start: Start, training: Records, validation: Records) -> None:
        self._settings, self._graph = settings, start.graph
        self._validation = validation
        self._data = _open(training, settings)
        self._identity = checkpoint.identity(start.graph, settings.optimizer)
        self._host = contract.current_host()
        self._rate = learning_rate(settings, from_scratch=start.from_scratch)
        self._trainer = Trainer(
            start.graph,
            start.weights,
            batch_size=settings.mini_batch_size,
            image_shape=settings.image_shape,
            label_shape=(training.max_objects, training.object_floats),
            optimizer=OptimizerOptions(
                name=settings.optimizer, momentum=settings.momentum, weight_decay=settings.weight_decay
            ),
            learning_rate=self._rate.at,
            frozen=settings.freeze_layer_pattern,
        )
        self._detector = Detector(
            start.graph,
            self._trainer.weights,
            batch_size=settings.mini_batch_size,
            image_shape=settings.image_shape,
        )
        self._progress = Progress(scores=(), updates=0)
        self._best = self._trainer.weights

    def run(self) -> None:
        if self._trainer.frozen:
            _log.info("Fixed parameters: %s", ", ".join(self._trainer.frozen))
        self._resume()
        for epoch in range(len(self._progress.scores), self._settings.epochs):
            if self._stops_early():
                report.stopped_early(epoch - 1, self._settings)
                break
            self._run_epoch(epoch)
        report.end(contract.model_dir() / artifact.PARAMS_FILE)

    def _run_epoch(self, epoch: int) -> None:
        lines = report.EpochReport(self._host, epoch, self._settings)
        batches = self._train_epoch(epoch, lines)
        cross_entropy, smooth_l1 = self._trainer.take_losses()
        lines.trained(batches, cross_entropy, smooth_l1)
        if not math.isfinite(cross_entropy + smooth_l1):
            raise JobError(
                f"the loss of epoch {epoch} is not a number: training diverged; lower learning_rate"
            )
        score = self._validate(lines)
        self._keep(score)
        lines.finished(batches)

    def _train_epoch(self, epoch: int, lines: report.EpochReport) -> int:
        count = 0
        for count, batch in enumerate(self._data.epoch(epoch), start=1):
            updates = self._trainer.updates.count
            if updates in self._rate.steps:
                report.learning_rate(updates, self._rate.at(updates))
            self._trainer.step(batch)
            lines.batch_done(count)
        return count

    def _validate(self, lines: report.EpochReport) -> float:
        settings = self._settings
        detections: list[Floats] = []
        truths: list[Floats] = []
        for examples in validation_batches(
            self._validation, batch_size=settings.mini_batch_size, image_shape=settings.image_shape
        ):
            detections += self._detector.detect(examples.inputs)
            truths += examples.truths
        scores = evaluate_detections(
            detections, truths, num_classes=settings.num_classes, overlap_threshold=settings.overlap_threshold
        )
        lines.validated(scores.mean_average_precision, len(truths))
        return scores.mean_average_precision

    def _keep(self, score: float) -> None:
        """Write the artifact if this epoch is the best, and a checkpoint if the job has a place for it."""
        best = self._progress.best
        self._progress = Progress((*self._progress.scores, score), self._trainer.updates.count)
        if best is None or score > best:
            report.best_model(score)
            self._best = self._trainer.weights.copy()
            self._save_best()
        folder = contract.checkpoints_dir()
        if folder is not None:
            state = self._trainer.updates.state()
            found = Checkpoint(self._progress, self._trainer.weights, self._best, state)
            checkpoint.save(folder / CHECKPOINT_FILE, found, self._identity)
            report.saved(folder / CHECKPOINT_FILE)

    def _save_best(self) -> None:
        report.saved(artifact.save(contract.model_dir(), self._graph, self._best, self._settings.merged))

    def _resume(self) -> None:
        folder = contract.checkpoints_dir()
        found = checkpoint.load(folder / CHECKPOINT_FILE, self._identity) if folder is not None else None
        if found is None:
            return
        _log.info("Resuming after epoch %d from the checkpoint in %s", len(found.progress.scores) - 1, folder)
        self._progress, self._best = found.progress, found.best
        self._trainer.resume(found.last, found.progress.updates, found.optimizer)
        self._save_best()

    def _stops_early(self) -> bool:
        settings = self._settings
        rule = EarlyStopping(
            min_epochs=settings.early_stopping_min_epochs,
            patience=settings.early_stopping_patience,
            tolerance=settings.early_stopping_tolerance,
        )
        return settings.early_stopping and rule.stops_after(self._progress.scores)


def _open(training: Records, settings: Settings) -> TrainingData:
    try:
        return TrainingData(
            training, batch_size=settings.mini_batch_size, image_shape=settings.image_shape, seed=SEED
        )
    except mx.base.MXNetError:
        # Opening decodes the first pictures already.
        raise_undecodable(training, settings.image_shape)
        raise


def learning_rate(settings: Settings, *, from_scratch: bool) -> LearningRate:
    """The job's learning rate; num_training_samples turns epochs into updates, as in SageMaker's image."""
    updates_in_epoch = math.ceil(settings.num_training_samples / settings.mini_batch_size)
    return LearningRate(
        base=settings.learning_rate,
        steps=tuple(epoch * updates_in_epoch for epoch in settings.lr_scheduler_step),
        factor=settings.lr_scheduler_factor,
        warm_up=warm_up_updates(updates_in_epoch, from_scratch=from_scratch),
    )
