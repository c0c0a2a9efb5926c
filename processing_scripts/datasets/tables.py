"""Tables that come with pictures: reading CSV files, and checking columns whatever file they come from.

Every message about a table names the file and the row, counted as the file's author counts: see `Places`.
"""

import difflib
import hashlib
import re
import warnings
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from processing_scripts.contract import JobError
from processing_scripts.outputs import CHUNK_BYTES, is_safe_relative

Integers = NDArray[np.int64]

# What words in the name of a file say of its pictures.
_ROLES: Mapping[str, str] = {
    word: role
    for role, words in {
        "train": ("train", "training"),
        "validation": ("val", "valid", "validation"),
        "test": ("test", "testing"),
    }.items()
    for word in words
}
# Values of the column `is_training`.
VALIDATION, TRAINING, NEITHER = 0, 1, -1
SPLIT = "split"
SPLITS = {"train": TRAINING, "val": VALIDATION, "validation": VALIDATION, "test": NEITHER}
# Empty, absolute, "..", written with more than it needs, or in bytes too long for a file system or for S3.
_WRONG_PATH = r"^$|^/|/$|//|(?:^|/)\.\.?(?:/|$)|[^/]{256}|^.{1000}"
# Up to here whole numbers are exact as float64.
LARGEST = 2**53
MAX_SHOWN = 200
TRIED = 100  # pictures to look for in a folder before it is not the one


class TableError(JobError):
    """A table cannot be right; the message names the file and, unless None, the row."""

    def __init__(self, path: Path, row: object | None, fault: str, *, unit: str = "row") -> None:
        super().__init__(f"{path}: {fault}" if row is None else f"{path}: {unit} {row}: {fault}")


@dataclass(frozen=True, kw_only=True)
class Places:
    """Where the rows of a table come from; its columns `file` and `number` say it of each row."""

    files: Sequence[Path]  # `file` is a position in it
    unit: str  # what `number` counts in a file: a row, an annotation; empty where the file is the row

    def error(self, table: pd.DataFrame, position: int, fault: str) -> TableError:
        """The error of the row at this position."""
        row = table.iloc[position]
        number = row["number"] if self.unit else None
        return TableError(self.files[int(row["file"])], number, fault, unit=self.unit)


def first(mask: Any) -> int | None:  # noqa: ANN401 - whatever numpy takes for an array of booleans
    """The position of the first True."""
    positions = np.flatnonzero(mask)
    return int(positions[0]) if len(positions) else None


def read_csv(path: Path, *, required: Sequence[str], optional: Collection[str] = ()) -> pd.DataFrame:
    """The columns of a CSV file as text, with the columns `file` (0) and `number` (the header is row 1).

    Other columns come along. The file is UTF-8, with or without a byte order mark, its fields separated by
    commas.

    Raises:
        TableError: not such a file; a required column is missing, or the name of an optional one is misspelt.
    """
    try:
        with warnings.catch_warnings():
            # What it would leave out with a warning are fields beyond the header's.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            table = pd.read_csv(path, dtype=object, na_filter=False, encoding="utf-8-sig", index_col=False)
    except UnicodeDecodeError as error:
        raise TableError(path, None, f"not UTF-8 text: {error}; save it as 'CSV UTF-8'") from None
    except pd.errors.EmptyDataError:
        raise TableError(path, None, f"is empty; the first row names columns: {','.join(required)}") from None
    except pd.errors.ParserWarning:
        raise TableError(path, None, "its rows have more fields than its header; name them there") from None
    except pd.errors.ParserError as error:
        fault = str(error).strip().removeprefix("Error tokenizing data. C error: ")
        raise TableError(path, None, f"{fault}; put a field that holds a comma into quotes") from None
    table.columns = table.columns.str.strip()
    _check_header(path, table.columns.tolist(), required, optional)
    if table.empty:
        raise TableError(path, None, "has no rows below its header")
    return table.assign(file=0, number=np.arange(2, len(table) + 2))


