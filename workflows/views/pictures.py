"""What a detector found, drawn onto the photographs."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from workflows.views.canvas import (
    Colour,
    class_colour,
    fitted,
    grid_of,
    open_picture,
    save_picture,
    text_colour,
)
from workflows.views.errors import ViewError


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
    save_picture(picture, output)
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
    drawn = [_drawn(entry, class_names, threshold, fit_px=cell_px) for entry in scored]
    save_picture(grid_of([picture for picture, _ in drawn], columns=columns, cell_px=cell_px), output)
    return [found for _, found in drawn]


def _drawn(
    scored: Scored, class_names: Sequence[str], threshold: float, fit_px: int | None = None
) -> tuple[Image.Image, list[Detection]]:
    photograph = open_picture(scored.image)
    found = _select(scored, class_names, threshold, photograph.size)
    # Scaled before anything is drawn: lines and letters keep their size.
    picture = photograph if fit_px is None else fitted(photograph, fit_px)
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
    draw.rectangle(corners, outline=text_colour(colour), width=line_px + 2)
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
    draw.text((left + pad, top + pad), text, fill=text_colour(colour), font=font, anchor="lt")
