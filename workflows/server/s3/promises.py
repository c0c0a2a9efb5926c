"""What the headers of a request say about its body: size, encoding, checksums."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from workflows.server.errors import AwsError
from workflows.server.s3.digests import HEADER, SIZES, decode
from workflows.server.s3.errors import invalid_argument, invalid_request, not_implemented, s3_error

_SHA256 = "x-amz-content-sha256"
_HEX = re.compile("[0-9a-f]{64}")
_MD5_SIZE = 16
# Headers that begin like checksums and are none.
_NO_SUMS = {"algorithm", "mode", "type"}


@dataclass(frozen=True, kw_only=True)
class Promises:
    """A body, as its sender describes it."""

    size: int  # decoded
    is_chunked: bool  # aws-chunked
    md5: bytes | None = None
    sha256: str | None = None  # in hex, of what is signed
    algorithm: str | None = None  # of the checksum
    checksum: bytes | None = None  # None with an algorithm: in a trailer


def read_promises(headers: Mapping[str, str]) -> Promises:
    """Read them from headers whose names are in small letters.

    Raises:
        AwsError: something is missing, malformed or not possible here.
    """
    signed = headers.get(_SHA256, "UNSIGNED-PAYLOAD")
    is_chunked = signed.startswith("STREAMING-") or "aws-chunked" in encodings(headers)
    algorithm, checksum = _checksum(headers)
    return Promises(
        size=_size(headers, "x-amz-decoded-content-length" if is_chunked else "content-length"),
        is_chunked=is_chunked,
        md5=_md5(headers),
        sha256=None if is_chunked else _sha256(signed),
        algorithm=algorithm,
        checksum=checksum,
    )


def encodings(headers: Mapping[str, str]) -> list[str]:
    """The content encodings of a request."""
    return [part.strip() for part in headers.get("content-encoding", "").split(",") if part.strip()]


def _size(headers: Mapping[str, str], name: str) -> int:
    text = headers.get(name)
    if text is None:
        raise s3_error("MissingContentLength", f"You must provide the {name} HTTP header.")
    if not (text.isascii() and text.isdigit() and len(text) < len(str(2**63))):
        raise invalid_argument(f"{name} must be a number", name, text)
    return int(text)


def _md5(headers: Mapping[str, str]) -> bytes | None:
    text = headers.get("content-md5")
    if text is None:
        return None
    try:
        return decode(text, size=_MD5_SIZE, header="Content-MD5")
    except AwsError:
        raise s3_error("InvalidDigest", "The Content-MD5 you specified was invalid.") from None


def _sha256(signed: str) -> str | None:
    if signed == "UNSIGNED-PAYLOAD":
        return None
    if not _HEX.fullmatch(signed):
        message = f"{_SHA256} must be UNSIGNED-PAYLOAD, a STREAMING- value or a valid sha256 value."
        raise invalid_argument(message, _SHA256, signed)
    return signed


def _checksum(headers: Mapping[str, str]) -> tuple[str | None, bytes | None]:
    """The algorithm of the checksum that there is, and its value, unless that comes after the body."""
    given = {name.removeprefix(HEADER) for name in headers if name.startswith(HEADER)} - _NO_SUMS
    trailers = {part.strip().lower() for part in headers.get("x-amz-trailer", "").split(",") if part.strip()}
    later = {name.removeprefix(HEADER) for name in trailers if name.startswith(HEADER)}
    if len(given | later) > 1:
        message = "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed."
        raise invalid_request(message)
    for algorithm in given | later:
        if algorithm not in SIZES:
            raise not_implemented(f"the checksum {algorithm.upper()}")
        if algorithm in later:
            return algorithm, None
        name = HEADER + algorithm
        return algorithm, decode(headers[name], size=SIZES[algorithm], header=name)
    if "x-amz-sdk-checksum-algorithm" in headers:
        raise invalid_request(
            "x-amz-sdk-checksum-algorithm specified, but no corresponding "
            "x-amz-checksum-* or x-amz-trailer headers were found."
        )
    return None, None
