"""What inspect_records finds in the records of one channel."""

from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from processing_scripts.parallel import map_in_order
from processing_scripts.progress import with_progress
from processing_scripts.vision.fingerprints import Cells, Fingerprints, grey_cells
from processing_scripts.vision.images import ImageError
from processing_scripts.vision.lists import HEADER_WIDTH, OBJECT_WIDTH
from processing_scripts.vision.recordio import RecordError, RecordReader, unpack_image_record

# Pictures whose fingerprints are made together; until then each takes 1 KB.
_BATCH = 1024


class Fault(NamedTuple):
    """A record whose picture cannot be used."""

    record: int  # its number in the channel, from 0
    id: int | None  # None: the record is too short to have one
    fault: str


class Pictures:
    """What is kept of every picture that can be decoded: under 300 bytes."""

    def __init__(self) -> None:
        self.numbers, self.ids = array("Q"), array("Q")
        self._parts: list[Fingerprints] = []
        self._cells: list[Cells] = []

    def add(self, number: int, record_id: int, cells: Cells) -> None:
        """Keep one more, the picture of that record."""
        self.numbers.append(number)
        self.ids.append(record_id)
        self._cells.append(cells)
        if len(self._cells) == _BATCH:
            self._finish()

    def fingerprints(self) -> Fingerprints:
        """Those of all, in the order in which they came."""
        self._finish()
        self._parts = [Fingerprints.joined(self._parts)]
        return self._parts[0]

    def _finish(self) -> None:
        self._parts.append(Fingerprints.of(self._cells))
        self._cells = []


@dataclass(kw_only=True)
class Channel:
    """Everything that is known of a channel when its records have been read."""

    files: list[str]
    records: int = 0
    faults: list[Fault] = field(default_factory=list)
    damages: list[str] = field(default_factory=list)  # from where on a file cannot be read
    classes: Counter[int] = field(default_factory=Counter)  # class -> labels with it
    odd_labels: int = 0  # records from whose label the classes cannot be told
    smallest: tuple[int, int] | None = None  # of all pictures, the smallest width and the smallest height
    pictures: Pictures = field(default_factory=Pictures)


class _Seen(NamedTuple):
    """One record, whose picture can be used if there is no fault."""

    id: int | None = None
    classes: Sequence[int] | None = None  # None: they cannot be told
    fault: str = ""
    size: tuple[int, int] = (0, 0)  # width and height in pixels
    cells: Cells | None = None


def inspect_channel(name: str, parts: Sequence[Path], *, workers: int) -> Channel:
    """Decode every record of a channel, whose file may have been written in parts."""
    channel = Channel(files=[part.name for part in parts])
    seen = map_in_order(_see, _payloads(parts, channel.damages), workers=workers)
    for number, record in enumerate(with_progress(seen, phase=name, unit="records")):
        _note(channel, number, record)
    return channel


def _payloads(parts: Sequence[Path], damages: list[str]) -> Iterator[bytes]:
    """The records of all parts; what lies behind a damage in a part is left out, and the damage noted."""
    for part in parts:
        try:
            yield from RecordReader(part)
        except RecordError as error:
            damages.append(str(error))
        except OSError as error:
            damages.append(f"{part}: cannot be read: {error.strerror}")


def _note(channel: Channel, number: int, record: _Seen) -> None:
    channel.records += 1
    if record.classes is None:
        channel.odd_labels += 1
    else:
        channel.classes.update(record.classes)
    if record.cells is None or record.id is None:
        channel.faults.append(Fault(number, record.id, record.fault))
        return
    smallest = channel.smallest or record.size
    channel.smallest = (min(smallest[0], record.size[0]), min(smallest[1], record.size[1]))
    channel.pictures.add(number, record.id, record.cells)


def _see(payload: bytes) -> _Seen:
    try:
        label, record_id, image = unpack_image_record(payload)
    except ValueError as error:
        return _Seen(fault=str(error))
    classes = _classes(label)
    try:
        cells, size = grey_cells(image, source="")
    except ImageError as error:
        return _Seen(id=record_id, classes=classes, fault=error.fault)
    return _Seen(id=record_id, classes=classes, size=size, cells=cells)


def _classes(label: NDArray[np.float32]) -> Sequence[int] | None:
    """One number is a class; of more, the first two say how long the header is, and each object behind it."""
    numbers = label.tolist()
    if len(numbers) > 1:
        header, width = (int(number) if _is_count(number) else 0 for number in numbers[:2])
        if not (HEADER_WIDTH <= header <= len(numbers) and width >= OBJECT_WIDTH):
            return None
        if (len(numbers) - header) % width:
            return None
        numbers = numbers[header::width]
    return [int(number) for number in numbers] if all(map(_is_count, numbers)) else None


def _is_count(number: float) -> bool:
    return number >= 0 and number.is_integer()
