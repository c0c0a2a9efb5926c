"""Pixel boxes become list rows, once the pictures' sizes are known."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import overload

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from processing_scripts.datasets.detection import BOX_COLUMNS, Chosen
from processing_scripts.datasets.tables import TRAINING, Integers, first
from processing_scripts.progress import with_progress
from processing_scripts.unreadable import Unreadable
from processing_scripts.vision.boxes import Floats, clip_to_image, mirror, pixels_outside, to_corner_fractions
from processing_scripts.vision.images import ImageError, read_size
from processing_scripts.vision.lists import HEADER_WIDTH, OBJECT_WIDTH, DetectionRow, detection_row

# Boxes may touch the border and a rounded click may lie beyond it; what reaches further is a mistake.
BORDER_TOLERANCE_PX = 1.0


@dataclass(frozen=True, kw_only=True)
class _Columns:
    """Everything about N pictures with M objects, an array each."""

    folder: Path
    paths: Sequence[str]  # N
    indices: Integers  # [N]
    is_training: NDArray[np.bool_]  # [N]
    starts: Integers  # [N + 1], where the objects of a picture begin among all objects
    class_numbers: Integers  # [M]
    original: Floats  # [M, 4], xmin, ymin, xmax, ymax as fractions
    flipped: Floats  # [M, 4], of the mirror images
    first_flip: int  # index of the mirror image of picture 0


@dataclass(frozen=True, slots=True)
class Entry:
    """One picture with the rows that describe it and its mirror image, made of columns when asked for."""

    columns: _Columns
    position: int

    @property
    def index(self) -> int:
        """Of the picture, among the chosen ones."""
        return int(self.columns.indices[self.position])

    @property
    def path(self) -> str:
        """Below the folder of pictures, with "/"."""
        return self.columns.paths[self.position]

    @property
    def source(self) -> Path:
        """Where the picture lies."""
        return self.columns.folder / self.path

    @property
    def is_training(self) -> bool:
        """Whether it is for training or held out."""
        return bool(self.columns.is_training[self.position])

    @property
    def original(self) -> DetectionRow:
        """The row of the picture."""
        return self._row(self.index, self.columns.original, self.path)

    @property
    def flipped(self) -> DetectionRow:
        """The row of its mirror image, with the name that this would have as a file."""
        pure = PurePosixPath(self.path)
        path = str(pure.with_name(f"{pure.stem}_flip.jpg"))
        return self._row(self.index + self.columns.first_flip, self.columns.flipped, path)

    def _row(self, index: int, corners: Floats, path: str) -> DetectionRow:
        start, end = self.columns.starts[self.position : self.position + 2].tolist()
        numbers = self.columns.class_numbers[start:end].tolist()
        objects = [[number, *box] for number, box in zip(numbers, corners[start:end].tolist(), strict=True)]
        return detection_row(index, objects, path)


class Entries(Sequence[Entry]):
    """The pictures in their order. An entry takes memory while somebody holds it."""

    def __init__(self, columns: _Columns) -> None:
        self._columns = columns

    def __len__(self) -> int:
        return len(self._columns.indices)

    @overload
    def __getitem__(self, position: int) -> Entry: ...
    @overload
    def __getitem__(self, position: slice) -> list[Entry]: ...
    def __getitem__(self, position: int | slice) -> Entry | list[Entry]:
        chosen = range(len(self))[position]
        if isinstance(chosen, range):
            return [Entry(self._columns, each) for each in chosen]
        return Entry(self._columns, chosen)

    def __iter__(self) -> Iterator[Entry]:
        return (Entry(self._columns, position) for position in range(len(self)))

    def label_width(self, entries: Sequence[Entry]) -> int:
        """The numbers of the longest label of these entries."""
        objects = np.diff(self._columns.starts)[_positions(entries)]
        return HEADER_WIDTH + OBJECT_WIDTH * int(objects.max())

    def count_objects(self, entries: Sequence[Entry], classes: int) -> Integers:
        """[classes], how many objects of each class these entries have."""
        _, numbers = self._pairs(entries)
        return np.bincount(numbers, minlength=classes)

    def count_pictures(self, entries: Sequence[Entry], classes: int) -> Integers:
        """[classes], how many of these entries have an object of each class."""
        pictures, numbers = self._pairs(entries)
        pairs = np.unique(np.stack([pictures, numbers]), axis=1)
        return np.bincount(pairs[1], minlength=classes)

    def with_class(self, entries: Sequence[Entry], number: int, limit: int) -> list[Entry]:
        """The first of these entries that have an object of a class."""
        pictures, numbers = self._pairs(entries)
        positions, firsts = np.unique(pictures[numbers == number], return_index=True)
        return [Entry(self._columns, int(position)) for position in positions[np.argsort(firsts)][:limit]]

    def _pairs(self, entries: Sequence[Entry]) -> tuple[Integers, Integers]:
        """Position of the picture and class number of every object of these entries."""
        positions = _positions(entries)
        chosen = np.zeros(len(self), dtype=np.bool_)
        chosen[positions] = True
        pictures = np.repeat(np.arange(len(self)), np.diff(self._columns.starts))
        of_chosen = chosen[pictures]
        return pictures[of_chosen], self._columns.class_numbers[of_chosen]


def _positions(entries: Sequence[Entry]) -> Integers:
    return np.fromiter((entry.position for entry in entries), dtype=np.int64, count=len(entries))


@dataclass(frozen=True, kw_only=True)
class Annotations:
    """Everything known before a picture is decoded."""

    entries: Entries
    clipped_boxes: int


def annotate(chosen: Chosen, unreadable: Unreadable) -> Annotations:
    """Measure the pictures, check their boxes and make the list rows.

    A row's index is the picture's position among the chosen ones, training and validation counted
    together; its mirror image follows as many pictures later as were chosen. A picture left out leaves a gap.

    Raises:
        JobError: a picture is missing or has another size than its author says, too many are unreadable, or a
            box is wrong.
    """
    sizes = pd.DataFrame(
        _sizes(chosen, unreadable), columns=["index", "real_width", "real_height"], dtype=np.int64
    )
    pictures = sizes.merge(chosen.pictures, left_on="index", right_index=True)
    _check_claimed(chosen, pictures)
    # Objects of pictures that were left out find no position.
    places = pd.Index(pictures["index"]).get_indexer(chosen.objects["picture"])
    objects, places = chosen.objects[places >= 0], places[places >= 0]
    boxes: Floats = objects[BOX_COLUMNS].to_numpy(dtype=np.float64)
    widths: Floats = pictures["real_width"].to_numpy(dtype=np.float64)[places]
    heights: Floats = pictures["real_height"].to_numpy(dtype=np.float64)[places]
    inside = _checked_boxes(chosen, objects, boxes, widths, heights)
    columns = _Columns(
        folder=chosen.data.folder,
        paths=pictures["path"].tolist(),
        indices=pictures["index"].to_numpy(dtype=np.int64),
        is_training=(pictures["is_training"] == TRAINING).to_numpy(dtype=np.bool_),
        starts=np.searchsorted(places, np.arange(len(pictures) + 1)),
        class_numbers=objects["class_number"].to_numpy(dtype=np.int64),
        original=to_corner_fractions(inside, width=widths, height=heights),
        flipped=to_corner_fractions(mirror(inside, width=widths), width=widths, height=heights),
        first_flip=len(chosen.pictures),
    )
    return Annotations(entries=Entries(columns), clipped_boxes=int((inside != boxes).any(axis=1).sum()))


def _sizes(chosen: Chosen, unreadable: Unreadable) -> Iterator[tuple[int, int, int]]:
    paths = chosen.pictures["path"].tolist()
    for index, path in enumerate(with_progress(paths, phase="sizes", total=len(paths))):
        try:
            with (chosen.data.folder / path).open("rb") as file:
                width, height = read_size(file, source=path)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            fault = f"picture {path} is not in {chosen.data.folder}"
            raise chosen.data.picture_places.error(chosen.pictures, index, fault) from None
        except ImageError as error:
            unreadable.add(path, error.fault)
            continue
        yield index, width, height


def _check_claimed(chosen: Chosen, pictures: pd.DataFrame) -> None:
    """A picture that was resized after somebody drew boxes on it has them all in the wrong places."""
    claimed = pictures[["width", "height"]].to_numpy()
    real = pictures[["real_width", "real_height"]].to_numpy()
    wrong = first(((claimed != real) & (claimed > 0)).any(axis=1))
    if wrong is None:
        return
    (width, height), (real_width, real_height) = claimed[wrong].tolist(), real[wrong].tolist()
    remedy = "boxes and picture do not belong together; put the annotated picture there"
    if (width, height) == (real_height, real_width):
        remedy = (
            "an orientation tag (EXIF) turns it for display, and boxes must fit the stored pixels; "
            "turn the picture itself and remove the tag"
        )
    raise chosen.data.picture_places.error(
        pictures,
        wrong,
        f"says that {pictures['path'].iloc[wrong]} has {width:g} x {height:g} pixels, the file has "
        f"{real_width} x {real_height}: {remedy}",
    )


def _checked_boxes(
    chosen: Chosen, objects: pd.DataFrame, boxes: Floats, widths: Floats, heights: Floats
) -> Floats:
    """The boxes cut off at the border, all of them with an area."""
    places = chosen.data.object_places
    wrong = first((boxes[:, 2:] <= 0).any(axis=1))
    if wrong is not None:
        fault = f"the box has no area (width {boxes[wrong, 2]:g}, height {boxes[wrong, 3]:g})"
        raise places.error(objects, wrong, fault)
    outside = pixels_outside(boxes, width=widths, height=heights)
    wrong = first(outside > BORDER_TOLERANCE_PX)
    if wrong is not None:
        fault = (
            f"the box reaches {outside[wrong]:g} pixels out of the picture, "
            f"which has {widths[wrong]:g} x {heights[wrong]:g}"
        )
        raise places.error(objects, wrong, fault)
    inside = clip_to_image(boxes, width=widths, height=heights)
    wrong = first((inside[:, 2:] <= 0).any(axis=1))
    if wrong is not None:
        raise places.error(objects, wrong, "no part of the box lies in the picture")
    return inside
