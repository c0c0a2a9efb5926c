"""The content encoding aws-chunked, piece by piece.

    SIZE[;chunk-signature=…] CRLF DATA CRLF … 0[;chunk-signature=…] CRLF [NAME:VALUE CRLF …] CRLF

Source: S3 API reference, Transferring Payload in Multiple Chunks. Signatures are not verified.
"""

import re

from workflows.server.errors import AwsError
from workflows.server.s3.errors import s3_error

_LONGEST_LINE = 1024
_MOST_TRAILERS = 16
_SIZE = re.compile(rb"([0-9A-Fa-f]{1,16})[ \t]*(?:;.*)?", re.DOTALL)
_IN_LINE, _IN_DATA, _AFTER_DATA, _IN_TRAILERS, _AT_END = range(5)


class ChunkDecoder:
    """Takes what arrives, gives what was meant."""

    def __init__(self) -> None:
        """Nothing has arrived."""
        self.trailers: dict[str, str] = {}  # names in small letters; complete at the end
        self._state = _IN_LINE
        self._line = bytearray()
        self._left = 0  # of the chunk's data

    def feed(self, data: bytes) -> list[bytes]:
        """The content in the next piece of a body.

        Raises:
            AwsError: the encoding is broken.
        """
        found: list[bytes] = []
        position = 0
        while position < len(data):
            if self._state == _AT_END:
                raise _broken("there is something after its end")
            if self._state == _IN_DATA:
                piece = data[position : position + self._left]
                found.append(piece)
                position += len(piece)
                self._take(len(piece))
            else:
                position = self._read_line(data, position)
        return found

    def finish(self) -> None:
        """Say that the body has ended.

        Raises:
            AwsError: the last chunk is missing.
        """
        # Some clients leave out the empty line after the trailers.
        if self._state not in (_AT_END, _IN_TRAILERS):
            raise s3_error("IncompleteBody", "The request body terminated unexpectedly")
        if self._line.strip():
            self._end_line(bytes(self._line).strip())

    def _take(self, size: int) -> None:
        self._left -= size
        if self._left == 0:
            self._state = _AFTER_DATA

    def _read_line(self, data: bytes, position: int) -> int:
        """Reads on to the end of a line, if it is there; returns where."""
        end = data.find(b"\n", position)
        stop = len(data) if end < 0 else end + 1
        self._line += data[position:stop]
        if len(self._line) > _LONGEST_LINE:
            raise _broken(f"a line is longer than {_LONGEST_LINE} bytes")
        if end >= 0:
            line = bytes(self._line).strip()
            self._line.clear()
            self._end_line(line)
        return stop

    def _end_line(self, line: bytes) -> None:
        if self._state == _IN_LINE:
            self._start_chunk(line)
        elif self._state == _AFTER_DATA:
            if line:
                raise _broken("a chunk is longer than its size")
            self._state = _IN_LINE
        elif line:
            self._add_trailer(line)
        else:
            self._state = _AT_END

    def _start_chunk(self, line: bytes) -> None:
        size = _SIZE.fullmatch(line)
        if size is None:
            raise _broken("a chunk does not start with its size")
        self._left = int(size[1], 16)
        self._state = _IN_DATA if self._left else _IN_TRAILERS

    def _add_trailer(self, line: bytes) -> None:
        name, colon, value = line.decode("latin-1").partition(":")
        if not colon or len(self.trailers) == _MOST_TRAILERS:
            raise _broken("a trailer is malformed, or there are too many")
        self.trailers[name.strip().lower()] = value.strip()


def _broken(reason: str) -> AwsError:
    return s3_error("InvalidRequest", f"The body is not encoded as aws-chunked: {reason}")