def read_csv_parts(
    folder: Path, files: Sequence[Path], *, required: Sequence[str], optional: Collection[str]
) -> tuple[pd.DataFrame, Places]:
    """One CSV file with a column `split` or without, or one for training and one for validation with it.

    Raises:
        JobError: a file is faulty, or the names of several do not tell what they are for.
    """
    parts = split_by_name(folder, files, "CSV")
    tables = []
    for position, (path, role) in enumerate(parts):
        table = read_csv(path, required=required, optional=optional)
        tables.append(table.assign(file=position, **({SPLIT: role} if role else {})))
    table = pd.concat(tables, ignore_index=True)
    table["path"] = table["path"].str.strip().str.removeprefix("./")
    places = Places(files=[path for path, _ in parts], unit="row")
    check_paths(table, places)
    return table, places


def read_split(table: pd.DataFrame, places: Places) -> tuple[Integers, str]:
    """What the column `split` says as is_training, and why it says nothing if so.

    Raises:
        TableError: a row has another word than train, val or test.
    """
    if SPLIT not in table:
        no_split = f"{places.files[0]}: has no column {SPLIT} with train or val"
        return np.full(len(table), NEITHER, dtype=np.int64), no_split
    texts = table[SPLIT].str.strip()
    codes = texts.map(SPLITS)
    wrong = first(codes.isna())
    if wrong is not None:
        raise places.error(table, wrong, f"{SPLIT} is {_shown(texts[wrong])}, not train, val or test")
    return np.asarray(codes, dtype=np.int64), ""


def _check_header(path: Path, header: list[str], required: Sequence[str], optional: Collection[str]) -> None:
    for name in required:
        if name not in header:
            wanted = ",".join(required)
            hint = " with commas between them" if len(header) == 1 else ""
            raise TableError(path, 1, f"has no column '{name}'; the first row must name {wanted}{hint}")
    for name in header:
        near = difflib.get_close_matches(name.lower(), optional, n=1, cutoff=0.8)
        if near and name not in optional and near[0] not in header:
            raise TableError(path, 1, f"has a column '{name}'; did you mean '{near[0]}'?")


def header_of(path: Path) -> list[str]:
    """The first row of a CSV file; empty if it is no text."""
    with path.open("rb") as file:
        line = file.readline(CHUNK_BYTES)
    try:
        return [name.strip(' "') for name in line.decode("utf-8-sig").strip().split(",")]
    except UnicodeDecodeError:
        return []


def to_numbers(table: pd.DataFrame, column: str, places: Places) -> NDArray[np.float64]:
    """A column of texts or of JSON values as finite numbers.

    Raises:
        TableError: one is not a number.
    """
    values = table[column]
    try:
        numbers = pd.to_numeric(values, errors="coerce").to_numpy(dtype=np.float64)
        wrong = first(~(np.abs(numbers) <= LARGEST))
    except OverflowError:  # JSON's whole numbers have no bound
        wrong = first([isinstance(value, int) and abs(value) > LARGEST for value in values])
    if wrong is not None:
        raise places.error(table, wrong, f"{column} is {_shown(values.iloc[wrong])}, not a number")
    return numbers


def to_flags(table: pd.DataFrame, column: str, places: Places) -> NDArray[np.bool_]:
    """A column of 0 and 1 as booleans; False where the table has no such column, or nothing in it.

    Raises:
        TableError: something else stands in it.
    """
    if column not in table:
        return np.zeros(len(table), dtype=np.bool_)
    texts = _texts(table, column).str.strip()
    wrong = first(~texts.isin(["", "0", "1"]))
    if wrong is not None:
        raise places.error(table, wrong, f"{column} is {_shown(texts.iloc[wrong])}, not 0 or 1")
    return (texts == "1").to_numpy(dtype=np.bool_)


