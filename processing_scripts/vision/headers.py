"""What the first bytes of a JPEG or PNG file say: size, channels, orientation. Nothing is decoded.

Sources: ITU-T T.81 (JPEG), B.1 and B.2.2; PNG specification, 5, 11.2.1 and 11.3.4.5 (eXIf); JEITA CP-3451
(Exif) 4.6.2 and 4.6.4 A, tag 0x0112.
"""

import struct
from dataclasses import dataclass
from enum import Enum
from typing import BinaryIO

PNG_SIGNATURE, PNG_END = b"\x89PNG\r\n\x1a\n", b"IEND\xaeB`\x82"
END_OF_IMAGE = b"\xff\xd9"

_START_OF_IMAGE = b"\xff\xd8"
_END_OF_IMAGE, _START_OF_SCAN, _APP1 = 0xD9, 0xDA, 0xE1
# Start of frame: all of these but DHT, JPG and DAC.
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
# Markers without a length behind them.
_ALONE = frozenset({0x00, 0x01, *range(0xD0, 0xD9)})
_PNG_CHANNELS = {0: 1, 2: 3, 3: 3, 4: 2, 6: 4}  # by colour type; 3 is a palette of colours

_EXIF, _ORIENTATION_TAG = b"Exif\0\0", 0x0112
_UPRIGHT = 1
# Most headers are shorter; those with a preview or a colour profile are not.
_FIRST_READ_BYTES = 4096
_MAX_HEADER_BYTES = 16 << 20


class Format(Enum):
    """Of an encoded picture."""

    JPEG = "JPEG"
    PNG = "PNG"


@dataclass(frozen=True, kw_only=True)
class Header:
    """What a picture says of itself."""

    format: Format
    width: int  # pixels, as stored
    height: int
    channels: int  # JPEG: 1 grey, 3 colour, 4 CMYK; PNG: 1, 3, with transparency 2 or 4
    bits: int  # of a channel
    orientation: int  # of Exif, 1 (upright) to 8
    end: int  # offset behind the header, in bytes; the picture's data follow

    @property
    def upright_size(self) -> tuple[int, int]:
        """Width and height in pixels once the orientation is applied."""
        is_lying = self.orientation >= 5
        return (self.height, self.width) if is_lying else (self.width, self.height)


class _CutShortError(Exception):
    """More bytes are needed."""


def parse_header(data: bytes) -> Header | None:
    """The header of a whole file; None if it is neither JPEG nor PNG, or is damaged or cut short."""
    try:
        return _parse(data)
    except _CutShortError:
        return None


def read_header(file: BinaryIO) -> Header | None:
    """The header of a file at its beginning, reading as few bytes as it takes; None as `parse_header`."""
    data = b""
    wanted = _FIRST_READ_BYTES
    while len(data) < _MAX_HEADER_BYTES:
        more = file.read(wanted - len(data))
        data += more
        try:
            return _parse(data)
        except _CutShortError:
            if not more:
                return None
        wanted *= 4
    return None


def _parse(data: bytes) -> Header | None:
    try:
        if data.startswith(_START_OF_IMAGE):
            return _jpeg(data)
        if data.startswith(PNG_SIGNATURE):
            return _png(data)
    except (struct.error, IndexError):
        raise _CutShortError from None
    if len(data) < len(PNG_SIGNATURE):
        raise _CutShortError
    return None


def _jpeg(data: bytes) -> Header | None:
    position, orientation = 2, _UPRIGHT
    frame: tuple[int, int, int, int] | None = None
    while True:
        # Decoders skip to the next marker, and so does this.
        position = data.find(b"\xff", position)
        if position == -1:
            raise _CutShortError
        marker = data[position + 1]
        if marker == 0xFF or marker in _ALONE:  # fill bytes
            position += 1 if marker == 0xFF else 2
            continue
        if marker == _END_OF_IMAGE:
            return None
        (length,) = struct.unpack_from(">H", data, position + 2)
        if marker in _FRAMES:
            frame = struct.unpack_from(">BHHB", data, position + 4)
        elif marker == _APP1 and orientation == _UPRIGHT:
            orientation = _exif_orientation(data[position + 4 : position + 2 + length])
        if position + 2 + length > len(data):
            raise _CutShortError
        position += 2 + length
        if marker == _START_OF_SCAN:
            break
    if frame is None or not all(frame):
        return None
    bits, height, width, channels = frame
    return Header(
        format=Format.JPEG,
        width=width,
        height=height,
        channels=channels,
        bits=bits,
        orientation=orientation,
        end=position,
    )


def _png(data: bytes) -> Header | None:
    length, kind, width, height, bits, colour = struct.unpack_from(">I4sIIBB", data, 8)
    if kind != b"IHDR" or length != 13 or not (width and height) or colour not in _PNG_CHANNELS:
        return None
    orientation, position = _UPRIGHT, 33
    while True:
        length, kind = struct.unpack_from(">I4s", data, position)
        if kind in (b"IDAT", b"IEND"):
            break
        if kind == b"eXIf":
            orientation = _orientation(data[position + 8 : position + 8 + length])
        position += 12 + length
    return Header(
        format=Format.PNG,
        width=width,
        height=height,
        channels=_PNG_CHANNELS[colour],
        bits=bits,
        orientation=orientation,
        end=position,
    )


def _exif_orientation(segment: bytes) -> int:
    return _orientation(segment[len(_EXIF) :]) if segment.startswith(_EXIF) else _UPRIGHT


def _orientation(exif: bytes) -> int:
    """The tag in the first directory; upright if there is none, or it makes no sense."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(exif[:4])
    if order is None:
        return _UPRIGHT
    try:
        (start,) = struct.unpack_from(f"{order}I", exif, 4)
        (count,) = struct.unpack_from(f"{order}H", exif, start)
        for entry in range(count):
            tag, _, _, value = struct.unpack_from(f"{order}HHIH", exif, start + 2 + 12 * entry)
            if tag == _ORIENTATION_TAG:
                return value if 1 <= value <= 8 else _UPRIGHT
    except struct.error:
        pass  # a directory that is cut short
    return _UPRIGHT
