"""Bounding boxes: pixel boxes as data sets annotate them, corner fractions as detectors use them."""

import numpy as np
from numpy.typing import NDArray

from processing_scripts.contract import JobError

Floats = NDArray[np.float64]

# Sums of decimal fractions pass a border by some 1e-14; such a box counts as inside and keeps its numbers.
ROUNDING_PX = 1e-6


class AnnotationError(JobError):
    """A box cannot be right; `row` is its position in the array, from 0."""

    def __init__(self, row: int, fault: str) -> None:
        super().__init__(f"box {row}: {fault}")
        self.row, self.fault = row, fault


def to_corner_fractions(boxes: Floats, *, width: int | Floats, height: int | Floats) -> Floats:
    """Turn annotation boxes into the form that detector labels and responses use.

    Nothing is clipped: `clip_to_image` does that in pixels, where it can be counted and reported.

    Args:
        boxes: [N, 4], rows (left, top, width, height) in pixels, origin top left; N may be 0.
        width, height: image size in pixels, one for all boxes or one for each, [N].

    Returns:
        float64 [N, 4], rows (xmin, ymin, xmax, ymax) as fractions of the image. Not float32: list files
        show four decimals, and a detour through float32 changes the last one now and then.

    Raises:
        AnnotationError: a side is not positive; the message has the row.

    Source: SageMaker guide, Object Detection Request and Response Formats.
    """
    _check_sides(boxes)
    left, top, box_width, box_height = boxes.T
    return np.stack(
        [left / width, top / height, (left + box_width) / width, (top + box_height) / height], axis=1
    )


def _check_sides(boxes: Floats) -> None:
    for row in np.flatnonzero(~(boxes[:, 2:] > 0).all(axis=1)):
        width, height = boxes[row, 2:]
        raise AnnotationError(int(row), f"has no area: width {width:g}, height {height:g}")


def clip_to_image(boxes: Floats, *, width: int | Floats, height: int | Floats) -> Floats:
    """Cut off what lies outside the image; boxes inside keep their exact numbers.

    Args:
        boxes: [N, 4], rows (left, top, width, height) in pixels.
        width, height: image size in pixels, one for all boxes or one for each, [N].

    Returns:
        float64 [N, 4]; a box wholly outside gets a side of 0 or less.
    """
    clipped = np.array(boxes, dtype=np.float64)
    for axis, side in ((0, width), (1, height)):
        start, end = boxes[:, axis], boxes[:, axis] + boxes[:, axis + 2]
        outside = (start < -ROUNDING_PX) | (end > side + ROUNDING_PX)
        new_start = np.maximum(start, 0)
        clipped[:, axis] = np.where(outside, new_start, start)
        clipped[:, axis + 2] = np.where(outside, np.minimum(end, side) - new_start, boxes[:, axis + 2])
    return clipped


def pixels_outside(boxes: Floats, *, width: int | Floats, height: int | Floats) -> Floats:
    """How far each box reaches over the border of its image, in pixels; 0 for a box inside.

    Args:
        boxes: [N, 4], rows (left, top, width, height) in pixels.
        width, height: image size in pixels, one for all boxes or one for each, [N].

    Returns:
        float64 [N].
    """
    left, top, box_width, box_height = boxes.T
    beyond: Floats = np.max(
        [-left, -top, left + box_width - width, top + box_height - height, np.zeros_like(left)], axis=0
    )
    return beyond


def mirror(boxes: Floats, *, width: int | Floats) -> Floats:
    """The boxes of the image mirrored left to right.

    Args:
        boxes: [N, 4], rows (left, top, width, height); `left` and the width share a unit.
        width: image width in that unit, one for all boxes or one for each, [N].

    Returns:
        float64 [N, 4], rows (left, top, width, height).
    """
    mirrored = np.array(boxes, dtype=np.float64)
    # In this order, because the lists must round to the same last decimal as the notebook's.
    mirrored[:, 0] = width - boxes[:, 2] - boxes[:, 0]
    return mirrored


def intersection_over_union(first: Floats, second: Floats) -> Floats:
    """Overlap of every box of one set with every box of another.

    Args:
        first: [N, 4], rows (xmin, ymin, xmax, ymax) in any unit; N may be 0.
        second: [M, 4] in the same unit; M may be 0.

    Returns:
        float64 [N, M] in [0, 1]; 0 where both boxes have no area.
    """
    low = np.maximum(first[:, None, :2], second[None, :, :2])  # [N, M, 2]
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=2)
    union = _areas(first)[:, None] + _areas(second)[None, :] - shared
    overlaps: Floats = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    return overlaps


def _areas(corners: Floats) -> Floats:
    areas: Floats = np.clip(corners[:, 2:] - corners[:, :2], 0, None).prod(axis=1)
    return areas
