"""Ranges of bytes."""

import re
from dataclasses import dataclass

from workflows.server.errors import AwsError
from workflows.server.s3.errors import invalid_argument, s3_error

_RANGE = re.compile(r"bytes=([0-9]{0,19})-([0-9]{0,19})")


@dataclass(frozen=True)
class ByteRange:
    """A part of an object, which is not empty."""

    start: int
    size: int

    def header(self, whole: int) -> str:
        """Content-Range, for an object of this size."""
        return f"bytes {self.start}-{self.start + self.size - 1}/{whole}"


def read_range(header: str | None, whole: int) -> ByteRange | None:
    """The part of an object that a Range header asks for.

    What is no range, or several, is ignored, as S3 ignores it: the answer is the whole object.

    Raises:
        AwsError: InvalidRange.
    """
    found = _RANGE.fullmatch(header.strip()) if header is not None else None
    if found is None or found[0] == "bytes=-":
        return None
    first, last = found[1], found[2]
    if not first:
        size = min(int(last), whole)
        if not size:
            raise _outside(header, whole)
        return ByteRange(whole - size, size)
    start, end = int(first), min(int(last), whole - 1) if last else whole - 1
    if last and int(last) < start:
        return None
    if start >= whole:
        raise _outside(header, whole)
    return ByteRange(start, end - start + 1)


def read_copy_range(header: str | None, whole: int) -> ByteRange:
    """The part of a source that a part of an upload is to be: bytes=FIRST-LAST, or everything.

    Raises:
        AwsError: it is no such range, or not in the source.
    """
    if header is None:
        return ByteRange(0, whole)
    found = _RANGE.fullmatch(header)
    if found is None or not found[1] or not found[2] or int(found[2]) < int(found[1]):
        message = (
            "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last "
            "are the zero-based offsets of the first and last bytes to copy"
        )
        raise invalid_argument(message, "x-amz-copy-source-range", header)
    if int(found[2]) >= whole:
        message = f"Range specified is not valid for source object of size: {whole}"
        raise invalid_argument(message, "x-amz-copy-source-range", header)
    return ByteRange(int(found[1]), int(found[2]) - int(found[1]) + 1)


def _outside(header: str | None, whole: int) -> AwsError:
    return s3_error(
        "InvalidRange",
        "The requested range is not satisfiable",
        RangeRequested=header or "",
        ActualObjectSize=whole,
    )
