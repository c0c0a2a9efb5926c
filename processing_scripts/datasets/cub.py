"""CUB-200-2011: its five tables, checked against one another, and the choice of species and split.

Every message about a table names file and row, counted from 1.

Source: the data set's README; Wah et al., The Caltech-UCSD Birds-200-2011 Dataset, CNS-TR-2011-001.
"""

import difflib
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from processing_scripts.contract import JobError
from processing_scripts.outputs import is_safe_relative

FOLDER = "CUB_200_2011"
CLASSES, IMAGES, LABELS = "classes.txt", "images.txt", "image_class_labels.txt"
BOXES, SPLIT = "bounding_boxes.txt", "train_test_split.txt"
TABLES = (CLASSES, IMAGES, LABELS, BOXES, SPLIT)
PICTURES = "images"
BOX_COLUMNS = ["left", "top", "width", "height"]


class TableError(JobError):
    """A table cannot be right; the message names file and row."""

    def __init__(self, path: Path, row: int | None, fault: str) -> None:
        super().__init__(f"{path}: {fault}" if row is None else f"{path}: row {row}: {fault}")


@dataclass(frozen=True, kw_only=True)
class Cub:
    """The tables of one copy of the data set."""

    folder: Path
    class_names: Mapping[int, str]  # class_id -> name such as 017.Cardinal, ascending
    # One row per picture in the order of images.txt; image_id, path, class_id, left, top, width, height
    # (pixels), is_training (0 or 1), image_row and box_row (from 1, in images.txt and bounding_boxes.txt).
    pictures: pd.DataFrame

    def picture(self, path: str) -> Path:
        """Where the picture of this path lies."""
        return self.folder / PICTURES / path

    def digests(self) -> dict[str, str]:
        """SHA-256 of every table."""
        return {name: hashlib.sha256((self.folder / name).read_bytes()).hexdigest() for name in TABLES}


def load(folder: Path) -> Cub:
    """Read and check the tables.

    Raises:
        TableError: a missing or malformed table, a duplicate or unknown id, an unsafe path.
    """
    classes = _read(folder / CLASSES, {"class_id": "id", "name": "text"})
    images = _read(folder / IMAGES, {"image_id": "id", "path": "text"})
    labels = _read(folder / LABELS, {"image_id": "id", "class_id": "id"})
    boxes = _read(folder / BOXES, {"image_id": "id"} | dict.fromkeys(BOX_COLUMNS, "number"))
    split = _read(folder / SPLIT, {"image_id": "id", "is_training": "id"})
    _check_unique(folder / CLASSES, classes, "class_id")
    _check_unique(folder / IMAGES, images, "path")
    _check_paths(folder / IMAGES, images)
    for name, table in ((IMAGES, images), (LABELS, labels), (BOXES, boxes), (SPLIT, split)):
        _check_unique(folder / name, table, "image_id")
    for name, table in ((LABELS, labels), (BOXES, boxes), (SPLIT, split)):
        _check_known(folder / name, table, images, "image_id", folder / IMAGES)
        _check_known(folder / IMAGES, images, table, "image_id", folder / name)
    _check_known(folder / LABELS, labels, classes, "class_id", folder / CLASSES)
    _check_flags(folder / SPLIT, split)
    images["image_row"], boxes["box_row"] = images.index + 1, boxes.index + 1
    pictures = images.merge(labels, on="image_id").merge(boxes, on="image_id").merge(split, on="image_id")
    class_names = dict(sorted(zip(classes["class_id"].tolist(), classes["name"].tolist(), strict=True)))
    return Cub(folder=folder, class_names=class_names, pictures=pictures)


def _read(path: Path, columns: Mapping[str, str]) -> pd.DataFrame:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        raise TableError(path, None, "not there; it belongs to every copy of the data set") from None
    except UnicodeDecodeError as error:
        raise TableError(path, None, f"not UTF-8 text: {error}") from None
    rows = [line.split(maxsplit=len(columns) - 1) for line in lines]
    for number, row in enumerate(rows, start=1):
        if len(row) != len(columns):
            raise TableError(path, number, f"has {len(row)} fields; expected {', '.join(columns)}")
    texts = pd.DataFrame(rows, columns=list(columns), dtype=object)
    if texts.empty:
        raise TableError(path, None, "has no rows")
    return pd.DataFrame({name: _convert(path, texts[name], kind) for name, kind in columns.items()})


