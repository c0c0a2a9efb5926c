"""MXNet list files (.lst): one picture per line, `index<TAB>label numbers<TAB>relative path`.

A detection label is 2 (numbers in the header), 5 (numbers per object), then class, xmin, ymin, xmax, ymax
of each object, as fractions of the picture with four decimals. A classification label is one class number, or
a 0 or 1 for each class.

Source: mxnet tools/im2rec.py; mxnet example/ssd/dataset/imdb.py.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from processing_scripts.contract import JobError

HEADER_WIDTH = 2
OBJECT_WIDTH = 5
_EXPECTED = "index, 2, 5, five numbers per object and the path, with tabs between them"


@dataclass(frozen=True, kw_only=True)
class DetectionRow:
    """One picture with its objects."""

    index: int  # key in the .idx file and id in the record
    objects: tuple[tuple[float, ...], ...]  # (class, xmin, ymin, xmax, ymax), exactly as the file shows them
    path: str  # below the folder of pictures, with "/"

    @property
    def label(self) -> tuple[float, ...]:
        """What the record of this picture carries."""
        return (HEADER_WIDTH, OBJECT_WIDTH, *(number for row in self.objects for number in row))

    def line(self) -> str:
        """The row as the file has it, with the newline."""
        numbers = [f"{number:.4f}" for row in self.objects for number in row]
        return "\t".join([str(self.index), str(HEADER_WIDTH), str(OBJECT_WIDTH), *numbers, self.path]) + "\n"


@dataclass(frozen=True, kw_only=True)
class ClassificationRow:
    """One picture with its class."""

    index: int  # key in the .idx file and id in the record
    label: int  # 0, 1, 2 ...
    path: str  # below the folder of pictures, with "/"

    def line(self) -> str:
        """The row as the file has it, with the newline."""
        return f"{self.index}\t{self.label}\t{self.path}\n"


@dataclass(frozen=True, kw_only=True)
class MultiLabelRow:
    """One picture with a 0 or 1 for each class."""

    index: int  # key in the .idx file and id in the record
    label: tuple[int, ...]
    path: str  # below the folder of pictures, with "/"

    def line(self) -> str:
        """The row as the file has it, with the newline."""
        return "\t".join(map(str, [self.index, *self.label, self.path])) + "\n"


def detection_row(index: int, objects: Sequence[Sequence[float]], path: str) -> DetectionRow:
    """A row whose numbers are rounded to the four decimals of the file, so that record and list agree."""
    rounded = tuple(tuple(float(f"{number:.4f}") for number in row) for row in objects)
    return DetectionRow(index=index, objects=rounded, path=path)


def read_detection_list(path: Path) -> list[DetectionRow]:
    """The rows of a detection list.

    Raises:
        JobError: a row is not one; the message has the file and the row, counted from 1.
    """
    return [_parse_detection(line, where) for where, line in _lines(path)]


def read_classification_list(path: Path) -> list[ClassificationRow]:
    """The rows of a list with one class per picture.

    Raises:
        JobError: a row is not one; the message has the file and the row, counted from 1.
    """
    return [_parse_classification(line, where) for where, line in _lines(path)]


def read_indices(path: Path) -> list[int]:
    """The first column of a list of either form.

    Raises:
        JobError: a row does not begin with a number; the message has the file and the row, counted from 1.
    """
    return [_parse_index(line, where) for where, line in _lines(path)]


def _parse_index(line: str, where: str) -> int:
    try:
        return int(line.split("\t")[0])
    except ValueError as error:
        raise JobError(f"{where}: {error}; expected an index") from None


def _lines(path: Path) -> list[tuple[str, str]]:
    """What messages call each line, and the line."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        raise JobError(f"{path}: not there") from None
    except UnicodeDecodeError as error:
        raise JobError(f"{path}: not UTF-8 text: {error}") from None
    return [(f"{path}: row {number}", line) for number, line in enumerate(lines, start=1)]


def _parse_classification(line: str, where: str) -> ClassificationRow:
    fields = [field.strip() for field in line.split("\t")]
    if len(fields) != 3 or not fields[2]:
        raise JobError(f"{where}: expected index, class number and path, with tabs between them")
    try:
        index, number = int(fields[0]), float(fields[1])
    except ValueError as error:
        raise JobError(f"{where}: {error}; expected index, class number and path") from None
    if not (number >= 0 and number.is_integer()):
        raise JobError(f"{where}: class {fields[1]} is not one of 0, 1, 2 ...")
    return ClassificationRow(index=index, label=int(number), path=fields[2])


def _parse_detection(line: str, where: str) -> DetectionRow:
    *fields, path = [field.strip() for field in line.split("\t")]
    try:
        index, numbers = int(fields[0]) if fields else 0, [float(field) for field in fields[1:]]
    except ValueError as error:
        raise JobError(f"{where}: {error}; expected {_EXPECTED}") from None
    header, objects = numbers[:HEADER_WIDTH], numbers[HEADER_WIDTH:]
    if header != [HEADER_WIDTH, OBJECT_WIDTH] or len(objects) % OBJECT_WIDTH or not path:
        raise JobError(f"{where}: expected {_EXPECTED}")
    if not all(map(math.isfinite, objects)):
        raise JobError(f"{where}: a label number is not finite")
    rows = [objects[start : start + OBJECT_WIDTH] for start in range(0, len(objects), OBJECT_WIDTH)]
    return DetectionRow(index=index, objects=tuple(map(tuple, rows)), path=path)
