"""Pascal VOC: a file Annotations/NAME.xml for every picture, lists of names in ImageSets/Main.

Coordinates count pixels from 1, and xmax and ymax are the last pixels inside, so a box over a whole picture
of 640 x 480 is 1,1,640,480. Tools that count from 0 write 0,0,640,480: such boxes are one pixel wider here,
and what hangs over the border is cut off.

Source: the PASCAL VOC challenge's development kit, where the top left pixel has the coordinates (1, 1).
"""

import xml.etree.ElementTree as ET
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from processing_scripts.contract import JobError
from processing_scripts.datasets.classes import ClassNames, check_names
from processing_scripts.datasets.detection import DetectionSet
from processing_scripts.datasets.tables import (
    NEITHER,
    TRAINING,
    VALIDATION,
    Integers,
    Places,
    TableError,
    check_paths,
    check_unique,
    digest,
    digest_of,
    first,
    prefix_of_pictures,
    to_flags,
    to_numbers,
)
from processing_scripts.progress import with_progress

ANNOTATIONS = ("Annotations", "annotations")
PICTURES = ("JPEGImages", "images")
LISTS = Path("ImageSets", "Main")
# Thousands of objects.
MAX_FILE_BYTES = 16 << 20
_CORNERS = ("xmin", "ymin", "xmax", "ymax")
# One after the other: the first pair of lists that is there is the data set's split.
_SPLITS = (("train.txt", "val.txt"), ("trainval.txt", "test.txt"))


def find(folder: Path) -> list[Path]:
    """The folders with .xml files, where the data set's archives and the usual tools put them."""
    patterns = [f"{above}{name}" for above in ("", "*/", "VOCdevkit/*/") for name in ANNOTATIONS]
    candidates = [folder, *(path for pattern in patterns for path in sorted(folder.glob(pattern)))]
    return [path for path in candidates if next(path.glob("*.xml"), None)]


def load(folder: Path, found: list[Path]) -> DetectionSet:
    """Read all annotation files of a folder.

    Raises:
        JobError: a file is faulty.
    """
    if len(found) > 1:
        listed = ", ".join(str(path.relative_to(folder)) for path in found)
        raise JobError(f"{folder}: holds several VOC data sets, {listed}; point the input at one of them")
    annotations = found[0]
    root = annotations.parent if annotations.name in ANNOTATIONS else annotations
    files = sorted(annotations.glob("*.xml"))
    pictures, objects = _read_all(files)
    places = {"picture": Places(files=files, unit=""), "object": Places(files=files, unit="object")}
    check_paths(pictures, places["picture"])
    prefix = prefix_of_pictures(
        folder,
        [*(root / name for name in PICTURES), annotations],
        pictures["path"].tolist(),
        where=str(annotations),
    )
    pictures = pictures.assign(path=prefix + pictures["path"])
    check_unique(pictures, "path", places["picture"])
    is_training, no_split, lists = _read_split(root, [file.stem for file in files])
    class_names = ClassNames.numbered(objects["name"], annotations.name)
    check_names(class_names.by_id.values(), str(annotations))
    return DetectionSet(
        format="voc",
        folder=folder,
        class_names=class_names,
        pictures=pictures.assign(is_training=is_training),
        objects=_check_objects(objects, class_names, places["object"]),
        picture_places=places["picture"],
        object_places=places["object"],
        inputs={
            annotations.name: digest((file.name, file) for file in files),
            **{f"{LISTS}/{path.name}": digest_of(path) for path in lists},
        },
        no_split=no_split,
    )


_Columns = dict[str, list[Any]]


