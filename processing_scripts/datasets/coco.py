"""COCO's JSON: images, categories, and annotations with boxes [left, top, width, height] in pixels from 0.

One file describes all pictures, or one those for training and one the held-out ones, told apart by names such
as instances_train2017.json and instances_val2017.json. A file for testing has no annotations; it is not read.
The outlines of objects are thrown away while a file is read, or they would take most of the memory.

Source: cocodataset.org, "Data format".
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pandas as pd

from processing_scripts.datasets.classes import ClassNames, check_names
from processing_scripts.datasets.detection import BOX_COLUMNS, DetectionSet
from processing_scripts.datasets.tables import (
    NEITHER,
    TRAINING,
    VALIDATION,
    Places,
    TableError,
    check_paths,
    check_unique,
    digest_of,
    first,
    prefix_of_pictures,
    split_by_name,
    to_flags,
    to_numbers,
)

INSTANCES = "instances_"
# COCO's largest file has 470 MB. Reading takes two to three times as much memory as the file has bytes.
MAX_FILE_BYTES = 2 << 30
_LISTS = ("images", "annotations", "categories")
# What an annotation may hold besides its box, by far the most of a file.
_OUTLINES = ("segmentation", "keypoints", "attributes")
_CODES = {"train": TRAINING, "validation": VALIDATION, "": NEITHER}


def find(folder: Path) -> list[Path]:
    """The .json files that may be COCO's: those called instances_*, else all."""
    found = sorted([*folder.glob("*.json"), *folder.glob("*/*.json")])
    return [path for path in found if path.name.startswith(INSTANCES)] or found


@dataclass(frozen=True, kw_only=True)
class _Part:
    """What one file says."""

    images: pd.DataFrame  # id, path below the data set's folder, width, height
    annotations: pd.DataFrame  # picture (position in images), category_id, left, top, width, height, ...
    categories: dict[int, str]


def load(folder: Path, files: list[Path]) -> DetectionSet:
    """Read one file, or one for training and one for validation.

    Raises:
        JobError: a file or something in it is faulty.
    """
    parts = [(path, role) for path, role in split_by_name(folder, files, "JSON") if role != "test"]
    roles = [role for _, role in parts]
    paths = [path for path, _ in parts]
    read = [_read_part(folder, path) for path in paths]
    starts = np.cumsum([0, *(len(part.images) for part in read)])
    pictures = pd.concat(
        [
            part.images.assign(file=number, is_training=_CODES[role])
            for number, (part, role) in enumerate(zip(read, roles, strict=True))
        ],
        ignore_index=True,
    )
    objects = pd.concat(
        [
            part.annotations.assign(file=number, picture=part.annotations["picture"] + starts[number])
            for number, part in enumerate(read)
        ],
        ignore_index=True,
    )
    picture_places = Places(files=paths, unit="image")
    check_unique(pictures, "path", picture_places)
    no_split = "" if len(parts) == 2 else f"{paths[0]}: is not one of two files, for training and validation"
    return DetectionSet(
        format="coco",
        folder=folder,
        class_names=ClassNames(
            by_id=dict(sorted(_categories(paths, read).items())), source=paths[0].name, has_ids=True
        ),
        pictures=pictures,
        objects=objects,
        picture_places=picture_places,
        object_places=Places(files=paths, unit="annotation"),
        inputs={path.relative_to(folder).as_posix(): digest_of(path) for path in paths},
        no_split=no_split,
    )


def _categories(paths: Sequence[Path], parts: Sequence[_Part]) -> dict[int, str]:
    categories = parts[0].categories
    for path, part in zip(paths, parts, strict=True):
        for number, name in part.categories.items():
            if categories.setdefault(number, name) != name:
                fault = f"category {number} is '{name}', in {paths[0].name} it is '{categories[number]}'"
                raise TableError(path, None, f"{fault}; give all files the same categories")
    if len(set(categories.values())) < len(categories):
        raise TableError(paths[0], None, "two categories have the same name; rename one of them")
    return categories


def _read_part(folder: Path, path: Path) -> _Part:
    document = _read(path)
    images = _images(path, document["images"])
    # Those of instances_val2017.json lie in val2017/.
    stem = path.stem.removeprefix(INSTANCES)
    candidates = [folder / stem, folder / "images" / stem, path.parent, folder / "images", folder]
    prefix = prefix_of_pictures(folder, candidates, images["path"].tolist(), where=str(path))
    images["path"] = prefix + images["path"]
    categories = _read_categories(path, document["categories"])
    annotations = _annotations(path, document["annotations"], images, categories)
    return _Part(images=images, annotations=annotations, categories=categories)


