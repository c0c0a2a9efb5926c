"""MXNet RecordIO files: records back to back, each `magic, flag and length, payload, padding`.

A payload that holds the magic number at an offset divisible by four is split there, so that a reader which
starts in the middle of a file never takes payload for the start of a record. Everything is little-endian.

Source: dmlc-core include/dmlc/recordio.h and src/recordio.cc; mxnet python/mxnet/recordio.py (image header).
"""

import os
import struct
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import numpy as np
from numpy.typing import NDArray

from processing_scripts.contract import JobError, published

_MAGIC_NUMBER = 0xCED7230A
MAGIC = struct.pack("<I", _MAGIC_NUMBER)
LENGTH_BITS = 29
MAX_PAYLOAD_BYTES = (1 << LENGTH_BITS) - 1

_WORD = struct.Struct("<I")
_RECORD_HEADER = struct.Struct("<4sI")
_IMAGE_HEADER = struct.Struct("<IfQQ")  # label count (0: label in the next field), label, id, second id

# The flag of a part, in the top three bits of the second word.
_WHOLE, _FIRST, _MIDDLE, _LAST = range(4)


class RecordError(JobError):
    """A RecordIO file is damaged; `offset` is where the faulty record begins, in bytes."""

    def __init__(self, file: Path, offset: int, fault: str) -> None:
        super().__init__(f"{file}: record at byte {offset}: {fault}; write the file again or fetch it again")
        self.file, self.offset = file, offset


class RecordWriter:
    """Writes a .rec file, which appears under its name when the `with` block ends without an error."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stack = ExitStack()
        self._position = 0

    def __enter__(self) -> Self:
        self._file = self._stack.enter_context(published(self._path))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def write(self, payload: bytes) -> int:
        """Append one record and return the byte offset of its magic number.

        Raises:
            ValueError: the payload has 2**29 bytes or more, which the format cannot hold.
        """
        if len(payload) > MAX_PAYLOAD_BYTES:
            raise ValueError(
                f"{self._path}: a record holds at most {MAX_PAYLOAD_BYTES} bytes, not {len(payload)}"
            )
        offset = self._position
        self._position += self._file.write(frame(payload))
        return offset


class IndexedRecordWriter:
    """Writes a .rec file and its .idx file, lines `key<TAB>offset` in the order of writing."""

    def __init__(self, rec_path: Path, idx_path: Path) -> None:
        self._stack = ExitStack()
        self._idx_path = idx_path
        self._records = RecordWriter(rec_path)

    def __enter__(self) -> Self:
        # The stack closes in reverse: the index, which points into the records, appears after them.
        self._index = self._stack.enter_context(published(self._idx_path))
        self._stack.enter_context(self._records)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def write(self, key: int, payload: bytes) -> None:
        """Append one record under `key`, the first column of its list row."""
        offset = self._records.write(payload)
        self._index.write(f"{key}\t{offset}\n".encode())


class RecordReader:
    """Iterates over the payloads of a .rec file; each iteration starts at the beginning.

    Raises:
        RecordError: while iterating, where the file is damaged or cut short.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def __iter__(self) -> Iterator[bytes]:
        return (payload for _, payload in self.with_offsets())

    def with_offsets(self) -> Iterator[tuple[int, bytes]]:
        """Each payload with the byte offset of its record's magic number, which an .idx file lists."""
        with self.path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            while (offset := file.tell()) < size:
                yield offset, self._read_record(file, size)

    def _read_record(self, file: BinaryIO, size: int) -> bytes:
        start = file.tell()
        flag, part = self._read_part(file, start, size)
        if flag == _WHOLE:
            return part
        if flag != _FIRST:
            raise RecordError(self.path, start, "begins with a later part of a split record")
        parts = [part]
        while flag != _LAST:
            flag, part = self._read_part(file, start, size)
            if flag not in (_MIDDLE, _LAST):
                raise RecordError(self.path, start, "is split, and its last part is missing")
            parts.append(part)
        return MAGIC.join(parts)

    def _read_part(self, file: BinaryIO, start: int, size: int) -> tuple[int, bytes]:
        header = file.read(_RECORD_HEADER.size)
        if len(header) < _RECORD_HEADER.size:
            raise RecordError(self.path, start, "the file ends inside a record header")
        magic, flag_and_length = _RECORD_HEADER.unpack(header)
        if magic != MAGIC:
            raise RecordError(self.path, start, f"begins with {magic.hex()} instead of {MAGIC.hex()}")
        flag, length = flag_and_length >> LENGTH_BITS, flag_and_length & MAX_PAYLOAD_BYTES
        if flag > _LAST:
            raise RecordError(self.path, start, f"has the unknown flag {flag}")
        padded = length + -length % 4
        # Compared with the file's size first: a damaged length must not make us ask for half a gigabyte.
        if padded > size - file.tell():
            raise RecordError(self.path, start, f"the file ends inside a part of {length} bytes")
        return flag, file.read(padded)[:length]


