"""List files of the channels `train_lst` and `validation_lst`: `index<TAB>label...<TAB>relative path`."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from processing_scripts.contract import JobError


@dataclass(frozen=True)
class Row:
    """One picture: its label, one class number or a 0 or 1 for every class, and its path in the channel."""

    index: int
    label: tuple[float, ...]
    path: str
    where: str  # for messages


def read_list(path: Path) -> Iterator[Row]:
    """The rows of a list file.

    Raises:
        JobError: a row is not one, its path leads out of the channel, or an index comes twice; the message
            has the file and the row, counted from 1.
    """
    seen: dict[int, str] = {}
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise JobError(f"{path}: not UTF-8 text: {error}") from None
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        row = _parse(line, f"{path}: row {number}")
        if row.index in seen:
            raise JobError(f"{row.where}: has index {row.index}, as {seen[row.index]} has; number them anew")
        seen[row.index] = row.where
        yield row


def _parse(line: str, where: str) -> Row:
    fields = [field.strip() for field in line.split("\t")]
    if len(fields) < 3 or not fields[-1]:
        raise JobError(f"{where}: expected index, label and path with tabs between them")
    try:
        index, label = int(fields[0]), tuple(float(field) for field in fields[1:-1])
    except ValueError as error:
        raise JobError(f"{where}: {error}; expected index, label and path with tabs between them") from None
    if index < 0:
        raise JobError(f"{where}: index {index} is negative")
    path = PurePosixPath(fields[-1])
    if path.is_absolute() or ".." in path.parts:
        raise JobError(f"{where}: '{fields[-1]}' leads out of the channel; paths start at its folder")
    return Row(index, label, fields[-1], where)
