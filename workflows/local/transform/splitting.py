"""Splits objects into records: lines, RecordIO, TFRecord.

No more than one record is in memory, and none that is larger than a request may be.
"""

import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO

from workflows.definition.errors import WorkflowError

# In the words of the service's log.
TOO_LARGE = "Too much data for max payload size"
RECORD_IO_MAGIC = bytes.fromhex("0a23d7ce")
_WHOLE, _FIRST, _MIDDLE, _LAST = range(4)
_LENGTH_BITS = 29
_CRC32C_POLYNOMIAL = 0x82F63B78  # reflected
_CRC_MASK_DELTA = 0xA282EAD8


class SplitError(WorkflowError):
    """An object is damaged, not of its SplitType, or holds a record that fits into no request."""


@dataclass(frozen=True)
class Record:
    """A record as it stands in its object, and without what frames it there."""

    framed: bytes
    payload: bytes


Splitter = Callable[[BinaryIO, int], Iterator[Record]]


def whole(stream: BinaryIO, limit: int) -> Iterator[Record]:
    """The object as its only record."""
    body = stream.read(limit + 1)
    _check_size(len(body), limit)
    yield Record(body, body)


def lines(stream: BinaryIO, limit: int) -> Iterator[Record]:
    """One record for each line; its end belongs to the frame."""
    while framed := stream.readline(limit + 2):
        payload = framed.removesuffix(b"\n").removesuffix(b"\r")
        _check_size(len(payload), limit)
        yield Record(framed, payload)


def record_io(stream: BinaryIO, limit: int) -> Iterator[Record]:
    """The records of an MXNet RecordIO file.

    A payload that holds the magic number is split where it stands.

    Source: dmlc-core, include/dmlc/recordio.h.
    """
    while part := _record_io_part(stream, limit):
        flag, framed, payload = part
        if flag in (_MIDDLE, _LAST):
            raise SplitError("not RecordIO: a part of a record comes before its beginning")
        while flag in (_FIRST, _MIDDLE):
            next_part = _record_io_part(stream, limit - len(payload))
            if next_part is None or next_part[0] not in (_MIDDLE, _LAST):
                raise SplitError("not RecordIO: a record has no end")
            flag = next_part[0]
            framed += next_part[1]
            payload += RECORD_IO_MAGIC + next_part[2]
        _check_size(len(payload), limit)
        yield Record(framed, payload)


def _record_io_part(stream: BinaryIO, limit: int) -> tuple[int, bytes, bytes] | None:
    """Flag, bytes as they stand, and payload; None at the end."""
    header = stream.read(8)
    if not header:
        return None
    if len(header) < 8 or not header.startswith(RECORD_IO_MAGIC):
        raise SplitError("not RecordIO: the magic number is missing where a record should begin")
    (word,) = struct.unpack("<I", header[4:])
    length = word & ((1 << _LENGTH_BITS) - 1)
    _check_size(length, limit)
    body = _exactly(stream, length + -length % 4, "RecordIO")
    return word >> _LENGTH_BITS, header + body, body[:length]


def tf_records(stream: BinaryIO, limit: int) -> Iterator[Record]:
    """The records of a TFRecord file: length, masked CRC-32C of the length, data, masked CRC-32C of the data.

    The first checksum finds what is no such file; the second is left to who reads the data.

    Source: TensorFlow guide, "TFRecord and tf.train.Example".
    """
    while header := stream.read(12):
        if len(header) < 12 or masked_crc32c(header[:8]) != int.from_bytes(header[8:], "little"):
            raise SplitError("not TFRecord: the checksum of a record's length is wrong")
        length = int.from_bytes(header[:8], "little")
        _check_size(length, limit)
        body = _exactly(stream, length + 4, "TFRecord")
        yield Record(header + body, body[:length])


def masked_crc32c(data: bytes) -> int:
    """The checksum as TFRecord stores it."""
    crc = crc32c(data)
    return ((crc >> 15 | crc << 17) + _CRC_MASK_DELTA) & 0xFFFFFFFF


def crc32c(data: bytes) -> int:
    """Castagnoli's CRC, bit by bit: for the eight bytes of a length."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (_CRC32C_POLYNOMIAL if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def _exactly(stream: BinaryIO, count: int, kind: str) -> bytes:
    data = stream.read(count)
    if len(data) < count:
        raise SplitError(f"not {kind}: the last record is cut off")
    return data


def _check_size(size: int, limit: int) -> None:
    if size > limit:
        raise SplitError(f"{TOO_LARGE}: {size} bytes or more, where MaxPayloadInMB allows {limit}")


# TransformInput.SplitType -> how to do it.
SPLITTERS: Mapping[str, Splitter] = {
    "None": whole,
    "Line": lines,
    "RecordIO": record_io,
    "TFRecord": tf_records,
}