def _convert(path: Path, texts: pd.Series, kind: str) -> pd.Series:
    if kind == "text":
        return texts
    numbers = pd.to_numeric(texts, errors="coerce").astype("float64")
    # Whole numbers up to 2**53 are exact as float64.
    wrong = ~np.isfinite(numbers) | (numbers.abs() > 2**53)
    if kind == "id":
        wrong |= (numbers % 1 != 0) | (numbers < 0)
    row = _first(wrong)
    if row is not None:
        wanted = "a whole number from 0" if kind == "id" else "a number"
        raise TableError(path, row + 1, f"{texts.name} is '{texts[row]}', not {wanted}")
    return numbers.astype("int64") if kind == "id" else numbers


def _first(mask: ArrayLike) -> int | None:
    """The position of the first True."""
    positions = np.flatnonzero(mask)
    return int(positions[0]) if len(positions) else None


def _check_unique(path: Path, table: pd.DataFrame, column: str) -> None:
    row = _first(table[column].duplicated())
    if row is not None:
        raise TableError(path, row + 1, f"{column} {table[column][row]} stands in an earlier row too")


def _check_known(path: Path, table: pd.DataFrame, other: pd.DataFrame, column: str, other_path: Path) -> None:
    row = _first(~table[column].isin(other[column]))
    if row is not None:
        raise TableError(path, row + 1, f"{column} {table[column][row]} is not in {other_path.name}")


def _check_paths(path: Path, images: pd.DataFrame) -> None:
    for row, picture in enumerate(images["path"], start=1):
        if not is_safe_relative(picture):
            raise TableError(path, row, f"'{picture}' leaves the folder of pictures or is unprintable")


def _check_flags(path: Path, split: pd.DataFrame) -> None:
    row = _first(~split["is_training"].isin([0, 1]))
    if row is not None:
        raise TableError(path, row + 1, f"is_training is {split['is_training'][row]}, not 0 or 1")


def choose_classes(class_names: Mapping[int, str], wish: str) -> list[int]:
    """The class ids that a wish such as "17,36", "017.Cardinal, Blue_Jay" or "all" means, ascending.

    Raises:
        JobError: a part of it means no class, or one class is meant twice.
    """
    if wish.strip().lower() == "all":
        return list(class_names)
    parts = [part.strip() for part in wish.split(",") if part.strip()]
    chosen = [_class_id(class_names, part) for part in parts]
    if not chosen:
        raise JobError('--classes is empty; give ids such as "17,36", names such as "017.Cardinal", or "all"')
    for number, class_id in enumerate(chosen):
        if class_id in chosen[:number]:
            raise JobError(f"--classes names {class_names[class_id]} twice")
    return sorted(chosen)


def _class_id(class_names: Mapping[int, str], part: str) -> int:
    if part.isdecimal():
        if int(part) in class_names:
            return int(part)
        raise JobError(f"--classes: no class has the id {part}; classes.txt has {_listed(class_names)}")
    known = {name.lower(): class_id for class_id, name in class_names.items()}
    known |= {
        name.lower().partition(".")[2]: class_id for class_id, name in class_names.items() if "." in name
    }
    if part.lower() in known:
        return known[part.lower()]
    near = difflib.get_close_matches(part.lower(), known, n=1)
    hint = f"did you mean '{class_names[known[near[0]]]}'?" if near else "see classes.txt"
    raise JobError(f"--classes: no class is named '{part}'; {hint}")


def _listed(class_names: Mapping[int, str], limit: int = 10) -> str:
    ids = [str(class_id) for class_id in class_names]
    return ", ".join(ids[:limit]) + (f" … {ids[-1]}" if len(ids) > limit else "")


def select(cub: Cub, class_ids: list[int]) -> pd.DataFrame:
    """The pictures of these classes, numbered from 0 in the order of images.txt.

    Adds class_number: 0 for the lowest class id, then successive, as the algorithm wants it.
    """
    chosen = cub.pictures[cub.pictures["class_id"].isin(class_ids)].reset_index(drop=True)
    numbers = {class_id: number for number, class_id in enumerate(class_ids)}
    return chosen.assign(class_number=chosen["class_id"].map(numbers))


def split_randomly(pictures: pd.DataFrame, *, train_ratio: float, seed: int) -> pd.DataFrame:
    """Replace is_training: in every class this share, rounded, drawn with this seed."""
    is_training = np.zeros(len(pictures), dtype=np.int64)
    for class_id, rows in pictures.groupby("class_id").indices.items():
        # Seeded for each class, so that adding a class leaves the split of the others alone.
        order = np.random.default_rng([seed, int(str(class_id))]).permutation(rows)
        is_training[order[: round(len(rows) * train_ratio)]] = 1
    return pictures.assign(is_training=is_training)
