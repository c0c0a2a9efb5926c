"""Pictures for people: grids of thumbnails with boxes, names and scores."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from processing_scripts.contract import published
from processing_scripts.vision.images import Pixels

BACKGROUND, TEXT, FAINT_TEXT = (255, 255, 255), (33, 37, 41), (110, 118, 126)
CELL_BACKGROUND = (241, 243, 245)
TRUTH = (255, 255, 255)
# Red, green and blue, distinct for the colour-blind too (Okabe and Ito, 2008).
PALETTE = ((213, 94, 0), (0, 114, 178), (0, 158, 115), (204, 121, 167), (230, 159, 0), (86, 180, 233))
GAP_PX = 8
NAME_WIDTH_PX = 210
LINE_HEIGHT_PX = 18

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


@dataclass(frozen=True, kw_only=True)
class Mark:
    """A box to draw on a thumbnail."""

    corners: Sequence[float]  # xmin, ymin, xmax, ymax as fractions of the picture
    colour: tuple[int, int, int]  # red, green, blue
    caption: str = ""
    width_px: int = 3


@dataclass(frozen=True, kw_only=True)
class Line:
    """A line of text below a picture."""

    text: str
    colour: tuple[int, int, int]  # red, green, blue


@dataclass(frozen=True, kw_only=True)
class Thumbnail:
    """A picture with its boxes, and lines of text below it."""

    pixels: Pixels
    marks: Sequence[Mark] = ()
    lines: Sequence[Line] = ()


@dataclass(frozen=True, kw_only=True)
class GridRow:
    """Thumbnails side by side, with a name and a smaller note at their left."""

    name: str
    note: str
    thumbnails: Sequence[Thumbnail]


def class_colour(number: int) -> tuple[int, int, int]:
    """The colour of a class, red, green, blue."""
    return PALETTE[number % len(PALETTE)]


def readable_name(class_name: str) -> str:
    """017.Cardinal becomes Cardinal, 073.Blue_Jay becomes Blue Jay."""
    number, dot, name = class_name.partition(".")
    return (name if dot and number.isdecimal() else class_name).replace("_", " ")


def draw_grid(rows: Sequence[GridRow], *, cell: tuple[int, int]) -> Image.Image:
    """Draw the rows below one another; every thumbnail is fitted into a cell of this width and height."""
    width, height = cell
    columns = max((len(row.thumbnails) for row in rows), default=0)
    named = NAME_WIDTH_PX if any(row.name for row in rows) else 0
    size = (named + GAP_PX + columns * (width + GAP_PX), GAP_PX + len(rows) * (height + GAP_PX))
    canvas = Image.new("RGB", size, BACKGROUND)
    for number, row in enumerate(rows):
        top = GAP_PX + number * (height + GAP_PX)
        _write_name(canvas, row, top + height // 2)
        for column, thumbnail in enumerate(row.thumbnails):
            picture = _fit(thumbnail, width, height)
            canvas.paste(picture, (named + GAP_PX + column * (width + GAP_PX), top))
    return canvas


@functools.cache
def font(size: int) -> Font:
    """The font of all texts; Pillow carries it with it, so pictures look the same everywhere."""
    return ImageFont.load_default(size)


def _write_name(canvas: Image.Image, row: GridRow, middle: int) -> None:
    draw = ImageDraw.Draw(canvas)
    lines = _wrap(draw, row.name, NAME_WIDTH_PX - 2 * GAP_PX)
    top = middle - (24 * len(lines) + 20) // 2
    for number, line in enumerate(lines):
        draw.text((2 * GAP_PX, top + 24 * number), line, fill=TEXT, font=font(19))
    draw.text((2 * GAP_PX, top + 24 * len(lines) + 4), row.note, fill=FAINT_TEXT, font=font(13))


def _wrap(draw: ImageDraw.ImageDraw, text: str, width: int) -> list[str]:
    lines: list[str] = []
    for word in text.split():
        joined = f"{lines[-1]} {word}" if lines else word
        if lines and draw.textlength(joined, font=font(19)) <= width:
            lines[-1] = joined
        else:
            lines.append(word)
    return lines


def _fit(thumbnail: Thumbnail, width: int, height: int) -> Image.Image:
    """The picture scaled into a cell, with its boxes drawn at the cell's resolution."""
    rgb: NDArray[np.uint8] = np.ascontiguousarray(thumbnail.pixels[..., ::-1])
    picture = Image.fromarray(rgb)
    text_top = height - LINE_HEIGHT_PX * len(thumbnail.lines)
    scale = min(width / picture.width, text_top / picture.height)
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    picture = picture.resize(size, Image.Resampling.LANCZOS)
    for mark in thumbnail.marks:
        _draw_mark(picture, mark)
    cell = Image.new("RGB", (width, height), CELL_BACKGROUND)
    cell.paste(picture, ((width - size[0]) // 2, (text_top - size[1]) // 2))
    for number, line in enumerate(thumbnail.lines):
        _write_line(cell, line, text_top + number * LINE_HEIGHT_PX)
    return cell


def _write_line(cell: Image.Image, line: Line, top: int) -> None:
    draw = ImageDraw.Draw(cell)
    text = shorten(draw, line.text, cell.width - 8, font(13))
    draw.text((4, top + LINE_HEIGHT_PX // 2), text, fill=line.colour, font=font(13), anchor="lm")


def shorten(draw: ImageDraw.ImageDraw, text: str, width: float, face: Font) -> str:
    """The text, cut so that it is at most this wide; three dots say that something is missing."""
    if draw.textlength(text, font=face) <= width:
        return text
    while text and draw.textlength(f"{text}...", font=face) > width:
        text = text[:-1]
    return f"{text}..."


def _draw_mark(picture: Image.Image, mark: Mark) -> None:
    draw = ImageDraw.Draw(picture)
    # Boxes of a detector may reach over the border or be turned inside out by a bad model.
    x = np.clip(sorted(mark.corners[0::2]), 0, 1) * (picture.width - 1)
    y = np.clip(sorted(mark.corners[1::2]), 0, 1) * (picture.height - 1)
    draw.rectangle((x[0], y[0], x[1], y[1]), outline=mark.colour, width=mark.width_px)
    if mark.caption:
        small = font(13)
        text_width = draw.textlength(mark.caption, font=small)
        left = min(max(0.0, x[0]), max(0.0, picture.width - text_width - 6))
        top = y[0] - 18 if y[0] >= 18 else y[0]
        draw.rectangle((left, top, left + text_width + 6, top + 18), fill=mark.colour)
        draw.text((left + 3, top + 1), mark.caption, fill=(255, 255, 255), font=small)


def save_png(picture: Image.Image, path: Path) -> None:
    """Write a picture; the file appears whole or not at all."""
    with published(path) as file:
        # A higher level saves an eighth of a photograph's bytes, and takes three times as long.
        picture.save(file, format="PNG", compress_level=1)
