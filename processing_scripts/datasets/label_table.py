"""A CSV file with a row for each picture: its path, and its class or its classes.

    path,class          one class; or several with ";" between them
    path,cow,hen,pig    for each class a 0 or 1

A column `split` may say train, val or test of each.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import overload

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from processing_scripts.contract import JobError
from processing_scripts.datasets.classes import check_names
from processing_scripts.datasets.folders import Picture, SplitRule, check_sizes
from processing_scripts.datasets.tables import (
    SPLIT,
    TRAINING,
    VALIDATION,
    Integers,
    Places,
    check_unique,
    digest_of,
    first,
    header_of,
    read_csv_parts,
    read_split,
    to_flags,
)
from processing_scripts.progress import with_progress

PATH, CLASS = "path", "class"
SEPARATOR = ";"
ONE, MANY = "one", "many"


def find(folder: Path) -> list[Path]:
    """The .csv files in the folder that have a column with paths."""
    return [path for path in sorted(folder.glob("*.csv")) if PATH in header_of(path)]


@dataclass(frozen=True, kw_only=True)
class LabelTable:
    """N pictures with M labels in all."""

    folder: Path  # the paths lie below it
    class_names: list[str]  # sorted; a class's label is its position
    has_many: bool  # whether a picture may have several classes, or none
    paths: Sequence[str]  # N
    starts: Integers  # [N + 1], where the labels of a picture begin among all labels
    labels: Integers  # [M]
    is_training: Integers  # [N], TRAINING, VALIDATION or NEITHER
    has_split: bool
    inputs: dict[str, str]  # file -> SHA-256

    def label(self, position: int) -> int | tuple[int, ...]:
        """The label of a picture as its record and its list have it."""
        mine = self.labels[self.starts[position] : self.starts[position + 1]]
        if not self.has_many:
            return int(mine[0])
        present = np.zeros(len(self.class_names), dtype=np.int64)
        present[mine] = 1
        return tuple(present.tolist())

    def count(self, positions: Integers) -> list[int]:
        """How many of these pictures have each class."""
        chosen = np.zeros(len(self.paths), dtype=np.bool_)
        chosen[positions] = True
        of_chosen = np.repeat(chosen, np.diff(self.starts))
        counts: list[int] = np.bincount(self.labels[of_chosen], minlength=len(self.class_names)).tolist()
        return counts


class Pictures(Sequence[Picture]):
    """Some pictures of a table in some order; a `Picture` is made when it is asked for."""

    def __init__(self, table: LabelTable, is_training: Integers, order: Integers) -> None:
        self._table = table
        self._is_training = is_training
        self._order = order

    def __len__(self) -> int:
        return len(self._order)

    @overload
    def __getitem__(self, position: int) -> Picture: ...
    @overload
    def __getitem__(self, position: slice) -> list[Picture]: ...
    def __getitem__(self, position: int | slice) -> Picture | list[Picture]:
        if isinstance(position, slice):
            return [self._picture(row) for row in self._order[position].tolist()]
        return self._picture(int(self._order[position]))

    def __iter__(self) -> Iterator[Picture]:
        return (self._picture(int(row)) for row in self._order)

    def _picture(self, row: int) -> Picture:
        return Picture(
            index=row,
            label=self._table.label(row),
            path=self._table.paths[row],
            is_training=bool(self._is_training[row] == TRAINING),
        )


def load(folder: Path, files: Sequence[Path], labels: str) -> LabelTable:
    """Read one file, or one for training and one for validation.

    Args:
        folder: the data set's.
        files: what `find` found.
        labels: ONE, every picture has one class, or MANY.

    Raises:
        JobError: a file or a row is faulty.
    """
    has_many = labels == MANY
    required = (PATH,) if has_many else (PATH, CLASS)
    table, places = read_csv_parts(folder, files, required=required, optional=(SPLIT,))
    check_unique(table, PATH, places)
    is_training, no_split = read_split(table, places)
    if has_many and CLASS not in table:
        rows, names = _from_columns(table, places)
    elif has_many:
        rows, names = _from_lists(table)
    else:
        rows, names = np.arange(len(table)), _single_classes(table, places)
    _check_there(table, folder, places)
    labelled, class_names = pd.factorize(names, sort=True)
    check_names(class_names.tolist(), str(places.files[0]))
    if len(class_names) < 2:
        raise JobError(f"{places.files[0]}: has {len(class_names)} classes, and a classifier needs two")
    return LabelTable(
        folder=folder,
        class_names=class_names.tolist(),
        has_many=has_many,
        paths=table[PATH].tolist(),
        starts=np.searchsorted(rows, np.arange(len(table) + 1)),
        labels=labelled.astype(np.int64),
        is_training=is_training,
        has_split=not no_split,
        inputs={path.name: digest_of(path) for path in places.files},
    )


def _check_there(table: pd.DataFrame, folder: Path, places: Places) -> None:
    paths = table[PATH].tolist()
    for row, path in enumerate(with_progress(paths, phase="look for pictures", total=len(paths))):
        if not (folder / path).is_file():
            raise places.error(table, row, f"picture {path} is not in {folder}")


def _single_classes(table: pd.DataFrame, places: Places) -> NDArray[np.object_]:
    names = table[CLASS].str.strip()
    wrong = first(names.str.contains(SEPARATOR, regex=False))
    if wrong is not None:
        fault = f"{CLASS} is '{names[wrong]}'; several classes a picture need --labels many"
        raise places.error(table, wrong, fault)
    wrong = first(names == "")
    if wrong is not None:
        raise places.error(table, wrong, f"has no {CLASS}; name one, or leave the picture out")
    return names.to_numpy(dtype=object)


def _from_lists(table: pd.DataFrame) -> tuple[Integers, NDArray[np.object_]]:
    """Row and class of every label, from fields such as "cow;hen"."""
    exploded = table[CLASS].str.split(SEPARATOR).explode().str.strip()
    exploded = exploded[exploded != ""]
    pairs = pd.DataFrame({"row": exploded.index, CLASS: exploded.to_numpy()}).drop_duplicates()
    return pairs["row"].to_numpy(dtype=np.int64), pairs[CLASS].to_numpy(dtype=object)


def _from_columns(table: pd.DataFrame, places: Places) -> tuple[Integers, NDArray[np.object_]]:
    """Row and class of every label, from a column of 0 and 1 for each class."""
    names = [name for name in table.columns if name not in (PATH, SPLIT, "file", "number")]
    taken = {"file", "number"} & {name for path in places.files for name in header_of(path)}
    if taken:
        fault = f"a class cannot have a column called {taken.pop()}; write the classes into a column {CLASS}"
        raise JobError(f"{places.files[0]}: {fault}")
    if not names:
        raise JobError(f"{places.files[0]}: has neither a column {CLASS} nor one for each class")
    present = np.stack([to_flags(table, name, places) for name in names], axis=1)
    unused = first(~present.any(axis=0))
    if unused is not None:
        raise JobError(f"{places.files[0]}: no row has a 1 in the column {names[unused]}; leave it out")
    rows, columns = np.nonzero(present)
    return rows, np.array(names, dtype=object)[columns]


def split_and_order(table: LabelTable, rule: SplitRule) -> Pictures:
    """The pictures as they are to be packed: those for training mixed, then the held-out ones.

    The table's own split comes first; without one, the pictures of every class are drawn.

    Raises:
        JobError: a class has no picture for training or none for validation.
    """
    is_training = table.is_training if table.has_split else _draw(table, rule)
    for code, part in ((TRAINING, "training"), (VALIDATION, "validation")):
        counts = table.count(np.flatnonzero(is_training == code))
        if 0 in counts:
            name = table.class_names[counts.index(0)]
            raise JobError(
                f"class {name} has no {part} picture; add some, or leave the column {SPLIT} to the job"
            )
    training = np.flatnonzero(is_training == TRAINING)
    # Mixed, because the algorithm reads them in the file's order.
    mixed = training[np.random.default_rng(rule.seed).permutation(len(training))]
    return Pictures(table, is_training, np.concatenate([mixed, np.flatnonzero(is_training == VALIDATION)]))


def _draw(table: LabelTable, rule: SplitRule) -> Integers:
    """is_training of every picture; one with several classes is drawn among those of its rarest."""
    if table.has_many and not rule.train_ratio:
        raise JobError(
            f"pictures with several classes are split by a share: give --train-ratio, or a column {SPLIT}"
        )
    rows = np.repeat(np.arange(len(table.paths)), np.diff(table.starts))
    sizes = np.bincount(table.labels, minlength=len(table.class_names))
    by_rarity = np.lexsort([table.labels, sizes[table.labels], rows])
    strata = np.full(len(table.paths), len(table.class_names))  # the last one: pictures without a class
    with_class, firsts = np.unique(rows[by_rarity], return_index=True)
    strata[with_class] = table.labels[by_rarity][firsts]
    if not table.has_many:
        check_sizes(dict(zip(table.class_names, sizes.tolist(), strict=True)), rule)
    is_training = np.full(len(table.paths), VALIDATION)
    order = np.argsort(strata, kind="stable")
    ends = np.cumsum(np.bincount(strata, minlength=len(table.class_names) + 1))
    for name, mine in zip([*table.class_names, ""], np.split(order, ends[:-1]), strict=True):
        is_training[mine[rule.draw(name, len(mine))]] = TRAINING
    return is_training
