"""The training job: files of /opt/ml in, log lines and an artifact out."""

import logging
import math
import shutil
import tempfile
from pathlib import Path

import numpy as np

from algorithms import checkpoint
from algorithms.checkpoint import Checkpoint, Progress
from algorithms.engine import mx
from algorithms.image_classification import artifact, hyperparameters, report
from algorithms.image_classification.classifier import Classifier
from algorithms.image_classification.data import (
    Examples,
    Records,
    TrainingData,
    holds_images,
    scan,
    validation_batches,
)
from algorithms.image_classification.settings import Settings, parse_settings
from algorithms.image_classification.start import Start, choose_start
from algorithms.image_classification.trainer import Trainer, class_weights
from algorithms.job import read_settings
from algorithms.schedule import EarlyStopping, LearningRate
from algorithms.weights import Weights
from processing_scripts import contract
from processing_scripts.contract import JobError

# SageMaker's image has no hyperparameter for it. Fixed, so that the same job gives the same weights.
SEED = 100
CHECKPOINT_FILE = f"{artifact.PREFIX}-checkpoint.params"

_log = logging.getLogger(__name__)


def train() -> None:
    """Run the training job that /opt/ml describes.

    Raises:
        JobError: for everything that the job's user can put right.
    """
    settings = read_settings(hyperparameters, parse_settings)
    images = holds_images(contract.input_data_config())
    if images and settings.resize is None:
        raise JobError("hyperparameters: resize is required where the channels hold image files")
    with tempfile.TemporaryDirectory(prefix="image-classification-") as scratch:
        training, validation = (
            _scan(name, settings, Path(scratch), images=images) for name in ("train", "validation")
        )
        if settings.mini_batch_size > training.count:
            raise JobError(
                f"mini_batch_size={settings.mini_batch_size} is more than the {training.count} pictures of "
                "channel 'train'; make it smaller"
            )
        report.training_set(settings, training)
        mx.random.seed(SEED)
        start = choose_start(settings)
        report.parameters(settings)
        _Job(settings, start, training, validation).run()


def _scan(channel: str, settings: Settings, scratch: Path, *, images: bool) -> Records:
    _log.info("Searching for %s files in %s.", "image" if images else ".rec", contract.channel(channel))
    records = scan(channel, settings, scratch, images=images)
    _log.info("Channel %s: %d pictures", channel, records.count)
    return records


