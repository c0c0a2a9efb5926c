"""Reading, resizing and encoding pictures that come from outside.

Orientation tags (EXIF) are ignored throughout: the boxes of a data set refer to the stored pixels, and a
picture turned for display would no longer fit its boxes.
"""

import io
import math
import warnings
from typing import BinaryIO

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from processing_scripts.contract import JobError

Pixels = NDArray[np.uint8]  # [height, width, 3], channels blue, green, red

# 240 MB decoded. A header of a few bytes can claim more, so it is read before any memory is asked for.
MAX_PIXELS = 80_000_000
FORMATS = ("JPEG", "PNG")
# The widest and tallest picture that libjpeg writes.
MAX_JPEG_SIDE = 65_500

_START_OF_SCAN, _END_OF_IMAGE = 0xDA, b"\xff\xd9"
_PNG_SIGNATURE, _PNG_END = b"\x89PNG\r\n\x1a\n", b"IEND\xaeB`\x82"


class ImageError(JobError):
    """A file is not a picture that can be used; `source` names it, `fault` says why."""

    def __init__(self, source: str, fault: str) -> None:
        super().__init__(f"{source}: {fault}")
        self.source, self.fault = source, fault


def read_size(file: BinaryIO, *, source: str) -> tuple[int, int]:
    """Width and height in pixels, from the header alone.

    Raises:
        ImageError: not a JPEG or PNG file, or more than MAX_PIXELS.
    """
    try:
        with warnings.catch_warnings():
            # Pillow warns from a size on that lies above ours.
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(file, formats=FORMATS) as image:
                width, height = image.size
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise ImageError(source, f"has more than {MAX_PIXELS} pixels") from None
    except (OSError, ValueError, SyntaxError):
        raise ImageError(source, "is not a readable JPEG or PNG file") from None
    if width * height > MAX_PIXELS:
        raise ImageError(source, f"has {width} x {height} pixels, more than {MAX_PIXELS}")
    return width, height


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
    return _decode(data, _size_of_whole(data, source), cv2.IMREAD_COLOR, shrink=1, source=source)


def check_image(data: bytes, *, source: str) -> tuple[int, int]:
    """Width and height of a file that `decode_image` decodes; takes about half its time for a JPEG file.

    The decoder is asked for an eighth of each side. It reads every byte all the same, and so finds what
    would stop it; what it skips is arithmetic that cannot fail.

    Raises:
        ImageError: the one that `decode_image` raises.
    """
    size = _size_of_whole(data, source)
    if data.startswith(_PNG_SIGNATURE):
        # OpenCV decodes a PNG file whole before it makes it smaller.
        _decode(data, size, cv2.IMREAD_COLOR, shrink=1, source=source)
    else:
        _decode(data, size, cv2.IMREAD_REDUCED_COLOR_8, shrink=8, source=source)
    return size


def _size_of_whole(data: bytes, source: str) -> tuple[int, int]:
    """Width and height that the header of a file says, whose end is there."""
    size = read_size(io.BytesIO(data), source=source)
    # OpenCV fills the missing part of a truncated file with grey and reports success.
    if not _has_end(data):
        raise ImageError(source, "is cut short")
    return size


def _decode(data: bytes, size: tuple[int, int], mode: int, *, shrink: int, source: str) -> Pixels:
    """The pixels of a picture of that width and height, each side divided by `shrink` and rounded up."""
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), mode | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error as error:
        raise ImageError(source, f"cannot be decoded: {error.err}") from None
    # OpenCV returns None for what it cannot read, which its type stubs leave out.
    if not isinstance(pixels, np.ndarray):
        raise ImageError(source, "cannot be decoded")
    width, height = size
    if pixels.shape != (math.ceil(height / shrink), math.ceil(width / shrink), 3):
        raise ImageError(source, f"says {width} x {height} pixels, and has more or fewer")
    return pixels.astype(np.uint8, copy=False)


def _has_end(data: bytes) -> bool:
    """Whether the end marker follows the picture data; a thumbnail in the header has one of its own."""
    if data.startswith(_PNG_SIGNATURE):
        return data.rfind(_PNG_END) != -1
    position = 2
    while position + 4 <= len(data) and data[position] == 0xFF and data[position + 1] != _START_OF_SCAN:
        # 0xFF before a marker is padding, one byte long.
        padding = data[position + 1] == 0xFF
        position += 1 if padding else 2 + int.from_bytes(data[position + 2 : position + 4], "big")
    return data.find(_END_OF_IMAGE, position) != -1


def resize_shorter_side(pixels: Pixels, side: int) -> Pixels:
    """Scale so that the shorter side has `side` pixels, as im2rec does; 0 keeps the size.

    The longer side is rounded down to whole pixels. Smaller pictures are enlarged.

    Raises:
        ValueError: the longer side would not fit into a JPEG file.
    """
    height, width = pixels.shape[:2]
    size = scaled_size(width, height, side)
    if size == (width, height):
        return pixels
    return cv2.resize(pixels, size, interpolation=cv2.INTER_LINEAR).astype(np.uint8, copy=False)


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


def mirror_image(pixels: Pixels) -> Pixels:
    """The picture mirrored left to right."""
    return cv2.flip(pixels, 1).astype(np.uint8, copy=False)


def encode_jpeg(pixels: Pixels, *, quality: int = 95) -> bytes:
    """The pixels (blue, green, red) as a JPEG file of quality 1 to 100.

    Raises:
        ValueError: OpenCV cannot encode them.
    """
    encoded, data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not encoded:
        raise ValueError(f"{pixels.shape[1]} x {pixels.shape[0]} pixels cannot be encoded as JPEG")
    return data.tobytes()