def _read_all(files: Sequence[Path]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Pictures (path, width, height) and objects (name, difficult, corners) as the files have them."""
    pictures: _Columns = {name: [] for name in ("path", "width", "height", "number")}
    objects: _Columns = {name: [] for name in ("file", "number", "name", "difficult", *_CORNERS)}
    for position, file in enumerate(
        with_progress(files, phase="annotations", total=len(files), unit="files")
    ):
        root = _parse(file)
        pictures["path"].append(_text(root, "filename") or f"{file.stem}.jpg")
        pictures["width"].append(_text(root, "size/width") or "0")
        pictures["height"].append(_text(root, "size/height") or "0")
        pictures["number"].append(None)
        for number, single in enumerate(root.findall("object"), start=1):
            objects["file"].append(position)
            objects["number"].append(number)
            objects["name"].append(_text(single, "name"))
            objects["difficult"].append(_text(single, "difficult"))
            for corner in _CORNERS:
                objects[corner].append(_text(single, f"bndbox/{corner}"))
    places = Places(files=files, unit="")
    table = pd.DataFrame(pictures, dtype=object).assign(file=np.arange(len(files)))
    table = table.assign(**{name: to_numbers(table, name, places) for name in ("width", "height")})
    return table, pd.DataFrame(objects, dtype=object).astype({"file": np.int64})


def _text(element: ET.Element, path: str) -> str:
    return (element.findtext(path) or "").strip()


class _WithoutDoctype(ET.TreeBuilder):
    """Refuses document types: only they can define entities, which unpack to any size or read other files."""

    def doctype(self, *_: str | None) -> None:
        raise ValueError("has a document type (<!DOCTYPE>), which no annotation needs; remove it")


def _parse(file: Path) -> ET.Element:
    size = file.stat().st_size
    if size > MAX_FILE_BYTES:
        raise TableError(file, None, f"has {size} bytes, more than {MAX_FILE_BYTES}; it is no annotation")
    parser = ET.XMLParser(target=_WithoutDoctype())  # noqa: S314 - and so has no entities
    try:
        parser.feed(file.read_bytes())
        root: ET.Element = parser.close()
    except (ET.ParseError, ValueError) as error:
        raise TableError(file, None, f"not an annotation in XML: {error}") from None
    if root.tag != "annotation":
        raise TableError(file, None, f"begins with <{root.tag}>, not with <annotation>")
    return root


def _check_objects(objects: pd.DataFrame, class_names: ClassNames, places: Places) -> pd.DataFrame:
    corners = {name: to_numbers(objects, name, places) for name in _CORNERS}
    return objects.assign(
        picture=objects["file"],
        class_id=objects["name"].map(class_names.ids()).astype(np.int64),
        left=corners["xmin"] - 1,
        top=corners["ymin"] - 1,
        width=corners["xmax"] - corners["xmin"] + 1,
        height=corners["ymax"] - corners["ymin"] + 1,
        is_crowd=False,
        is_difficult=to_flags(objects, "difficult", places),
    )


def _read_split(root: Path, names: list[str]) -> tuple[Integers, str, list[Path]]:
    """is_training of every picture, why it says nothing if so, and the lists that were read."""
    is_training = np.full(len(names), NEITHER)
    for pair in _SPLITS:
        lists = [root / LISTS / name for name in pair]
        if not all(path.is_file() for path in lists):
            continue
        for path, code in zip(lists, (TRAINING, VALIDATION), strict=True):
            positions = _positions(path, names)
            again = first(is_training[positions] != NEITHER)
            if again is not None:
                fault = f"{names[positions[again]]} is also in {lists[0].name}"
                raise TableError(path, None, f"{fault}; a picture is for training or for validation")
            is_training[positions] = code
        return is_training, "", lists
    pairs = " nor ".join(" and ".join(pair) for pair in _SPLITS)
    return is_training, f"{root}: {LISTS} has neither {pairs}", []


def _positions(path: Path, names: list[str]) -> Integers:
    """Where the names in a list stand among all names."""
    try:
        lines = pd.Series(path.read_text(encoding="utf-8").splitlines(), dtype=object).str.strip()
    except UnicodeDecodeError as error:
        raise TableError(path, None, f"not UTF-8 text: {error}") from None
    listed = lines[lines != ""]
    positions: Integers = pd.Index(names).get_indexer(pd.Index(listed))
    unknown = first(positions < 0)
    if unknown is not None:
        row = int(listed.index[unknown]) + 1
        raise TableError(path, row, f"there is no annotation file {listed.iloc[unknown]}.xml")
    twice = first(listed.duplicated())
    if twice is not None:
        raise TableError(
            path, int(listed.index[twice]) + 1, f"{listed.iloc[twice]} stands in an earlier row too"
        )
    return positions
