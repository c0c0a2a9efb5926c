"""Pixel boxes of CUB-200-2011 become list rows, once the pictures' sizes are known."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd

from processing_scripts.datasets import cub
from processing_scripts.progress import with_progress
from processing_scripts.unreadable import Unreadable
from processing_scripts.vision.boxes import Floats, clip_to_image, mirror, pixels_outside, to_corner_fractions
from processing_scripts.vision.images import ImageError, read_size
from processing_scripts.vision.lists import DetectionRow, detection_row

# Boxes may touch the border and a rounded click may lie beyond it; what reaches further is a mistake.
BORDER_TOLERANCE_PX = 1.0


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One picture with the rows that describe it and its mirror image."""

    source: Path
    class_number: int
    is_training: bool
    original: DetectionRow
    flipped: DetectionRow

    @property
    def index(self) -> int:
        """Of the picture, among the chosen ones."""
        return self.original.index

    @property
    def path(self) -> str:
        """Below the folder of pictures, with "/"."""
        return self.original.path


@dataclass(frozen=True, kw_only=True)
class Annotations:
    """Everything known before a picture is decoded."""

    entries: list[Entry]
    clipped_boxes: int


def annotate(data: cub.Cub, pictures: pd.DataFrame, unreadable: Unreadable) -> Annotations:
    """Measure the pictures, check their boxes and make the list rows.

    A row's index is the picture's position among the chosen ones, training and validation counted
    together; its mirror image follows `len(pictures)` later. A picture left out leaves a gap.

    Raises:
        JobError: a picture is missing, too many are unreadable, or a box is wrong.
    """
    measured = _measure(data, pictures, unreadable)
    boxes: Floats = measured[cub.BOX_COLUMNS].to_numpy(dtype=np.float64)
    widths: Floats = measured["picture_width"].to_numpy(dtype=np.float64)
    heights: Floats = measured["picture_height"].to_numpy(dtype=np.float64)
    inside = _checked_boxes(data.folder / cub.BOXES, measured, boxes, widths, heights)
    original = to_corner_fractions(inside, width=widths, height=heights)
    flipped = to_corner_fractions(mirror(inside, width=widths), width=widths, height=heights)
    columns = ("index", "path", "class_number", "is_training")
    described = zip(*(measured[column].tolist() for column in columns), strict=True)
    entries = [
        Entry(
            source=data.picture(path),
            class_number=number,
            is_training=is_training == 1,
            original=detection_row(index, [[number, *corners]], path),
            flipped=detection_row(index + len(pictures), [[number, *mirrored]], _flipped_path(path)),
        )
        for (index, path, number, is_training), corners, mirrored in zip(
            described, original.tolist(), flipped.tolist(), strict=True
        )
    ]
    return Annotations(entries=entries, clipped_boxes=int((inside != boxes).any(axis=1).sum()))


def _flipped_path(path: str) -> str:
    """The name that the mirror image would have as a file."""
    pure = PurePosixPath(path)
    return str(pure.with_name(f"{pure.stem}_flip.jpg"))


def _measure(data: cub.Cub, pictures: pd.DataFrame, unreadable: Unreadable) -> pd.DataFrame:
    """The readable pictures with index, picture_width and picture_height."""
    sizes = pd.DataFrame(
        _sizes(data, pictures, unreadable),
        columns=["index", "picture_width", "picture_height"],
        dtype=np.int64,
    )
    return sizes.merge(pictures, left_on="index", right_index=True)


def _sizes(data: cub.Cub, pictures: pd.DataFrame, unreadable: Unreadable) -> Iterator[tuple[int, int, int]]:
    rows = zip(pictures["path"].tolist(), pictures["image_row"].tolist(), strict=True)
    for index, (path, row) in enumerate(with_progress(rows, phase="sizes", total=len(pictures))):
        try:
            with data.picture(path).open("rb") as file:
                width, height = read_size(file, source=path)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            fault = f"picture {path} is not in {data.folder / cub.PICTURES}"
            raise cub.TableError(data.folder / cub.IMAGES, row, fault) from None
        except ImageError as error:
            unreadable.add(path, error.fault)
            continue
        yield index, width, height


def _checked_boxes(
    table: Path, pictures: pd.DataFrame, boxes: Floats, widths: Floats, heights: Floats
) -> Floats:
    """The boxes cut off at the border, all of them with an area."""
    rows = pictures["box_row"].to_numpy()
    for wrong in np.flatnonzero((boxes[:, 2:] <= 0).any(axis=1)):
        fault = f"the box has no area (width {boxes[wrong, 2]:g}, height {boxes[wrong, 3]:g})"
        raise cub.TableError(table, int(rows[wrong]), fault)
    outside = pixels_outside(boxes, width=widths, height=heights)
    for wrong in np.flatnonzero(outside > BORDER_TOLERANCE_PX):
        fault = (
            f"the box reaches {outside[wrong]:g} pixels out of the picture, "
            f"which has {widths[wrong]:g} x {heights[wrong]:g}"
        )
        raise cub.TableError(table, int(rows[wrong]), fault)
    inside = clip_to_image(boxes, width=widths, height=heights)
    for wrong in np.flatnonzero((inside[:, 2:] <= 0).any(axis=1)):
        raise cub.TableError(table, int(rows[wrong]), "no part of the box lies in the picture")
    return inside
