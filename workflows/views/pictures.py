"""What a detector found, drawn onto the photographs."""

import colorsys
import math
import struct
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

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
_BLACK, _WHITE = (0, 0, 0), (255, 255, 255)
_GRID_BACKGROUND = (233, 236, 239)

Colour = tuple[int, int, int]


@dataclass(frozen=True, kw_only=True)
class Detection:
    """One object that was drawn."""

    class_id: int
    name: str
    score: float
    box: tuple[int, int, int, int]  # left, top, right, bottom in pixels; right and bottom lie outside


@dataclass(frozen=True, kw_only=True)
class Scored:
    """A photograph with the rows that the detector answered for it."""

    image: Path
    detections: Sequence[Sequence[float]]  # rows of class, score, xmin, ymin, xmax, ymax


def draw_detections(
    image: Path,
    detections: Sequence[Sequence[float]],
    *,
    class_names: Sequence[str],
    threshold: float,
    output: Path,
) -> list[Detection]:
    """Draw the sure detections with name and score onto a photograph.

    An orientation tag in the file is ignored, as the detector ignores it: its boxes refer to stored pixels.

    Args:
        image: a JPEG or PNG file.
        detections: rows of class, score, xmin, ymin, xmax, ymax; corners as fractions of the image. Rows of
            a negative class are the detector's padding. Boxes are clipped to the image.
        class_names: name of class 0, 1, ...
        threshold: the lowest score that is drawn.
        output: PNG or JPEG file to write.

    Returns:
        What was drawn, the highest score first; a box without area is not.

    Raises:
        ViewError: the image cannot be read or is too large, a row is malformed, or the file cannot be
            written.
    """
    picture, found = _drawn(Scored(image=image, detections=detections), class_names, threshold)
    _save(picture, output)
    return found


