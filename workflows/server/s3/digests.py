"""The checksums that S3 knows, for as many of which there is a library here."""

import base64
import binascii
import hashlib
import zlib
from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Protocol

from workflows.server.s3.errors import invalid_request

HEADER = "x-amz-checksum-"


class Digest(Protocol):
    """A checksum that grows with its data, as hashlib has them."""

    def update(self, data: bytes, /) -> None:
        """Take more data."""

    def digest(self) -> bytes:
        """The checksum of all data so far."""


class _Crc:
    """A cyclic redundancy check, as the sum so far and a function that takes it further."""

    def __init__(self, function: Callable[[bytes, int], int], size: int) -> None:
        self._function, self._size, self._value = function, size, 0

    def update(self, data: bytes, /) -> None:
        self._value = self._function(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(self._size, "big")


# Length in bytes of each algorithm's sum.
SIZES: Mapping[str, int] = {"crc32": 4, "crc32c": 4, "crc64nvme": 8, "sha1": 20, "sha256": 32, "sha512": 64}


def md5() -> Digest:
    """What ETags are."""
    return hashlib.md5(usedforsecurity=False)


def _makers() -> dict[str, Callable[[], Digest]]:
    makers: dict[str, Callable[[], Digest]] = {
        "crc32": lambda: _Crc(zlib.crc32, 4),
        "sha1": lambda: hashlib.sha1(usedforsecurity=False),
        "sha256": hashlib.sha256,
        "sha512": hashlib.sha512,
    }
    # A client that asks for these has the library; this machine may not.
    if find_spec("awscrt") is not None:
        native = import_module("awscrt.checksums")
        makers["crc32c"] = lambda: _Crc(native.crc32c, 4)
        makers["crc64nvme"] = lambda: _Crc(native.crc64nvme, 8)
    return makers


_MAKERS = _makers()


def new_digest(algorithm: str) -> Digest | None:
    """An empty checksum, or None where this machine has no library for it."""
    maker = _MAKERS.get(algorithm)
    return maker() if maker else None


def encode(digest: bytes) -> str:
    """A checksum as headers have it."""
    return base64.b64encode(digest).decode()


def decode(text: str, *, size: int, header: str) -> bytes:
    """A checksum from a header.

    Raises:
        AwsError: it is no base64, or of another length.
    """
    try:
        digest = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        digest = b""
    if len(digest) != size:
        raise invalid_request(f"Value for {header} header is invalid.")
    return digest
