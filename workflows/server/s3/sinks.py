"""Where bodies go while they arrive: into a file, and through checksums."""

import base64
import os
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from workflows.server.s3.digests import HEADER, SIZES, Digest, decode, encode, md5, new_digest
from workflows.server.s3.errors import invalid_request, s3_error
from workflows.server.s3.promises import Promises

_MOST_PIECES = 1024  # IOV_MAX of Linux


@dataclass(frozen=True)
class Checksum:
    """A checksum as S3 keeps it."""

    algorithm: str
    value: str  # base64
    is_composite: bool = False  # of the parts' checksums

    @property
    def raw(self) -> bytes:
        """The sum itself."""
        return base64.b64decode(self.value)


@dataclass(frozen=True, kw_only=True)
class Received:
    """A body that is as it was promised."""

    size: int
    md5: bytes
    checksum: Checksum | None


class Sums:
    """Everything that is counted while data passes."""

    def __init__(self, promises: Promises) -> None:
        """Checksums are made as far as there is a library for them."""
        self._promises = promises
        self._size = 0
        self._md5 = md5()
        self._checksum = new_digest(promises.algorithm) if promises.algorithm else None
        # The signed sum is redundant, and the dearest to make, where another one came with the data.
        is_covered = promises.md5 is not None or self._checksum is not None
        self._sha256 = new_digest("sha256") if promises.sha256 and not is_covered else None

    def update(self, pieces: Iterable[bytes]) -> None:
        """Count more data."""
        digests: list[Digest | None] = [self._md5, self._checksum, self._sha256]
        for piece in pieces:
            self._size += len(piece)
            for digest in digests:
                if digest is not None:
                    digest.update(piece)

    def finish(self, trailers: Mapping[str, str]) -> Received:
        """What has arrived, if it is what was promised.

        Raises:
            AwsError: it is not.
        """
        promised = self._promises
        if self._size != promised.size:
            message = "You did not provide the number of bytes specified by the Content-Length HTTP header"
            raise s3_error("IncompleteBody", message)
        received = self._md5.digest()
        if promised.md5 not in (None, received):
            raise s3_error("BadDigest", "The Content-MD5 you specified did not match what we received.")
        if self._sha256 is not None and self._sha256.digest().hex() != promised.sha256:
            message = "The provided 'x-amz-content-sha256' header does not match what was computed."
            raise s3_error("XAmzContentSHA256Mismatch", message)
        return Received(size=self._size, md5=received, checksum=self._verified(trailers))

    def _verified(self, trailers: Mapping[str, str]) -> Checksum | None:
        algorithm = self._promises.algorithm
        if algorithm is None:
            return None
        name, promised = HEADER + algorithm, self._promises.checksum
        if promised is None:
            if name not in trailers:
                raise invalid_request(f"The body ended without the trailer {name}")
            promised = decode(trailers[name], size=SIZES[algorithm], header=name)
        if self._checksum is not None and self._checksum.digest() != promised:
            message = f"The {algorithm.upper()} you specified did not match the calculated checksum."
            raise s3_error("BadDigest", message)
        return Checksum(algorithm, encode(promised))


class FileSink:
    """A file, written from a place on, which nothing is written to once it is closed."""

    def __init__(self, path: str | os.PathLike[str], offset: int = 0) -> None:
        """Makes the file if it is not there."""
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o666)
        self._offset = offset
        self._is_open, self._lock = True, threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # A thread may still be writing for a request that was cancelled, and the number of this file may soon
        # be that of another.
        with self._lock:
            self._is_open = False
            os.close(self._descriptor)

    def write(self, pieces: Sequence[bytes]) -> None:
        """Write pieces after what was written before."""
        with self._lock:
            left = [memoryview(piece) for piece in pieces] if self._is_open else []
            while left:
                written = os.pwritev(self._descriptor, left[:_MOST_PIECES], self._offset)
                self._offset += written
                left = _without(left, written)


def _without(views: list[memoryview], size: int) -> list[memoryview]:
    """What is left behind the first bytes."""
    for index, view in enumerate(views):
        if size < len(view):
            return [view[size:], *views[index + 1 :]]
        size -= len(view)
    return []
