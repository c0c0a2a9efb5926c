"""The size of an encoded picture, from its header.

Sources: ITU-T T.81 (JPEG), B.1 and B.2.2; PNG specification, 5 and 11.2.2.
"""

import struct

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8"
# Start of frame: all of these but DHT, JPG and DAC.
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
# Markers without a length behind them.
_ALONE = frozenset({0x01, *range(0xD0, 0xD9)})


def size_of(picture: bytes) -> tuple[int, int] | None:
    """Width and height in pixels; None if it is neither a JPEG nor a PNG, or is cut short."""
    try:
        if picture.startswith(_PNG):
            width, height = struct.unpack_from(">II", picture, 16)
            return int(width), int(height)
        return _jpeg_size(picture) if picture.startswith(_JPEG) else None
    except (struct.error, IndexError):
        return None


def _jpeg_size(picture: bytes) -> tuple[int, int] | None:
    position = 2
    while picture[position] == 0xFF:
        marker = picture[position + 1]
        if marker == 0xFF or marker in _ALONE:  # fill bytes
            position += 1 if marker == 0xFF else 2
            continue
        if marker in _FRAMES:
            height, width = struct.unpack_from(">HH", picture, position + 5)
            return int(width), int(height)
        position += 2 + struct.unpack_from(">H", picture, position + 2)[0]
    return None
