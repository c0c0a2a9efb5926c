"""Decoding, resizing and encoding many pictures in several processes, in order and in bounded memory."""

import hashlib
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from processing_scripts.parallel import map_in_order
from processing_scripts.vision.images import ImageError, decode_image, encode_jpeg, resize_shorter_side


@dataclass(frozen=True, kw_only=True)
class Encoding:
    """What becomes of every picture."""

    shorter_side: int  # pixels; 0 keeps the size
    quality: int  # JPEG, 1 to 100


@dataclass(frozen=True, kw_only=True)
class Request:
    """A picture to encode, and whether its mirror image is wanted too."""

    source: Path
    mirrored: bool


@dataclass(frozen=True, kw_only=True)
class Encoded:
    """The JPEG files made of one picture, or the fault that prevents them."""

    original: bytes = b""
    mirrored: bytes = b""
    source_sha256: str
    width: int = 0  # of the JPEG files, in pixels
    height: int = 0
    fault: str | None = None


def encode_pictures(
    requests: Sequence[Request], encoding: Encoding, *, workers: int
) -> Generator[Encoded, None, None]:
    """Encode the pictures; results come in the order of the requests and do not depend on `workers`.

    A picture that cannot be decoded yields its fault; the caller knows how many of those are too many.

    Raises:
        FileNotFoundError: a picture is missing.
        JobError: the system ended a worker process.
    """
    return map_in_order(partial(_encode, encoding=encoding), requests, workers=workers)


def _encode(request: Request, encoding: Encoding) -> Encoded:
    data = request.source.read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    try:
        pixels = decode_image(data, source=str(request.source))
        resized = resize_shorter_side(pixels, encoding.shorter_side) if encoding.shorter_side else pixels
        original = encode_jpeg(resized, quality=encoding.quality)
        mirrored = encode_jpeg(resized[:, ::-1], quality=encoding.quality) if request.mirrored else b""
    except ImageError as error:
        return Encoded(source_sha256=digest, fault=error.fault)
    except ValueError as error:
        return Encoded(source_sha256=digest, fault=str(error))
    height, width = resized.shape[:2]
    return Encoded(original=original, mirrored=mirrored, source_sha256=digest, width=width, height=height)
