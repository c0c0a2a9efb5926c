"""The confusion matrix as a picture: named rows and columns for few classes, a heat map for many."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from processing_scripts.vision.classification import Counts
from processing_scripts.vision.drawing import BACKGROUND, CELL_BACKGROUND, FAINT_TEXT, TEXT, font, shorten

# Beyond that names and counts would be too small to read.
MAX_NAMED = 30
MATRIX_PX = 780
MAX_CELL_PX = 72
NAMES_PX, TITLE_PX, EDGE_PX = 150, 26, 16
# The share of a row's pictures, from none to all of them.
NONE, ALL = np.array((255, 255, 255)), np.array((0, 84, 150))


def draw_confusion(counts: Counts, names: Sequence[str]) -> Image.Image:
    """Draw the matrix; a cell's colour is its share of the row.

    Args:
        counts: [C, C], pictures; rows are the true classes, columns the predicted ones.
        names: the C classes.
    """
    classes = len(names)
    named = classes <= MAX_NAMED
    cell = max(1, min(MAX_CELL_PX, MATRIX_PX // classes))
    left = top = TITLE_PX + (NAMES_PX if named else EDGE_PX)
    side = cell * classes
    # As wide as its titles at least.
    chart = Image.new("RGB", (left + max(side, 2 * NAMES_PX) + EDGE_PX, top + side + EDGE_PX), BACKGROUND)
    matrix = Image.fromarray(_colours(counts)).resize((side, side), Image.Resampling.NEAREST)
    chart.paste(matrix, (left, top))
    draw = ImageDraw.Draw(chart)
    draw.rectangle((left - 1, top - 1, left + side, top + side), outline=FAINT_TEXT)
    draw.text((left, 6), "Predicted class", fill=FAINT_TEXT, font=font(14))
    _write_upwards(chart, "True class", (4, top), side, 14, FAINT_TEXT)
    if named:
        _write_names(chart, names, cell, left, top)
        _write_counts(draw, counts, cell, left, top)
    return chart


def _colours(counts: Counts) -> NDArray[np.uint8]:
    """[C, C, 3], red, green, blue."""
    totals = counts.sum(axis=1, keepdims=True)
    share = counts / np.maximum(totals, 1)
    # The square root lets a few mistakes among many pictures be seen.
    strength = np.sqrt(share)[..., None]
    colours: NDArray[np.float64] = NONE + (ALL - NONE) * strength
    colours[np.broadcast_to(totals == 0, counts.shape)] = CELL_BACKGROUND
    return colours.round().astype(np.uint8)


def _write_names(chart: Image.Image, names: Sequence[str], cell: int, left: int, top: int) -> None:
    draw = ImageDraw.Draw(chart)
    size = 15 if cell >= 20 else 12
    for number, name in enumerate(names):
        middle = (number + 0.5) * cell
        text = shorten(draw, name, NAMES_PX - 12, font(size))
        draw.text((left - 8, top + middle), text, fill=TEXT, font=font(size), anchor="rm")
        corner = (round(left + middle - size * 0.7), TITLE_PX)
        _write_upwards(chart, text, corner, NAMES_PX - 8, size, TEXT)


def _write_upwards(
    chart: Image.Image,
    text: str,
    corner: tuple[int, int],
    length: int,
    size: int,
    colour: tuple[int, int, int],
) -> None:
    """Write from the bottom to the top of a strip whose upper left corner is given."""
    strip = Image.new("RGB", (max(length, 1), round(size * 1.4)), BACKGROUND)
    ImageDraw.Draw(strip).text((0, strip.height / 2), text, fill=colour, font=font(size), anchor="lm")
    chart.paste(strip.transpose(Image.Transpose.ROTATE_90), corner)


def _write_counts(draw: ImageDraw.ImageDraw, counts: Counts, cell: int, left: int, top: int) -> None:
    totals = np.maximum(counts.sum(axis=1), 1)
    size = 15 if cell >= 34 else 11
    for row, column in np.argwhere(counts > 0).tolist():
        dark = np.sqrt(counts[row, column] / totals[row]) > 0.6
        centre = (left + (column + 0.5) * cell, top + (row + 0.5) * cell)
        text = str(counts[row, column])
        if draw.textlength(text, font=font(size)) < cell:
            draw.text(centre, text, fill=BACKGROUND if dark else TEXT, font=font(size), anchor="mm")
