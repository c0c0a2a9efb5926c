"""Checking, or decoding, resizing and encoding many pictures on several cores, in order."""

import hashlib
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from functools import partial
from pathlib import Path

from processing_scripts.parallel import map_in_order
from processing_scripts.vision.images import (
    ImageError,
    check_image,
    decode_image,
    encode_jpeg,
    mirror_image,
    resize_shorter_side,
    scaled_size,
)


@dataclass(frozen=True, kw_only=True)
class Encoding:
    """What becomes of every picture."""

    shorter_side: int  # pixels; 0 keeps the size
    quality: int  # JPEG, 1 to 100


class Work(Enum):
    """What is to be found out or made of a picture; its digest always is."""

    DIGEST = auto()
    CHECK = auto()  # whether it could be encoded
    ENCODE = auto()
    ENCODE_WITH_MIRROR = auto()  # and its mirror image


@dataclass(frozen=True, kw_only=True)
class Request:
    """A picture, and what to do with it."""

    source: Path
    work: Work


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
    """Do what is requested; results come in the order of the requests and do not depend on `workers`.

    A picture that cannot be decoded yields its fault; the caller knows how many of those are too many.

    Raises:
        FileNotFoundError: a picture is missing.
    """
    return map_in_order(partial(_process, encoding=encoding), requests, workers=workers)


def _process(request: Request, encoding: Encoding) -> Encoded:
    data = request.source.read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    try:
        if request.work is Work.DIGEST:
            return Encoded(source_sha256=digest)
        if request.work is Work.CHECK:
            width, height = check_image(data, source=str(request.source))
            scaled_size(width, height, encoding.shorter_side)
            return Encoded(source_sha256=digest)
        return _encode(request, encoding, data, digest)
    except ImageError as error:
        return Encoded(source_sha256=digest, fault=error.fault)
    except ValueError as error:
        return Encoded(source_sha256=digest, fault=str(error))


def _encode(request: Request, encoding: Encoding, data: bytes, digest: str) -> Encoded:
    decoded = decode_image(data, source=str(request.source))
    pixels = resize_shorter_side(decoded, encoding.shorter_side)
    original = encode_jpeg(pixels, quality=encoding.quality)
    mirrored = b""
    if request.work is Work.ENCODE_WITH_MIRROR:
        mirrored = encode_jpeg(mirror_image(pixels), quality=encoding.quality)
    height, width = pixels.shape[:2]
    return Encoded(original=original, mirrored=mirrored, source_sha256=digest, width=width, height=height)
