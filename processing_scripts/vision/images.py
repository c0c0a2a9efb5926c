"""Reading, resizing and encoding pictures that come from outside.

Orientation tags (Exif) are ignored unless asked for: the boxes of a data set refer to the stored pixels, and
a picture turned for display would no longer fit its boxes.
"""

import math
from enum import IntEnum
from io import BytesIO
from typing import Any, BinaryIO

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from processing_scripts.contract import JobError
from processing_scripts.vision.headers import (
    END_OF_IMAGE,
    PNG_END,
    Format,
    Header,
    parse_header,
    read_header,
)

Pixels = NDArray[np.uint8]  # [height, width, 3], channels blue, green, red
AnyPixels = NDArray[Any]  # [height, width] or [height, width, channels]

# 240 MB decoded. A header of a few bytes can claim more, so it is read before any memory is asked for.
MAX_PIXELS = 80_000_000
# The widest and tallest picture that libjpeg writes.
MAX_JPEG_SIDE = 65_500

# What OpenCV decodes besides JPEG and PNG.
_OTHER_FORMATS = ("BMP", "WEBP", "TIFF")


class Colour(IntEnum):
    """The channels that a picture is decoded to; the numbers are OpenCV's and im2rec's."""

    UNCHANGED = -1  # as stored, with transparency
    GREY = 0
    COLOUR = 1  # blue, green, red


class ImageError(JobError):
    """A file is not a picture that can be used; `source` names it, `fault` says why."""

    def __init__(self, source: str, fault: str) -> None:
        super().__init__(f"{source}: {fault}")
        self.source, self.fault = source, fault


def read_size(file: BinaryIO, *, source: str) -> tuple[int, int]:
    """Width and height in pixels as stored, from the header alone.

    Raises:
        ImageError: not a JPEG or PNG file, or more than MAX_PIXELS.
    """
    header = _known(read_header(file), source)
    _check_pixels(header.width, header.height, source)
    return header.width, header.height


def whole_header(data: bytes, *, source: str) -> Header:
    """The header of a file whose end is there, and whose pixels fit into memory.

    Raises:
        ImageError: not a JPEG or PNG file, more than MAX_PIXELS, or cut short.
    """
    header = _known(parse_header(data), source)
    _check_whole(data, header, source)
    return header


def _known(header: Header | None, source: str) -> Header:
    if header is None:
        raise ImageError(source, "is not a readable JPEG or PNG file")
    return header


def _check_whole(data: bytes, header: Header, source: str) -> None:
    _check_pixels(header.width, header.height, source)
    # OpenCV fills the missing part of a truncated file with grey and reports success.
    if not _has_end(data, header):
        raise ImageError(source, "is cut short")


def _check_pixels(width: int, height: int, source: str) -> None:
    if width * height > MAX_PIXELS:
        raise ImageError(source, f"has {width} x {height} pixels, more than {MAX_PIXELS}")


def _has_end(data: bytes, header: Header) -> bool:
    """Whether the end marker follows the picture data; a thumbnail in the header has one of its own."""
    end = PNG_END if header.format is Format.PNG else END_OF_IMAGE
    return data.rfind(end, header.end) != -1  # from behind, where it should be


def decode_image(data: bytes, *, source: str) -> Pixels:
    """Decode a JPEG or PNG file to three channels; grey and CMYK pictures become colour pictures.

    Args:
        data: the whole file.
        source: its name in messages.

    Returns:
        uint8 [height, width, 3], blue, green, red, as stored (an orientation tag is ignored).

    Raises:
        ImageError: not a picture, too large, cut short, or not decodable.
    """
    header = whole_header(data, source=source)
    return _decode(data, (header.width, header.height), cv2.IMREAD_COLOR, shrink=1, source=source)


def check_image(data: bytes, *, source: str) -> tuple[int, int]:
    """Width and height of a file that `decode_image` decodes; takes about half its time for a JPEG file.

    The decoder is asked for an eighth of each side. It reads every byte all the same, and so finds what
    would stop it; what it skips is arithmetic that cannot fail.

    Raises:
        ImageError: the one that `decode_image` raises.
    """
    header = whole_header(data, source=source)
    size = (header.width, header.height)
    if header.format is Format.PNG:
        # OpenCV decodes a PNG file whole before it makes it smaller.
        _decode(data, size, cv2.IMREAD_COLOR, shrink=1, source=source)
    else:
        _decode(data, size, cv2.IMREAD_REDUCED_COLOR_8, shrink=8, source=source)
    return size


def _decode(data: bytes, size: tuple[int, int], mode: int, *, shrink: int, source: str) -> Pixels:
    """The pixels of a picture of that width and height, each side divided by `shrink` and rounded up."""
    pixels = imdecode(data, mode | cv2.IMREAD_IGNORE_ORIENTATION, source)
    width, height = size
    if pixels.shape != (math.ceil(height / shrink), math.ceil(width / shrink), 3):
        raise ImageError(source, f"says {width} x {height} pixels, and has more or fewer")
    return pixels.astype(np.uint8, copy=False)


