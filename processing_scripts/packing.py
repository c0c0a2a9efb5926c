"""Checking, or decoding, resizing and encoding many pictures on several cores, in order."""

import hashlib
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from functools import partial
from pathlib import Path

from processing_scripts.parallel import begin_and_map_in_order
from processing_scripts.reading import OpenPicture
from processing_scripts.timing import Stage, Stopwatch
from processing_scripts.vision.headers import Format, Header
from processing_scripts.vision.images import (
    AnyPixels,
    Colour,
    ImageError,
    check_image,
    crop_centre,
    decode_any,
    decode_image,
    encode_jpeg,
    encode_png,
    mirror_image,
    scale_shorter_side,
    scaled_size,
    whole_header,
)

JPG, PNG = ".jpg", ".png"


@dataclass(frozen=True, kw_only=True)
class Encoding:
    """What becomes of every picture."""

    shorter_side: int  # pixels; 0 keeps the size
    quality: int  # JPEG, 1 to 100; PNG: compression, at most 9
    suffix: str = JPG  # or .png
    colour: Colour = Colour.COLOUR
    is_cropped: bool = False  # to the square in the middle
    is_turned: bool = False  # as its orientation tag says
    takes_others: bool = False  # BMP, WebP and TIFF files, too
    keeps_unchanged: bool = False  # a file that would keep format, size and channels is taken as it is


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
    """The files made of one picture, or the fault that prevents them."""

    original: bytes = b""
    mirrored: bytes = b""
    source_sha256: str = ""
    source_bytes: int
    width: int = 0  # of the files, in pixels
    height: int = 0
    fault: str | None = None
    spent_ns: Sequence[int]  # by Stage


def encode_pictures(
    requests: Iterable[Request], encoding: Encoding, *, workers: int
) -> Generator[Encoded, None, None]:
    """Do what is requested; results come in the order of the requests and do not depend on `workers`.

    A picture that cannot be decoded yields its fault; the caller knows how many of those are too many.

    Raises:
        FileNotFoundError: a picture is missing.
        JobError: the system ended a worker process.
    """
    return begin_and_map_in_order(_begin, partial(_process, encoding=encoding), requests, workers=workers)


def _begin(request: Request) -> tuple[Request, OpenPicture]:
    return request, OpenPicture(str(request.source))


def _process(begun: tuple[Request, OpenPicture], encoding: Encoding) -> Encoded:
    request, file = begun
    watch = Stopwatch()
    data = original = mirrored = b""
    size, fault, digest = (0, 0), None, ""
    try:
        data, _ = file.read()
        digest = hashlib.sha256(data).hexdigest()
        watch.lap(Stage.READ)
        if request.work is Work.DIGEST:
            pass
        elif request.work is Work.CHECK:
            check(data, encoding, source=str(request.source))
        else:
            with_mirror = request.work is Work.ENCODE_WITH_MIRROR
            original, mirrored, size = encode(
                data, encoding, watch, source=str(request.source), with_mirror=with_mirror
            )
    except ImageError as error:
        fault = error.fault
    except ValueError as error:
        fault = str(error)
    return Encoded(
        original=original,
        mirrored=mirrored,
        source_sha256=digest,
        source_bytes=len(data),
        width=size[0],
        height=size[1],
        fault=fault,
        spent_ns=watch.spent_ns,
    )


def check(data: bytes, encoding: Encoding, *, source: str) -> tuple[int, int]:
    """Width and height of the JPEG or PNG file that `encode` would make, found in about a third of the time.

    Raises:
        ImageError: it cannot be decoded.
        ValueError: it would be too long for a JPEG file.
    """
    width, height = check_image(data, source=source)
    return scaled_size(width, height, encoding.shorter_side)


def encode(
    data: bytes, encoding: Encoding, watch: Stopwatch, *, source: str, with_mirror: bool = False
) -> tuple[bytes, bytes, tuple[int, int]]:
    """The encoded picture, its mirror image (empty unless asked for), and their width and height in pixels.

    Raises:
        ImageError: the file cannot be decoded.
        ValueError: the picture cannot be encoded.
    """
    kept = encoding.keeps_unchanged and _is_as_wanted(data, encoding, source)
    if kept and not with_mirror:
        size = check(data, encoding, source=source)
        watch.lap(Stage.DECODE)
        return data, b"", size
    pixels = _decode(data, encoding, source)
    watch.lap(Stage.DECODE)
    if encoding.is_cropped:
        pixels = crop_centre(pixels)
    pixels = scale_shorter_side(pixels, encoding.shorter_side)
    watch.lap(Stage.RESIZE)
    original = data if kept else _encode(pixels, encoding)
    mirrored = _encode(mirror_image(pixels), encoding) if with_mirror else b""
    watch.lap(Stage.ENCODE)
    height, width = pixels.shape[:2]
    return original, mirrored, (width, height)


def _decode(data: bytes, encoding: Encoding, source: str) -> AnyPixels:
    if encoding.takes_others or encoding.is_turned or encoding.colour is not Colour.COLOUR:
        return decode_any(data, colour=encoding.colour, is_turned=encoding.is_turned, source=source)
    return decode_image(data, source=source)


def _encode(pixels: AnyPixels, encoding: Encoding) -> bytes:
    if encoding.suffix == PNG:
        return encode_png(pixels, compression=encoding.quality)
    return encode_jpeg(pixels, quality=encoding.quality)


_CHANNELS = {Colour.COLOUR: (3,), Colour.GREY: (1,), Colour.UNCHANGED: (1, 2, 3, 4)}


def _is_as_wanted(data: bytes, encoding: Encoding, source: str) -> bool:
    """Whether encoding the file anew would change nothing but its bytes."""
    try:
        header = whole_header(data, source=source)
    except ImageError:
        return False  # another format, or one that decoding finds a fault of
    is_format = (header.format is Format.PNG) == (encoding.suffix == PNG)
    return is_format and _has_wanted_shape(header, encoding)


def _has_wanted_shape(header: Header, encoding: Encoding) -> bool:
    size = (header.width, header.height)
    turns = encoding.is_turned and header.orientation != 1
    cuts = encoding.is_cropped and header.width != header.height
    has_channels = header.channels in _CHANNELS[encoding.colour] and header.bits == 8
    return has_channels and not turns and not cuts and scaled_size(*size, encoding.shorter_side) == size
