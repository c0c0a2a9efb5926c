"""Average precision of detections as the PASCAL VOC challenge of 2007 defined it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from processing_scripts.vision.boxes import Floats, intersection_over_union


@dataclass(frozen=True, kw_only=True)
class PrecisionRecall:
    """How one class fares as the score threshold falls: one entry per detection, highest score first."""

    scores: Floats  # [K], falling
    true_positives: NDArray[np.int64]  # [K], how many of the first k detections found a truth
    truths: int

    @property
    def precision(self) -> Floats:
        """[K], share of the first k detections that found a truth."""
        ranks = np.arange(1, len(self.scores) + 1)
        share: Floats = self.true_positives / ranks
        return share

    @property
    def recall(self) -> Floats:
        """[K], share of the truths that the first k detections found; NaN for a class without truths."""
        if self.truths == 0:
            return np.full(len(self.scores), np.nan)
        share: Floats = self.true_positives / self.truths
        return share

    def counts_at(self, score_threshold: float) -> tuple[int, int]:
        """Detections with at least this score, and how many of them found a truth."""
        detections = int(np.count_nonzero(self.scores >= score_threshold))
        found = int(self.true_positives[detections - 1]) if detections else 0
        return detections, found

    def average_precision(self) -> float:
        """Mean of the best precision at recall 0, 0.1 ... 1 or more; NaN for a class without truths."""
        if self.truths == 0:
            return float("nan")
        # Tenths compared as whole numbers: 3 of 10 truths is a recall of 0.3 or more, 0.1 * 3 is not 0.3.
        reached = 10 * self.true_positives[None, :] >= self.truths * np.arange(11)[:, None]  # [11, K]
        best = np.where(reached, self.precision[None, :], 0.0).max(axis=1, initial=0.0)
        return float(best.mean())


@dataclass(frozen=True, kw_only=True)
class DetectionScores:
    """What `evaluate_detections` found out; tuples are indexed by class."""

    curves: tuple[PrecisionRecall, ...]

    @property
    def average_precision(self) -> tuple[float, ...]:
        """One value in [0, 1] per class, NaN for a class without truths."""
        return tuple(curve.average_precision() for curve in self.curves)

    @property
    def mean_average_precision(self) -> float:
        """Mean over the classes that have truths; NaN if none has."""
        values = [value for value in self.average_precision if not np.isnan(value)]
        return float(np.mean(values)) if values else float("nan")

    def precision_at(self, score_threshold: float) -> float:
        """Share of all detections with at least this score that found a truth; NaN without detections."""
        counts = [curve.counts_at(score_threshold) for curve in self.curves]
        return _ratio(sum(found for _, found in counts), sum(detections for detections, _ in counts))

    def recall_at(self, score_threshold: float) -> float:
        """Share of all truths found by detections with at least this score; NaN without truths."""
        found = sum(curve.counts_at(score_threshold)[1] for curve in self.curves)
        return _ratio(found, sum(curve.truths for curve in self.curves))


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")


def evaluate_detections(
    detections: Sequence[ArrayLike],
    truths: Sequence[ArrayLike],
    *,
    num_classes: int,
    overlap_threshold: float = 0.5,
) -> DetectionScores:
    """Match detections with truths, highest score first, each truth once.

    A detection is compared with the truth of its class and image that it overlaps most. It has found that
    truth if the intersection over union is at least the threshold and no detection with a higher score has
    found it before; among equal scores the earlier image, then the earlier row, comes first.

    Args:
        detections: per image [N, 6], rows (class, score, xmin, ymin, xmax, ymax); rows whose class is below
            0 are ignored; N may be 0.
        truths: per image [M, 5], rows (class, xmin, ymin, xmax, ymax) in the same unit; M may be 0.
        num_classes: classes are 0 ... num_classes - 1.
        overlap_threshold: in (0, 1].

    Raises:
        ValueError: the two sequences differ in length, an array has another shape, a number is not finite
            or a class is out of range; the message has the image's position.

    Source: Everingham et al., The PASCAL Visual Object Classes Challenge, IJCV 2010, section 4.2.
    """
    if len(detections) != len(truths):
        raise ValueError(f"{len(detections)} images with detections, {len(truths)} with truths")
    found = [_as_rows(rows, 6, image, num_classes, "detections") for image, rows in enumerate(detections)]
    expected = [_as_rows(rows, 5, image, num_classes, "truths") for image, rows in enumerate(truths)]
    found = [rows[rows[:, 0] >= 0] for rows in found]
    first_truth = np.cumsum([0, *(len(rows) for rows in expected)])
    matches = [
        _best_truths(rows, candidates, overlap_threshold, int(first))
        for rows, candidates, first in zip(found, expected, first_truth[:-1], strict=True)
    ]
    every_detection = np.concatenate([np.empty((0, 6)), *found])
    every_match = np.concatenate([np.empty(0, dtype=np.int64), *matches])
    truth_classes = np.concatenate([np.empty((0, 5)), *expected])[:, 0]
    return DetectionScores(
        curves=tuple(
            _curve(every_detection, every_match, number, int(np.count_nonzero(truth_classes == number)))
            for number in range(num_classes)
        )
    )


def _as_rows(rows: ArrayLike, columns: int, image: int, num_classes: int, what: str) -> Floats:
    array = np.asarray(rows, dtype=np.float64)
    if array.size == 0:
        return np.empty((0, columns))
    if array.ndim != 2 or array.shape[1] != columns:
        raise ValueError(f"image {image}: {what} have shape {array.shape}, not [N, {columns}]")
    if not np.isfinite(array).all():
        raise ValueError(f"image {image}: {what} hold a number that is not finite")
    if (array[:, 0] >= num_classes).any():
        raise ValueError(f"image {image}: {what} hold class {array[:, 0].max():g} of {num_classes} classes")
    return array


def _best_truths(
    detections: Floats, truths: Floats, overlap_threshold: float, first_truth: int
) -> NDArray[np.int64]:
    """[N], for each detection the number of the truth it overlaps most, counted over all images, or -1."""
    if len(truths) == 0:
        return np.full(len(detections), -1)
    overlaps = intersection_over_union(detections[:, 2:], truths[:, 1:])  # [N, M]
    overlaps[detections[:, None, 0] != truths[None, :, 0]] = -1
    best = overlaps.argmax(axis=1)
    enough = overlaps.max(axis=1) >= overlap_threshold
    return np.where(enough, first_truth + best, -1)


def _curve(detections: Floats, matches: NDArray[np.int64], number: int, truths: int) -> PrecisionRecall:
    mine = np.flatnonzero(detections[:, 0] == number)
    order = mine[np.argsort(-detections[mine, 1], kind="stable")]
    ranked = matches[order]
    hits = np.zeros(len(ranked), dtype=np.int64)
    # The first detection of a truth counts as found, every further one as a false alarm.
    truth, first = np.unique(ranked, return_index=True)
    hits[first[truth >= 0]] = 1
    return PrecisionRecall(scores=detections[order, 1], true_positives=np.cumsum(hits), truths=truths)
