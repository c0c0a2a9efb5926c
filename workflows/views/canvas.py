"""Opening, arranging and saving pictures."""

import colorsys
import math
import struct
import warnings
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from workflows.views.errors import ViewError
from workflows.views.files import written_whole

# 240 MB decoded. A file of a few bytes can claim more, so its header is read before any memory is asked for.
MAX_PIXELS = 80_000_000
_FORMATS = ("JPEG", "PNG")
_GAP_PX = 8
# Distinct for the colour-blind too (Okabe and Ito, 2008).
_PALETTE = (
    (213, 94, 0),
    (0, 114, 178),
    (0, 158, 115),
    (204, 121, 167),
    (230, 159, 0),
    (86, 180, 233),
    (240, 228, 66),
)
BLACK, WHITE = (0, 0, 0), (255, 255, 255)
GRID_BACKGROUND = (233, 236, 239)

Colour = tuple[int, int, int]


def grid_of(pictures: Sequence[Image.Image], *, columns: int, cell_px: int) -> Image.Image:
    """Pictures row by row, each in the middle of a square that it fits into.

    Raises:
        ViewError: there is no picture, or the grid would have more than MAX_PIXELS.
    """
    if not pictures:
        raise ViewError("grid: there is no picture to draw")
    if columns < 1 or cell_px < 1:
        raise ViewError(f"grid: {columns} columns of {cell_px} pixels leave nothing to see")
    columns = min(columns, len(pictures))
    rows = math.ceil(len(pictures) / columns)
    step = cell_px + _GAP_PX
    size = (columns * step + _GAP_PX, rows * step + _GAP_PX)
    if size[0] * size[1] > MAX_PIXELS:
        raise ViewError(f"grid: {len(pictures)} pictures of {cell_px} pixels make it too large; draw fewer")
    grid = Image.new("RGB", size, GRID_BACKGROUND)
    for number, picture in enumerate(pictures):
        corner = (_GAP_PX + number % columns * step, _GAP_PX + number // columns * step)
        grid.paste(picture, _centred(picture, corner, cell_px))
    return grid


def class_colour(class_id: int) -> Colour:
    """Red, green, blue of a class: always the same, and unlike those of the classes near it."""
    if class_id < len(_PALETTE):
        return _PALETTE[class_id]
    # Steps of the golden ratio around the colour circle never come close to one taken lately.
    hue = class_id * 0.618034 % 1
    red, green, blue = colorsys.hsv_to_rgb(hue, 0.9 if class_id % 2 else 0.55, 0.85)
    return round(red * 255), round(green * 255), round(blue * 255)


def open_picture(path: Path) -> Image.Image:
    """A photograph as RGB, its orientation tag ignored.

    Raises:
        ViewError: it is missing, unreadable, or has more than MAX_PIXELS.
    """
    try:
        with warnings.catch_warnings():
            # Pillow warns from a size on that lies above ours.
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=_FORMATS) as image:
                if image.width * image.height > MAX_PIXELS:
                    raise ViewError(
                        f"{path}: has {image.width} x {image.height} pixels, more than {MAX_PIXELS}"
                    )
                return image.convert("RGB")
    except FileNotFoundError:
        raise ViewError(f"{path}: there is no such picture") from None
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise ViewError(f"{path}: has more than {MAX_PIXELS} pixels") from None
    # What Pillow raises for broken files, depending on where they are broken.
    except (OSError, SyntaxError, ValueError, struct.error) as fault:
        raise ViewError(f"{path}: is not a readable JPEG or PNG file ({fault})") from fault


def text_colour(background: Colour) -> Colour:
    """Black or white, whichever is read better on a colour."""
    # Weights of ITU-R BT.601: how bright each primary looks.
    brightness = 0.299 * background[0] + 0.587 * background[1] + 0.114 * background[2]
    return BLACK if brightness > 128 else WHITE


def fitted(picture: Image.Image, side_px: int) -> Image.Image:
    """The picture, scaled so that its longer side is `side_px`."""
    scale = side_px / max(picture.size)
    size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
    return picture.resize(size, Image.Resampling.LANCZOS)


def _centred(picture: Image.Image, corner: tuple[int, int], cell_px: int) -> tuple[int, int]:
    return corner[0] + (cell_px - picture.width) // 2, corner[1] + (cell_px - picture.height) // 2


def save_picture(picture: Image.Image, output: Path) -> None:
    """Write a picture whole or not at all."""
    with written_whole(output, suffixes=[".png", ".jpg", ".jpeg"]) as partial:
        picture.save(partial)
