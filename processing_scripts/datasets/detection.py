"""Pictures with boxes, in whatever format their author keeps them: two tables, and what is chosen of them.

Each format has a reader that makes a `DetectionSet`. From there on all formats go the same way: classes are
merged, some are chosen, pictures are split, and what no detector can learn from is left out and counted.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from processing_scripts.contract import JobError
from processing_scripts.datasets.classes import ClassMap, ClassNames
from processing_scripts.datasets.tables import NEITHER, TRAINING, VALIDATION, Integers, Places

BOX_COLUMNS = ["left", "top", "width", "height"]


@dataclass(frozen=True, kw_only=True)
class DetectionSet:
    """A data set as it was read, with nothing left out."""

    format: str
    folder: Path  # the paths of the pictures lie below it
    class_names: ClassNames
    # One row per picture: path, is_training, width and height (pixels, as the author says; 0 if he does not),
    # file and number (see Places).
    pictures: pd.DataFrame
    # One row per object, in any order: picture (position in `pictures`), class_id, left, top, width, height
    # (pixels from the picture's top left corner), is_crowd, is_difficult, file and number.
    objects: pd.DataFrame
    picture_places: Places
    object_places: Places
    inputs: Mapping[str, str]  # what was read -> SHA-256
    no_split: str = ""  # why is_training says nothing; empty if it does


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What to take of a data set."""

    classes: str  # "all", or ids and names
    split: str  # recommended or random
    train_ratio: float
    seed: int
    crowd: str  # drop or keep
    difficult: str  # train, keep or drop


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """The pictures and objects that go into the records."""

    data: DetectionSet
    class_ids: list[int]  # ascending; a class's number is its position
    pictures: pd.DataFrame  # as in DetectionSet, is_training 0 or 1; numbered from 0 by its index
    objects: pd.DataFrame  # as in DetectionSet, by picture, and class_number
    left_out: Mapping[str, int] = field(default_factory=dict)  # what -> how many

    @property
    def names(self) -> dict[int, str]:
        """Class id -> name, in the order of the numbers."""
        return {class_id: self.data.class_names.by_id[class_id] for class_id in self.class_ids}


def merge_classes(data: DetectionSet, class_map: ClassMap) -> DetectionSet:
    """The data set with its classes renamed and merged; objects of classes without a new name are gone.

    Raises:
        JobError: the file names a class that the data set does not have.
    """
    class_names, new_ids = data.class_names.merged(class_map)
    ids = data.objects["class_id"].map(new_ids)
    objects = data.objects.assign(class_id=ids)[ids.notna()].astype({"class_id": np.int64})
    inputs = {**data.inputs, "class map": class_map.sha256}
    return replace(data, class_names=class_names, objects=objects, inputs=inputs)


def choose(data: DetectionSet, choice: Choice) -> Chosen:
    """Choose classes, split the pictures, and leave out what no detector can learn from.

    A picture without an object is left out: the algorithm's reader ends the training at a label without one.

    Raises:
        JobError: an unknown class, or no split although the data set's own is asked for.
    """
    usable = data.objects if choice.crowd == "keep" else data.objects[~_flags(data.objects, "is_crowd")]
    class_ids = data.class_names.choose(choice.classes, present=usable["class_id"].unique().tolist())
    objects = usable[usable["class_id"].isin(class_ids)]
    is_training = _split(data, objects, choice)
    difficult = _flags(objects, "is_difficult")
    if choice.difficult == "keep":
        difficult[:] = False
    elif choice.difficult == "train":
        difficult &= is_training[objects["picture"].to_numpy()] == VALIDATION
    has_object = np.bincount(objects["picture"][~difficult], minlength=len(data.pictures)) > 0
    left_out = {
        "crowd_objects": int(data.objects["class_id"].isin(class_ids).sum()) - len(objects),
        "difficult_objects": int(difficult.sum()),
        "pictures_without_objects": int((~has_object).sum()),
        "pictures_without_split": int((has_object & (is_training == NEITHER)).sum()),
    }
    kept = has_object & (is_training != NEITHER)
    return _numbered(data, class_ids, is_training, kept, objects[~difficult], left_out)


def _flags(objects: pd.DataFrame, column: str) -> NDArray[np.bool_]:
    return objects[column].to_numpy(dtype=np.bool_, copy=True)


def _numbered(
    data: DetectionSet,
    class_ids: list[int],
    is_training: Integers,
    kept: NDArray[np.bool_],
    objects: pd.DataFrame,
    left_out: Mapping[str, int],
) -> Chosen:
    new_position = np.cumsum(kept) - 1
    objects = objects[kept[objects["picture"].to_numpy()]]
    objects = objects.assign(
        picture=new_position[objects["picture"].to_numpy()],
        class_number=np.searchsorted(class_ids, objects["class_id"].to_numpy()),
    )
    return Chosen(
        data=data,
        class_ids=class_ids,
        pictures=data.pictures.assign(is_training=is_training)[kept].reset_index(drop=True),
        objects=objects.sort_values("picture", kind="stable", ignore_index=True),
        left_out=left_out,
    )


def _split(data: DetectionSet, objects: pd.DataFrame, choice: Choice) -> Integers:
    """The column is_training."""
    if choice.split == "random":
        return _split_randomly(data, objects, choice)
    if data.no_split:
        raise JobError(f"{data.no_split}; use --split random, with --train-ratio and --seed")
    ready: Integers = data.pictures["is_training"].to_numpy(dtype=np.int64)
    return ready


def _split_randomly(data: DetectionSet, objects: pd.DataFrame, choice: Choice) -> Integers:
    """Of the pictures of every class this share, rounded, drawn with the seed.

    A picture with objects of several classes counts for the one that the fewest pictures have, as the others
    are the easier to spread.
    """
    is_training = np.full(len(data.pictures), NEITHER, dtype=np.int64)
    pairs = objects[["picture", "class_id"]].drop_duplicates()
    pairs = pairs.assign(pictures=pairs.groupby("class_id")["picture"].transform("size"))
    rarest = pairs.sort_values(["picture", "pictures", "class_id"]).drop_duplicates("picture")
    pictures = rarest["picture"].to_numpy()
    for class_id, rows in rarest.groupby("class_id").indices.items():
        # Seeded for each class, so that adding a class leaves the split of the others alone.
        seed = [choice.seed, *data.class_names.seed(int(str(class_id)))]
        order = np.random.default_rng(seed).permutation(pictures[rows])
        is_training[order] = VALIDATION
        is_training[order[: round(len(rows) * choice.train_ratio)]] = TRAINING
    return is_training
