"""Accuracy, top-k accuracy, and precision and recall per class of a classifier's probabilities."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from processing_scripts.vision.boxes import Floats

Counts = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class ClassificationScores:
    """What `evaluate_classification` found out."""

    confusion: Counts  # [C, C], pictures; rows are the true classes, columns the predicted ones
    top_k: int
    in_top_k: int  # pictures whose true class is among the k most probable ones

    @property
    def images(self) -> int:
        """Pictures in all."""
        return int(self.confusion.sum())

    @property
    def truths(self) -> Counts:
        """[C], pictures of each class."""
        truths: Counts = self.confusion.sum(axis=1)
        return truths

    @property
    def predictions(self) -> Counts:
        """[C], pictures taken for each class."""
        predictions: Counts = self.confusion.sum(axis=0)
        return predictions

    @property
    def hits(self) -> Counts:
        """[C], pictures of each class that were taken for it."""
        return np.diagonal(self.confusion)

    @property
    def accuracy(self) -> float:
        """Share of the pictures that were taken for their class."""
        return float(self.hits.sum() / self.images)

    @property
    def top_k_accuracy(self) -> float:
        """Share of the pictures whose class is among the k most probable ones."""
        return self.in_top_k / self.images

    @property
    def precision(self) -> Floats:
        """[C], share of right ones among the pictures taken for a class; NaN where there are none."""
        return _share(self.hits, self.predictions)

    @property
    def recall(self) -> Floats:
        """[C], share of right ones among the pictures of a class; NaN where there are none."""
        return _share(self.hits, self.truths)

    @property
    def f1(self) -> Floats:
        """[C], harmonic mean of precision and recall; NaN for a class neither there nor predicted."""
        return _share(2 * self.hits, self.truths + self.predictions)

    def weighted(self, per_class: Floats) -> float:
        """Mean of a figure over the classes, weighted by their pictures; NaN counts as 0."""
        return float(np.average(np.nan_to_num(per_class), weights=self.truths))


def _share(part: Counts, whole: Counts) -> Floats:
    return np.divide(part, whole, out=np.full(len(part), np.nan), where=whole > 0)


def evaluate_classification(probabilities: Floats, labels: Counts, *, top_k: int) -> ClassificationScores:
    """Compare probabilities with the truth.

    A picture is taken for its most probable class; among equal probabilities the lower class comes first,
    here and in the top k.

    Args:
        probabilities: [N, C], one row per picture, N at least 1.
        labels: [N], true classes, 0 ... C - 1.
        top_k: at least 1.

    Raises:
        ValueError: a shape is another one or a label is out of range.
    """
    if probabilities.ndim != 2 or labels.shape != probabilities.shape[:1] or not len(labels):
        raise ValueError(f"probabilities have shape {probabilities.shape}, labels {labels.shape}")
    classes = probabilities.shape[1]
    if labels.min() < 0 or labels.max() >= classes:
        raise ValueError(f"labels go from {labels.min()} to {labels.max()}, there are {classes} classes")
    # A stable order keeps the lower class in front among equals.
    order = np.argsort(-probabilities, axis=1, kind="stable")
    confusion = np.zeros((classes, classes), dtype=np.int64)
    np.add.at(confusion, (labels, order[:, 0]), 1)
    return ClassificationScores(
        confusion=confusion,
        top_k=top_k,
        in_top_k=int((order[:, :top_k] == labels[:, None]).any(axis=1).sum()),
    )
