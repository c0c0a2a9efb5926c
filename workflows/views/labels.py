"""What a classifier found, beside the photographs."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from workflows.views.canvas import GRID_BACKGROUND, class_colour, fitted, grid_of, open_picture, save_picture
from workflows.views.errors import ViewError

_CELL_PX = 420
_PICTURE_PX = 300
_TEXT_COLOUR = (33, 37, 41)
_BAR_BACKGROUND = (206, 212, 218)


@dataclass(frozen=True, kw_only=True)
class Label:
    """One class and its probability."""

    class_id: int
    name: str
    probability: float


@dataclass(frozen=True, kw_only=True)
class Classified:
    """A photograph with the probability of every class."""

    image: Path
    probabilities: Sequence[float]


def top_labels(classified: Classified, *, class_names: Sequence[str], count: int) -> list[Label]:
    """The most probable classes, the first one first; of equals the lower class first.

    Raises:
        ViewError: a probability is not a number, or there are more than class names.
    """
    values = classified.probabilities
    if len(values) > len(class_names):
        raise ViewError(f"{classified.image}: {len(values)} probabilities for {len(class_names)} class names")
    if not all(math.isfinite(value) for value in values):
        raise ViewError(f"{classified.image}: holds a probability that is not a number")
    order = sorted(range(len(values)), key=lambda class_id: -values[class_id])
    return [
        Label(class_id=class_id, name=class_names[class_id], probability=values[class_id])
        for class_id in order[:count]
    ]


def draw_label_grid(
    classified: Sequence[Classified],
    *,
    class_names: Sequence[str],
    output: Path,
    count: int = 5,
    columns: int = 3,
) -> list[list[Label]]:
    """Draw each photograph with bars for its most probable classes below it.

    Args:
        classified: the photographs with their probabilities.
        class_names: name of class 0, 1, ...
        output: PNG or JPEG file to write.
        count: classes shown for each.
        columns: photographs in a row.

    Returns:
        For each photograph what was drawn.

    Raises:
        ViewError: a picture or an answer cannot be used, or the file cannot be written.
    """
    labels = [top_labels(entry, class_names=class_names, count=count) for entry in classified]
    cells = [_cell(entry.image, found) for entry, found in zip(classified, labels, strict=True)]
    save_picture(grid_of(cells, columns=columns, cell_px=_CELL_PX), output)
    return labels


def _cell(image: Path, labels: Sequence[Label]) -> Image.Image:
    picture = fitted(open_picture(image), _PICTURE_PX)
    cell = Image.new("RGB", (_CELL_PX, _CELL_PX), GRID_BACKGROUND)
    cell.paste(picture, ((_CELL_PX - picture.width) // 2, (_PICTURE_PX - picture.height) // 2))
    draw = ImageDraw.Draw(cell)
    font = ImageFont.load_default(14)
    height = (_CELL_PX - _PICTURE_PX) // max(1, len(labels))
    for number, label in enumerate(labels):
        top = _PICTURE_PX + number * height
        draw.text((_CELL_PX // 2 - 8, top + 4), label.name, fill=_TEXT_COLOUR, font=font, anchor="rt")
        bar = (_CELL_PX // 2, top + 4, _CELL_PX - 56, top + height - 4)
        draw.rectangle(bar, fill=_BAR_BACKGROUND)
        right = bar[0] + (bar[2] - bar[0]) * min(max(label.probability, 0.0), 1.0)
        draw.rectangle((bar[0], bar[1], right, bar[3]), fill=class_colour(label.class_id))
        draw.text(
            (_CELL_PX - 50, top + 4), f"{label.probability:.3f}", fill=_TEXT_COLOUR, font=font, anchor="lt"
        )
    return cell
