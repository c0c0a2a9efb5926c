"""A CSV file with a row for each object: path,class,xmin,ymin,xmax,ymax in pixels.

The edges are counted from the picture's top left corner: a box over a whole picture of 640 x 480 is
0,0,640,480. More columns may follow: split (train, val or test), difficult and crowd (0 or 1), width and
height (of the picture, to be compared with the file). A row with a path and nothing else is a picture
without objects.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from processing_scripts.datasets.classes import ClassNames, check_names
from processing_scripts.datasets.detection import DetectionSet
from processing_scripts.datasets.tables import (
    SPLIT,
    Integers,
    Places,
    digest_of,
    first,
    header_of,
    read_csv_parts,
    read_split,
    to_flags,
    to_numbers,
)
from processing_scripts.vision.boxes import Floats

CORNERS = ("xmin", "ymin", "xmax", "ymax")
REQUIRED = ("path", "class", *CORNERS)
SIZE = ("width", "height")
OPTIONAL = (SPLIT, "difficult", "crowd", *SIZE)


def find(folder: Path) -> list[Path]:
    """The .csv files in the folder that have the columns."""
    return [path for path in sorted(folder.glob("*.csv")) if set(REQUIRED) <= set(header_of(path))]


def load(folder: Path, files: list[Path]) -> DetectionSet:
    """Read one file, or one for training and one for validation.

    Raises:
        JobError: a file or a row is faulty.
    """
    table, places = read_csv_parts(folder, files, required=REQUIRED, optional=OPTIONAL)
    table["class"] = table["class"].str.strip()
    is_training, no_split = read_split(table, places)
    numbers = {name: _read_sizes(table, name, places) for name in SIZE}
    codes, paths = pd.factorize(table["path"])
    first_rows = np.unique(codes, return_index=True)[1]
    _check_agreement(table, codes, first_rows, {SPLIT: is_training, **numbers}, places)
    objects = _objects(table, codes, places)
    class_names = ClassNames.numbered(objects["class"], places.files[0].name)
    check_names(class_names.by_id.values(), str(places.files[0]))
    pictures = pd.DataFrame({"path": paths, "is_training": is_training[first_rows]})
    pictures[["file", "number"]] = table[["file", "number"]].to_numpy()[first_rows]
    return DetectionSet(
        format="csv",
        folder=folder,
        class_names=class_names,
        pictures=pictures.assign(**{name: column[first_rows] for name, column in numbers.items()}),
        objects=objects.assign(class_id=objects["class"].map(class_names.ids())),
        picture_places=places,
        object_places=places,
        inputs={path.name: digest_of(path) for path in places.files},
        no_split=no_split,
    )


def _read_sizes(table: pd.DataFrame, name: str, places: Places) -> Floats:
    """A side of the picture, 0 where the file does not say it."""
    if name not in table:
        return np.zeros(len(table))
    return to_numbers(table.assign(**{name: table[name].replace("", "0")}), name, places)


def _check_agreement(
    table: pd.DataFrame,
    codes: Integers,
    first_rows: Integers,
    columns: Mapping[str, Integers | Floats],
    places: Places,
) -> None:
    for name, column in columns.items():
        wrong = first(column != column[first_rows][codes])
        if wrong is not None:
            path = table["path"][wrong]
            raise places.error(table, wrong, f"{name} of {path} is another than in an earlier row")


def _objects(table: pd.DataFrame, codes: Integers, places: Places) -> pd.DataFrame:
    texts = table[["class", *CORNERS]].apply(lambda column: column.str.strip())
    is_object = (texts != "").any(axis=1)
    objects = table.assign(picture=codes)[is_object]
    corners = {name: to_numbers(objects, name, places) for name in CORNERS}
    nameless = first(objects["class"] == "")
    if nameless is not None:
        raise places.error(objects, nameless, "has a box and no class; name one, or empty the row")
    checked: pd.DataFrame = objects.assign(
        left=corners["xmin"],
        top=corners["ymin"],
        width=corners["xmax"] - corners["xmin"],
        height=corners["ymax"] - corners["ymin"],
        is_crowd=to_flags(objects, "crowd", places),
        is_difficult=to_flags(objects, "difficult", places),
    )
    return checked