class _Job:
    """One training from its first epoch to its last."""

    def __init__(self, settings: Settings, start: Start, training: Records, validation: Records) -> None:
        self._settings, self._graph, self._validation = settings, start.graph, validation
        self._data = TrainingData(training, settings, seed=SEED)
        self._identity = checkpoint.identity(start.graph, settings.optimizer)
        self._rate = learning_rate(settings)
        weighted = settings.use_weighted_loss
        self._trainer = Trainer(
            start.graph,
            start.weights,
            settings,
            class_weights=class_weights(training.class_counts, training.count) if weighted else None,
            learning_rate=self._rate.at,
        )
        self._classifier = Classifier(
            start.graph,
            self._trainer.weights,
            batch_size=settings.mini_batch_size,
            image_shape=settings.image_shape,
        )
        self._progress = Progress(scores=(), updates=0)
        self._best = self._trainer.weights

    def run(self) -> None:
        with self._data:
            self._resume()
            artifact.save_graph(contract.model_dir(), self._graph, self._settings)
            for epoch in range(len(self._progress.scores), self._settings.epochs):
                if self._stops_early():
                    report.stopped_early(epoch - 1, self._settings)
                    break
                self._run_epoch(epoch)
            if not artifact.params_files(contract.model_dir()):
                # Early stopping came before the first epoch that checkpoint_frequency names.
                self._save(self._trainer.weights, len(self._progress.scores))

    def _run_epoch(self, epoch: int) -> None:
        lines = report.EpochReport(epoch, self._settings)
        self._train_epoch(epoch, lines)
        tally = self._trainer.tally()
        if not math.isfinite(tally.loss):
            raise JobError(
                f"the loss of epoch {epoch} is not a number: training diverged; lower learning_rate"
            )
        lines.trained(tally)
        accuracy = self._validate()
        lines.validated(accuracy)
        self._keep(accuracy)

    def _train_epoch(self, epoch: int, lines: report.EpochReport) -> None:
        self._trainer.begin_epoch()
        for number, batch in enumerate(self._data.epoch(epoch)):
            updates = self._trainer.updates.count
            if updates in self._rate.steps:
                report.learning_rate(updates, self._rate.at(updates))
            self._trainer.step(batch)
            if lines.is_due(number):
                lines.batch_done(number, self._trainer.tally())

    def _validate(self) -> float:
        hits, count = 0.0, 0
        for examples in validation_batches(self._validation, self._settings):
            hits += self._hits(examples)
            count += len(examples.labels)
        return hits / count

    def _hits(self, examples: Examples) -> float:
        """Pictures whose class is right; for multi_label each counts by its share of right labels."""
        probabilities = self._classifier.classify(examples.inputs)
        if self._settings.multi_label:
            return float(((probabilities > 0.5) == examples.labels).mean(axis=1).sum())
        return float(np.count_nonzero(probabilities.argmax(axis=1) == examples.labels[:, 0]))

    def _keep(self, accuracy: float) -> None:
        """Write the artifact if this epoch goes into it, and a checkpoint if the job has a place for it."""
        best = self._progress.best
        self._progress = Progress((*self._progress.scores, accuracy), self._trainer.updates.count)
        epochs = len(self._progress.scores)
        is_best = best is None or accuracy > best
        if is_best:
            self._best = self._trainer.weights.copy()
        frequency = self._settings.checkpoint_frequency
        if frequency is None and is_best:
            report.best_model(accuracy)
            self._save(self._best, epochs)
        if frequency is not None and epochs % frequency == 0:
            self._save(self._trainer.weights, epochs)
        self._save_checkpoint()

    def _save(self, weights: Weights, epochs: int) -> None:
        keeps_all = self._settings.checkpoint_frequency is not None
        path = artifact.save_epoch(contract.model_dir(), weights, epochs=epochs, keep_others=keeps_all)
        report.saved(path)
        folder = contract.checkpoints_dir()
        if keeps_all and folder is not None:
            # What an interrupted job has in /opt/ml/model is lost; the checkpoints are not.
            artifact.save_epoch(folder, weights, epochs=epochs, keep_others=True)

    def _save_checkpoint(self) -> None:
        folder = contract.checkpoints_dir()
        if folder is None:
            return
        found = Checkpoint(self._progress, self._trainer.weights, self._best, self._trainer.updates.state())
        checkpoint.save(folder / CHECKPOINT_FILE, found, self._identity)
        report.saved(folder / CHECKPOINT_FILE)

    def _resume(self) -> None:
        folder = contract.checkpoints_dir()
        found = checkpoint.load(folder / CHECKPOINT_FILE, self._identity) if folder is not None else None
        if folder is None or found is None:
            return
        _log.info("Resuming after epoch %d from the checkpoint in %s", len(found.progress.scores) - 1, folder)
        self._progress, self._best = found.progress, found.best
        self._trainer.resume(found.last, found.progress.updates, found.optimizer)
        if self._settings.checkpoint_frequency is None:
            scores = found.progress.scores
            self._save(self._best, scores.index(max(scores)) + 1)
        else:
            for path in artifact.params_files(folder):
                shutil.copyfile(path, contract.model_dir() / path.name)

    def _stops_early(self) -> bool:
        settings = self._settings
        rule = EarlyStopping(
            min_epochs=settings.early_stopping_min_epochs,
            patience=settings.early_stopping_patience,
            tolerance=settings.early_stopping_tolerance,
        )
        return settings.early_stopping and rule.stops_after(self._progress.scores)


def learning_rate(settings: Settings) -> LearningRate:
    """The job's learning rate; num_training_samples turns epochs into updates, as in SageMaker's image."""
    updates_in_epoch = max(settings.num_training_samples // settings.mini_batch_size, 1)
    return LearningRate(
        base=settings.learning_rate,
        steps=tuple(epoch * updates_in_epoch for epoch in settings.lr_scheduler_step),
        factor=settings.lr_scheduler_factor,
    )