def _read(path: Path) -> Mapping[str, list[Any]]:
    """The three lists of the file."""
    size = path.stat().st_size
    if size > MAX_FILE_BYTES:
        raise TableError(path, None, f"has {size} bytes, more than {MAX_FILE_BYTES}; divide the data set")
    try:
        document = json.loads(
            path.read_text(encoding="utf-8-sig"), object_hook=_without_outlines, parse_constant=_refuse
        )
    except RecursionError:
        raise TableError(path, None, "is nested too deeply; no COCO file is") from None
    except ValueError as error:
        raise TableError(path, None, f"not JSON: {error}") from None
    for name in _LISTS:
        items = document.get(name) if isinstance(document, dict) else None
        if not isinstance(items, list) or not items or not all(isinstance(item, dict) for item in items):
            fault = f"has no list '{name}' with an object in it; COCO's files have {', '.join(_LISTS)}"
            raise TableError(path, None, f"{fault} (or name another --format)")
    return {name: document[name] for name in _LISTS}


def _without_outlines(values: dict[str, Any]) -> dict[str, Any]:
    for name in _OUTLINES:
        values.pop(name, None)
    return values


def _refuse(text: str) -> NoReturn:
    raise ValueError(f"{text} is not a number")


def _columns(path: Path, items: list[dict[str, Any]], names: Sequence[str], unit: str) -> pd.DataFrame:
    """These fields of every item, with its id (or, without ids, its position from 1) as `number`."""
    table = pd.DataFrame({name: [item.get(name) for item in items] for name in names}, dtype=object)
    ids = [item.get("id", position) for position, item in enumerate(items, start=1)]
    table = table.assign(file=0, number=pd.Series(ids, dtype=object))
    places = Places(files=[path], unit=unit)
    for name in ("number", *(name for name in names if name.endswith("id"))):
        # bool is an int to Python; infer_dtype knows better.
        if pd.api.types.infer_dtype(table[name], skipna=False) not in ("integer", "string"):
            wrong = first([isinstance(value, bool) or not isinstance(value, int) for value in table[name]])
            what = "id" if name == "number" else name
            value = table[name].iloc[wrong or 0]
            raise places.error(table, wrong or 0, f"its {what} is {value!r}, not a whole number")
    row = first(table["number"].duplicated())
    if row is not None:
        raise TableError(path, None, f"has {unit} {table['number'].iloc[row]} twice; ids must be different")
    return table


def _images(path: Path, items: list[dict[str, Any]]) -> pd.DataFrame:
    """The columns path, width and height, file and number."""
    places = Places(files=[path], unit="image")
    table = _columns(path, items, ["file_name", "width", "height"], "image")
    nameless = first([not isinstance(name, str) or not name for name in table["file_name"]])
    if nameless is not None:
        raise places.error(table, nameless, "has no file_name")
    sizes = {name: to_numbers(table.fillna({name: 0}), name, places) for name in ("width", "height")}
    names = pd.Series([name.removeprefix("./") for name in table["file_name"]], dtype=object)
    table = table.drop(columns=["file_name"]).assign(path=names, **sizes)
    check_paths(table, places)
    return table


def _read_categories(path: Path, items: list[dict[str, Any]]) -> dict[int, str]:
    table = _columns(path, items, ["name"], "category")
    check_names([name if isinstance(name, str) else "" for name in table["name"]], str(path))
    ids = to_numbers(table, "number", Places(files=[path], unit="category"))
    wrong = first(ids < 0)
    if wrong is not None:
        raise TableError(path, None, f"the id of a category is {ids[wrong]:g}, below 0")
    return dict(zip(ids.astype(np.int64).tolist(), table["name"].tolist(), strict=True))


def _annotations(
    path: Path, items: list[dict[str, Any]], images: pd.DataFrame, categories: Mapping[int, str]
) -> pd.DataFrame:
    places = Places(files=[path], unit="annotation")
    table = _columns(path, items, ["image_id", "category_id"], "annotation")
    boxes = _boxes(table, [item.get("bbox") for item in items], places)
    picture = pd.Index(images["number"]).get_indexer(table["image_id"])
    unknown = first(picture < 0)
    if unknown is not None:
        fault = f"image_id {table['image_id'].iloc[unknown]} is the id of no image"
        raise places.error(table, unknown, fault)
    unknown = first(~table["category_id"].isin(list(categories)))
    if unknown is not None:
        fault = f"category_id {table['category_id'].iloc[unknown]} is the id of no category"
        raise places.error(table, unknown, fault)
    flags = table.assign(iscrowd=pd.Series([item.get("iscrowd", 0) for item in items], dtype=object))
    boxes[["file", "number"]] = table[["file", "number"]]
    return boxes.assign(
        picture=picture,
        class_id=table["category_id"].astype(np.int64),
        is_crowd=to_flags(flags, "iscrowd", places),
        is_difficult=False,
    )


def _boxes(table: pd.DataFrame, boxes: list[Any], places: Places) -> pd.DataFrame:
    wrong = first([not isinstance(box, list) or len(box) != len(BOX_COLUMNS) for box in boxes])
    if wrong is not None:
        fault = f"its bbox is {str(boxes[wrong])[:80]}, not [left, top, width, height]"
        raise places.error(table, wrong, fault)
    columns = dict(zip(BOX_COLUMNS, zip(*boxes, strict=True), strict=True))
    texts = pd.DataFrame(columns, dtype=object).assign(file=0, number=table["number"])
    return pd.DataFrame({name: to_numbers(texts, name, places) for name in BOX_COLUMNS})
