"""Checking, or decoding, resizing and encoding many pictures on several cores, in order."""

import hashlib
import os
import stat
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from functools import partial
from pathlib import Path

from processing_scripts.parallel import load_and_map_in_order
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
    """
    return load_and_map_in_order(_load, partial(_process, encoding=encoding), requests, workers=workers)


@dataclass(frozen=True, kw_only=True)
class _Loaded:
    request: Request
    data: bytes = b""
    fault: str | None = None
    watch: Stopwatch


def _load(request: Request) -> _Loaded:
    watch = Stopwatch()
    try:
        data, _ = read_picture(str(request.source))
    except ImageError as error:
        return _Loaded(request=request, fault=error.fault, watch=watch)
    watch.lap(Stage.READ)
    return _Loaded(request=request, data=data, watch=watch)


def _process(loaded: _Loaded, encoding: Encoding) -> Encoded:
    request, data, watch = loaded.request, loaded.data, loaded.watch
    watch.skip()
    original = mirrored = b""
    size, fault = (0, 0), loaded.fault
    digest = hashlib.sha256(data).hexdigest()
    watch.lap(Stage.READ)
    try:
        if fault is not None or request.work is Work.DIGEST:
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


def read_picture(path: str) -> tuple[bytes, os.stat_result]:
    """A file's bytes and what the system knows of it, in half the time of open() and read().

    Raises:
        ImageError: it is a folder, or something else that is no file.
        OSError: as open().
    """
    # A pipe would keep the job waiting for a writer.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise ImageError(path, "is not a file")
        data = os.read(descriptor, found.st_size)
    finally:
        os.close(descriptor)
    return data, found


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