def _shown(value: object) -> str:
    """A value as a message can hold it: in quotes, on one line, not longer than a path."""
    return repr(str(value)[:MAX_SHOWN])


def _texts(table: pd.DataFrame, column: str) -> "pd.Series[str]":
    return pd.Series(list(map(str, table[column])), index=table.index, dtype=object)


def check_unique(table: pd.DataFrame, column: str, places: Places) -> None:
    """Check that no value stands in a column twice.

    Raises:
        TableError: one does.
    """
    row = first(table[column].duplicated())
    if row is not None:
        raise places.error(table, row, f"{column} {table[column].iloc[row]} stands in an earlier row too")


def check_paths(table: pd.DataFrame, places: Places) -> None:
    """Check that the column `path` names files below a folder, in one way each, and fits into a list.

    Raises:
        TableError: a path does not.
    """
    paths = _texts(table, "path")
    # One look at all of them, as one million looks take seconds.
    together = "".join(paths)
    if together.isprintable() and "\\" not in together:
        in_bytes = paths.str.encode("utf-8").str.decode("latin-1")
        wrong = first(in_bytes.str.contains(_WRONG_PATH, regex=True))
    else:
        wrong = first([not is_safe_relative(path) for path in paths])
    if wrong is not None:
        raise places.error(table, wrong, f"{_shown(paths.iloc[wrong])} {_fault_of_path(paths.iloc[wrong])}")


def _fault_of_path(path: str) -> str:
    if not path:
        return "names no picture"
    if "\\" in path:
        return "has a backslash; write / between folders"
    if not path.isprintable():
        return "is unprintable (a tab, perhaps); rename the picture"
    return "leaves the folder of pictures, is too long, or is not written as FOLDER/NAME"


def digest(paths: Iterable[tuple[str, Path]]) -> str:
    """SHA-256 over the lines "sha256 name" of these files."""
    lines = hashlib.sha256()
    for name, path in paths:
        lines.update(f"{digest_of(path)} {name}\n".encode())
    return lines.hexdigest()


def digest_of(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def split_by_name(folder: Path, files: Sequence[Path], kind: str) -> list[tuple[Path, str]]:
    """Which of the files describes which part of the data set, from names such as instances_train2017.json.

    Args:
        folder: the data set's.
        files: below it, at least one.
        kind: what messages call such a file.

    Returns:
        Each file with "train", "validation" or "test", or with "" if there is only one.

    Raises:
        JobError: there are several, and a name says nothing, or two say the same.
    """
    if len(files) == 1:
        return [(files[0], "")]
    roles: dict[str, Path] = {}
    for file in files:
        name = file.relative_to(folder).as_posix()
        words = re.split(r"[^a-z]+", name.lower().removesuffix(file.suffix.lower()))
        said = {_ROLES[word] for word in words if word in _ROLES}
        if len(said) != 1 or said & set(roles):
            raise JobError(
                f"{folder}: holds {len(files)} {kind} files; give it one, or one with 'train' in its name "
                f"and one with 'val' ({name} is one too many)"
            )
        roles[said.pop()] = file
    return [(file, role) for role, file in roles.items()]


def prefix_of_pictures(folder: Path, candidates: Sequence[Path], names: Sequence[str], *, where: str) -> str:
    """What leads from a data set's folder to its pictures: "images/", or "" if they lie in it.

    Args:
        folder: the data set's.
        candidates: folders that the pictures may be in.
        names: paths of the pictures below one of them.
        where: the beginning of the message if they are in none.

    Raises:
        JobError: no candidate has one of the first pictures.
    """
    for candidate in candidates:
        if any((candidate / name).is_file() for name in names[:TRIED]):
            relative = candidate.relative_to(folder).as_posix()
            return "" if relative == "." else f"{relative}/"
    listed = ", ".join(candidate.relative_to(folder).as_posix() for candidate in candidates)
    raise JobError(f"{where}: its pictures, such as {_shown(names[0])}, are in none of the folders {listed}")
