"""RecordIO files, read by what stands in front of each picture; no picture is decoded.

Source: dmlc-core include/dmlc/recordio.h and src/recordio.cc; mxnet src/io/image_recordio.h.
"""

import mmap
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_MAGIC = struct.pack("<I", 0xCED7230A)
_HEADER = struct.Struct("<4sI")
_IMAGE_HEADER = struct.Struct("<IfQQ")  # numbers in the label (0: it is the next field), label, id, second id
_LENGTH_BITS = 29
_WHOLE, _FIRST, _MIDDLE, _LAST = range(4)


class BadData(Exception):
    """What is in a file is not what an algorithm reads."""


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One picture as it will be trained on."""

    place: str  # for messages, such as "record 7"
    label: tuple[float, ...]
    picture: bytes | None  # encoded; None: a list names it only


def read_records(file: Path) -> Iterator[Sample]:
    """Every record of a file.

    Raises:
        BadData: while iterating, where the file is damaged or a label is cut short.
    """
    if file.stat().st_size == 0:
        return
    with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as view:
        position, number = 0, 0
        while position < len(view):
            payload, position = _record(view, position)
            yield _sample(payload, f"record {number}")
            number += 1


def _record(view: mmap.mmap, start: int) -> tuple[bytes, int]:
    """The payload of the record that begins at a byte, and where the next one begins."""
    flag, part, position = _part(view, start)
    if flag == _WHOLE:
        return part, position
    if flag != _FIRST:
        raise BadData(f"byte {start}: a record begins with a later part of a split one")
    parts = [part]
    while flag != _LAST:
        flag, part, position = _part(view, position)
        if flag not in (_MIDDLE, _LAST):
            raise BadData(f"byte {start}: the record is split, and its last part is missing")
        parts.append(part)
    return _MAGIC.join(parts), position


def _part(view: mmap.mmap, start: int) -> tuple[int, bytes, int]:
    body = start + _HEADER.size
    if body > len(view):
        raise BadData(f"byte {start}: the file ends inside a record's header")
    magic, flag_and_length = _HEADER.unpack_from(view, start)
    if magic != _MAGIC:
        raise BadData(f"byte {start}: no record begins here")
    length = flag_and_length & ((1 << _LENGTH_BITS) - 1)
    end = body + length + -length % 4
    if end > len(view):
        raise BadData(f"byte {start}: the file ends inside a record")
    return flag_and_length >> _LENGTH_BITS, view[body : body + length], end


def _sample(payload: bytes, place: str) -> Sample:
    if len(payload) < _IMAGE_HEADER.size:
        raise BadData(f"{place}: is too short to hold a label")
    count, single, _, _ = _IMAGE_HEADER.unpack_from(payload)
    start = _IMAGE_HEADER.size + 4 * count
    if start > len(payload):
        raise BadData(f"{place}: says that its label has {count} numbers, and is shorter than that")
    label = struct.unpack_from(f"<{count}f", payload, _IMAGE_HEADER.size) if count else (single,)
    return Sample(place=place, label=label, picture=payload[start:])
