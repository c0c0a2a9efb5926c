"""CUB-200-2011: its five tables, checked against one another.

Every message about a table names file and row, counted from 1.

Source: the data set's README; Wah et al., The Caltech-UCSD Birds-200-2011 Dataset, CNS-TR-2011-001.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from processing_scripts.datasets.classes import ClassNames
from processing_scripts.datasets.detection import BOX_COLUMNS, DetectionSet
from processing_scripts.datasets.tables import (
    Places,
    TableError,
    check_paths,
    check_unique,
    digest_of,
    first,
)

FOLDER = "CUB_200_2011"
CLASSES, IMAGES, LABELS = "classes.txt", "images.txt", "image_class_labels.txt"
BOXES, SPLIT = "bounding_boxes.txt", "train_test_split.txt"
TABLES = (CLASSES, IMAGES, LABELS, BOXES, SPLIT)
PICTURES = "images"


def find(folder: Path) -> Path | None:
    """The folder with the tables; None if they are not there."""
    for candidate in (folder / FOLDER, folder):
        if (candidate / IMAGES).is_file():
            return candidate
    return None


def load(folder: Path) -> DetectionSet:
    """Read and check the tables.

    Raises:
        TableError: a missing or malformed table, a duplicate or unknown id, an unsafe path.
    """
    classes = _read(folder / CLASSES, {"class_id": "id", "name": "text"})
    images = _read(folder / IMAGES, {"image_id": "id", "path": "text"})
    labels = _read(folder / LABELS, {"image_id": "id", "class_id": "id"})
    boxes = _read(folder / BOXES, {"image_id": "id"} | dict.fromkeys(BOX_COLUMNS, "number"))
    split = _read(folder / SPLIT, {"image_id": "id", "is_training": "id"})
    check_unique(classes, "class_id", _rows_of(folder / CLASSES))
    check_unique(images, "path", _rows_of(folder / IMAGES))
    check_paths(images, _rows_of(folder / IMAGES))
    for name, table in ((IMAGES, images), (LABELS, labels), (BOXES, boxes), (SPLIT, split)):
        check_unique(table, "image_id", _rows_of(folder / name))
    for name, table in ((LABELS, labels), (BOXES, boxes), (SPLIT, split)):
        _check_known(folder / name, table, images, "image_id", folder / IMAGES)
        _check_known(folder / IMAGES, images, table, "image_id", folder / name)
    _check_known(folder / LABELS, labels, classes, "class_id", folder / CLASSES)
    _check_flags(folder / SPLIT, split)
    by_picture = pd.Index(images["image_id"])
    labels, split = (table.set_index("image_id").loc[by_picture] for table in (labels, split))
    boxes = boxes.assign(picture=by_picture.get_indexer(boxes["image_id"])).sort_values("picture")
    return DetectionSet(
        format="cub",
        folder=folder / PICTURES,
        class_names=ClassNames(
            by_id=dict(sorted(zip(classes["class_id"].tolist(), classes["name"].tolist(), strict=True))),
            source=CLASSES,
            has_ids=True,
        ),
        pictures=images.assign(is_training=split["is_training"].to_numpy(), width=0, height=0),
        objects=boxes.assign(class_id=labels["class_id"].to_numpy(), is_crowd=False, is_difficult=False),
        picture_places=_rows_of(folder / IMAGES),
        object_places=_rows_of(folder / BOXES),
        inputs={name: digest_of(folder / name) for name in TABLES},
    )


def _rows_of(path: Path) -> Places:
    return Places(files=[path], unit="row")


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
    table = pd.DataFrame({name: _convert(path, texts[name], kind) for name, kind in columns.items()})
    return table.assign(file=0, number=table.index + 1)


def _convert(path: Path, texts: pd.Series, kind: str) -> pd.Series:
    if kind == "text":
        return texts
    numbers = pd.to_numeric(texts, errors="coerce").astype("float64")
    # Whole numbers up to 2**53 are exact as float64.
    wrong = ~np.isfinite(numbers) | (numbers.abs() > 2**53)
    if kind == "id":
        wrong |= (numbers % 1 != 0) | (numbers < 0)
    row = first(wrong)
    if row is not None:
        wanted = "a whole number from 0" if kind == "id" else "a number"
        raise TableError(path, row + 1, f"{texts.name} is '{texts[row]}', not {wanted}")
    return numbers.astype("int64") if kind == "id" else numbers


def _check_known(path: Path, table: pd.DataFrame, other: pd.DataFrame, column: str, other_path: Path) -> None:
    row = first(~table[column].isin(other[column]))
    if row is not None:
        raise TableError(path, row + 1, f"{column} {table[column][row]} is not in {other_path.name}")


def _check_flags(path: Path, split: pd.DataFrame) -> None:
    row = first(~split["is_training"].isin([0, 1]))
    if row is not None:
        raise TableError(path, row + 1, f"is_training is {split['is_training'][row]}, not 0 or 1")