def draw_detection_grid(
    scored: Sequence[Scored],
    *,
    class_names: Sequence[str],
    threshold: float,
    output: Path,
    columns: int = 4,
    cell_px: int = 400,
) -> list[list[Detection]]:
    """Draw several photographs as one picture, row by row, each fitted into a square.

    Args:
        scored: the photographs with their detections.
        class_names: name of class 0, 1, ...
        threshold: the lowest score that is drawn.
        output: PNG or JPEG file to write.
        columns: photographs in a row.
        cell_px: side of the square.

    Returns:
        For each photograph what was drawn, as :func:`draw_detections` returns it; boxes refer to the
        photograph, not to the grid.

    Raises:
        ViewError: there is no photograph, the grid would have more than MAX_PIXELS, or any reason of
            :func:`draw_detections`.
    """
    if not scored:
        raise ViewError("grid: there is no picture to draw")
    if columns < 1 or cell_px < 1:
        raise ViewError(f"grid: {columns} columns of {cell_px} pixels leave nothing to see")
    columns = min(columns, len(scored))
    rows = math.ceil(len(scored) / columns)
    step = cell_px + _GAP_PX
    size = (columns * step + _GAP_PX, rows * step + _GAP_PX)
    if size[0] * size[1] > MAX_PIXELS:
        raise ViewError(f"grid: {len(scored)} pictures of {cell_px} pixels make it too large; draw fewer")
    grid = Image.new("RGB", size, _GRID_BACKGROUND)
    drawn = []
    for number, entry in enumerate(scored):
        picture, found = _drawn(entry, class_names, threshold, fit_px=cell_px)
        corner = (_GAP_PX + number % columns * step, _GAP_PX + number // columns * step)
        grid.paste(picture, _centred(picture, corner, cell_px))
        drawn.append(found)
    _save(grid, output)
    return drawn


def class_colour(class_id: int) -> Colour:
    """Red, green, blue of a class: always the same, and unlike those of the classes near it."""
    if class_id < len(_PALETTE):
        return _PALETTE[class_id]
    # Steps of the golden ratio around the colour circle never come close to one taken lately.
    hue = class_id * 0.618034 % 1
    red, green, blue = colorsys.hsv_to_rgb(hue, 0.9 if class_id % 2 else 0.55, 0.85)
    return round(red * 255), round(green * 255), round(blue * 255)


def _drawn(
    scored: Scored, class_names: Sequence[str], threshold: float, fit_px: int | None = None
) -> tuple[Image.Image, list[Detection]]:
    photograph = _open(scored.image)
    found = _select(scored, class_names, threshold, photograph.size)
    # Scaled before anything is drawn: lines and letters keep their size.
    picture = photograph if fit_px is None else _fitted(photograph, fit_px)
    factors = picture.width / photograph.width, picture.height / photograph.height
    draw = ImageDraw.Draw(picture)
    # The surest last, so that they lie on top, and no line through any label.
    for detection in reversed(found):
        _draw_box(draw, detection, factors, picture.size)
    for detection in reversed(found):
        corner = detection.box[0] * factors[0], detection.box[1] * factors[1]
        text = f"{detection.name} {detection.score:.2f}"
        _draw_label(draw, text, class_colour(detection.class_id), corner, picture.size)
    return picture, found


def _open(path: Path) -> Image.Image:
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


def _select(
    scored: Scored, class_names: Sequence[str], threshold: float, size: tuple[int, int]
) -> list[Detection]:
    found = []
    for number, row in enumerate(scored.detections):
        where = f"{scored.image}: detection {number}"
        if len(row) != 6:
            raise ViewError(f"{where}: has {len(row)} numbers, not class, score, xmin, ymin, xmax, ymax")
        if row[0] >= 0 and row[1] >= threshold:
            found.append(_detection(row, class_names, size, where))
    shown = [one for one in found if one.box[0] < one.box[2] and one.box[1] < one.box[3]]
    return sorted(shown, key=lambda one: -one.score)


def _detection(
    row: Sequence[float], class_names: Sequence[str], size: tuple[int, int], where: str
) -> Detection:
    if not all(math.isfinite(value) for value in row):
        raise ViewError(f"{where}: holds a value that is not a number")
    class_id = int(row[0])
    if class_id >= len(class_names):
        raise ViewError(f"{where}: is of class {class_id}, but there are {len(class_names)} class names")
    left, top, right, bottom = (
        round(min(max(fraction, 0.0), 1.0) * side)
        for fraction, side in zip(row[2:], (*size, *size), strict=True)
    )
    return Detection(
        class_id=class_id, name=class_names[class_id], score=row[1], box=(left, top, right, bottom)
    )


def _draw_box(
    draw: ImageDraw.ImageDraw,
    detection: Detection,
    factors: tuple[float, float],
    size: tuple[int, int],
) -> None:
    colour = class_colour(detection.class_id)
    line_px = max(2, min(size) // 200)
    left, top, right, bottom = (
        side * factor for side, factor in zip(detection.box, (*factors, *factors), strict=True)
    )
    # At least one pixel wide, for boxes that shrink to nothing in a grid.
    corners = (left, top, max(left, right - 1), max(top, bottom - 1))
    # Light and dark around each other show on any background.
    draw.rectangle(corners, outline=_text_colour(colour), width=line_px + 2)
    draw.rectangle(corners, outline=colour, width=line_px)


def _draw_label(
    draw: ImageDraw.ImageDraw, text: str, colour: Colour, corner: tuple[float, float], size: tuple[int, int]
) -> None:
    font = ImageFont.load_default(max(12, min(size) // 30))
    width, height = draw.textbbox((0, 0), text, font=font, anchor="lt")[2:]
    pad = max(2, height // 4)
    # Above the box where there is room, else inside; never beyond the picture's edge.
    left = max(0, min(corner[0], size[0] - width - 2 * pad))
    above = corner[1] - height - 2 * pad
    top = above if above >= 0 else min(corner[1], size[1] - height - 2 * pad)
    draw.rectangle((left, top, left + width + 2 * pad, top + height + 2 * pad), fill=colour)
    draw.text((left + pad, top + pad), text, fill=_text_colour(colour), font=font, anchor="lt")


def _text_colour(background: Colour) -> Colour:
    # Weights of ITU-R BT.601: how bright each primary looks.
    brightness = 0.299 * background[0] + 0.587 * background[1] + 0.114 * background[2]
    return _BLACK if brightness > 128 else _WHITE


def _fitted(picture: Image.Image, side_px: int) -> Image.Image:
    scale = side_px / max(picture.size)
    size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
    return picture.resize(size, Image.Resampling.LANCZOS)


def _centred(picture: Image.Image, corner: tuple[int, int], cell_px: int) -> tuple[int, int]:
    return corner[0] + (cell_px - picture.width) // 2, corner[1] + (cell_px - picture.height) // 2


def _save(picture: Image.Image, output: Path) -> None:
    with written_whole(output, suffixes=[".png", ".jpg", ".jpeg"]) as partial:
        picture.save(partial)