def frame(payload: bytes) -> bytes:
    """The bytes of one record: header, payload and padding, split at aligned magic numbers."""
    parts = _split_at_magic(payload)
    last = len(parts) - 1
    if last == 0:  # nearly always
        return b"".join((MAGIC, _WORD.pack(len(payload)), payload, bytes(-len(payload) % 4)))
    framed = []
    for number, part in enumerate(parts):
        flag = _part_flag(number, last)
        framed.append(MAGIC + _WORD.pack(flag << LENGTH_BITS | len(part)))
        framed.append(part)
    framed.append(bytes(-len(parts[last]) % 4))
    return b"".join(framed)


def _part_flag(number: int, last: int) -> int:
    if number == 0:
        return _FIRST
    return _LAST if number == last else _MIDDLE


def _split_at_magic(payload: bytes) -> list[bytes]:
    # Word by word: much quicker than a search through the bytes, and all that the format asks for.
    words = np.frombuffer(payload, dtype="<u4", count=len(payload) // 4)
    are_magic = words == _MAGIC_NUMBER
    if not are_magic.any():
        return [payload]
    parts = []
    start = 0
    for position in np.flatnonzero(are_magic):
        found = int(position) * 4
        parts.append(payload[start:found])
        start = found + 4
    return [*parts, payload[start:]]


def pack_image_record(label: Sequence[float] | float, record_id: int, image: bytes) -> bytes:
    """The payload of an image record.

    Args:
        label: one number, stored in the header, or several, stored as float32 behind it. A detection label
            is [2, 5, class, xmin, ymin, xmax, ymax, ...].
        record_id: 0 to 2**64 - 1; the first column of the list row.
        image: an encoded JPEG or PNG file.

    Raises:
        ValueError: the label is an empty sequence or the id is out of range.
    """
    if not 0 <= record_id < 1 << 64:
        raise ValueError(f"record id {record_id} is not an unsigned 64-bit number")
    if isinstance(label, Sequence):
        if not label:
            raise ValueError(f"record {record_id}: the label is empty")
        numbers = np.asarray(label, dtype="<f4")
        return _IMAGE_HEADER.pack(len(label), 0.0, record_id, 0) + numbers.tobytes() + image
    return _IMAGE_HEADER.pack(0, label, record_id, 0) + image


def unpack_image_record(payload: bytes) -> tuple[NDArray[np.float32], int, bytes]:
    """Label (float32 [L], L is 1 for a label in the header), record id and encoded image of a payload.

    Raises:
        ValueError: the payload is shorter than its header says.
    """
    if len(payload) < _IMAGE_HEADER.size:
        raise ValueError(f"an image record has at least {_IMAGE_HEADER.size} bytes, this one {len(payload)}")
    count, scalar, record_id, _ = _IMAGE_HEADER.unpack_from(payload)
    if count == 0:
        return np.array([scalar], dtype=np.float32), record_id, payload[_IMAGE_HEADER.size :]
    end = _IMAGE_HEADER.size + 4 * count
    if len(payload) < end:
        raise ValueError(f"record {record_id}: says {count} label numbers, has {len(payload)} bytes in all")
    label = np.frombuffer(payload[_IMAGE_HEADER.size : end], dtype="<f4").astype(np.float32)
    return label, record_id, payload[end:]
