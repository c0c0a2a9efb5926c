"""Lists of pictures (.lst): `index<TAB>label numbers<TAB>relative path`, a picture a line.

Source: mxnet tools/im2rec.py.
"""

from collections.abc import Iterator
from pathlib import Path

from workflows.preflight.data.records import BadData, Sample

_FEWEST_COLUMNS = 3


def read_list(file: Path) -> Iterator[Sample]:
    """Every row of a list.

    Raises:
        BadData: while iterating, where a row is none.
    """
    with file.open(encoding="utf-8", errors="replace") as lines:
        for number, line in enumerate(lines, start=1):
            if line.strip():
                yield _row(line, f"line {number}")


def _row(line: str, place: str) -> Sample:
    columns = [column.strip() for column in line.split("\t")]
    if len(columns) < _FEWEST_COLUMNS:
        raise BadData(f"{place}: has {len(columns)} columns; index, label and path are separated by tabs")
    try:
        label = tuple(float(column) for column in columns[1:-1])
    except ValueError:
        raise BadData(f"{place}: its label is no number") from None
    return Sample(place=place, label=label, picture=None)