def decode_any(data: bytes, *, colour: Colour, is_turned: bool, source: str) -> AnyPixels:
    """Decode whatever im2rec packs: JPEG, PNG, BMP, WebP or TIFF.

    Args:
        data: the whole file.
        colour: the channels of the result.
        is_turned: whether an orientation tag is obeyed, as OpenCV does unless told not to. It never is with
            Colour.UNCHANGED.
        source: its name in messages.

    Returns:
        [height, width] or [height, width, channels]; uint8, or uint16 with Colour.UNCHANGED.

    Raises:
        ImageError: not a picture, too large, cut short, or not decodable.
    """
    header = parse_header(data)
    if header is None:
        size = _size_of_other(data, source)
    else:
        _check_whole(data, header, source)
        turns = is_turned and colour is not Colour.UNCHANGED
        size = header.upright_size if turns else (header.width, header.height)
    ignoring = 0 if is_turned or colour is Colour.UNCHANGED else cv2.IMREAD_IGNORE_ORIENTATION
    pixels = imdecode(data, int(colour) | ignoring, source)
    if pixels.shape[1::-1] != size:
        raise ImageError(source, f"says {size[0]} x {size[1]} pixels, and has more or fewer")
    return pixels


def _size_of_other(data: bytes, source: str) -> tuple[int, int]:
    try:
        with Image.open(BytesIO(data), formats=_OTHER_FORMATS) as image:
            width, height = image.size
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        raise ImageError(source, "is not a readable JPEG, PNG, BMP, WebP or TIFF file") from None
    _check_pixels(width, height, source)
    return width, height


def imdecode(data: bytes, mode: int, source: str) -> AnyPixels:
    """What OpenCV makes of a file whose header has been looked at.

    Raises:
        ImageError: it makes nothing of it.
    """
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), mode)
    except cv2.error as error:
        raise ImageError(source, f"cannot be decoded: {error.err}") from None
    # OpenCV returns None for what it cannot read, which its type stubs leave out.
    if not isinstance(pixels, np.ndarray):
        raise ImageError(source, "cannot be decoded")
    return pixels


def crop_centre(pixels: AnyPixels) -> AnyPixels:
    """The square in the middle, as large as the shorter side."""
    height, width = pixels.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return pixels[top : top + side, left : left + side]


def resize_shorter_side(pixels: Pixels, side: int) -> Pixels:
    """`scale_shorter_side` of three channels of eight bits."""
    return scale_shorter_side(pixels, side).astype(np.uint8, copy=False)


def scale_shorter_side(pixels: AnyPixels, side: int) -> AnyPixels:
    """Scale so that the shorter side has `side` pixels, as im2rec does; 0 keeps the size.

    The longer side is rounded down to whole pixels. Smaller pictures are enlarged.

    Raises:
        ValueError: the longer side would not fit into a JPEG file.
    """
    height, width = pixels.shape[:2]
    size = scaled_size(width, height, side)
    if size == (width, height):
        return pixels
    return cv2.resize(pixels, size, interpolation=cv2.INTER_LINEAR)


def scaled_size(width: int, height: int, side: int) -> tuple[int, int]:
    """Width and height of a picture whose shorter side is scaled to `side` pixels; 0 keeps them.

    Raises:
        ValueError: the longer side would not fit into a JPEG file.
    """
    size = (width, height)
    if side:
        size = (side, height * side // width) if height > width else (width * side // height, side)
    if max(size) > MAX_JPEG_SIDE:
        raise ValueError(f"{width} x {height} pixels become {size[0]} x {size[1]}, too long for a JPEG file")
    return size


def mirror_image(pixels: AnyPixels) -> AnyPixels:
    """The picture mirrored left to right."""
    return cv2.flip(pixels, 1)


def encode_jpeg(pixels: AnyPixels, *, quality: int = 95) -> bytes:
    """The pixels (blue, green, red, or grey) as a JPEG file of quality 1 to 100.

    Raises:
        ValueError: OpenCV cannot encode them.
    """
    return _encode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])


def encode_png(pixels: AnyPixels, *, compression: int) -> bytes:
    """The pixels as a PNG file, compressed little (0) or much (9 or more).

    Raises:
        ValueError: OpenCV cannot encode them.
    """
    return _encode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, compression])


def _encode(suffix: str, pixels: AnyPixels, parameters: list[int]) -> bytes:
    encoded, data = cv2.imencode(suffix, pixels, parameters)
    if not encoded:
        raise ValueError(f"{pixels.shape[1]} x {pixels.shape[0]} pixels cannot be encoded as {suffix}")
    return data.tobytes()
