"""Line charts for people, drawn with Pillow alone."""

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw

from processing_scripts.vision.boxes import Floats
from processing_scripts.vision.drawing import BACKGROUND, FAINT_TEXT, TEXT, class_colour, font

SIZE_PX = (840, 460)
PLOT = (60, 24, 500, 404)  # left, top, right, bottom in pixels
GRID_LINE = (226, 230, 234)
# Drawn larger and scaled down, because Pillow's lines are not antialiased.
OVERSAMPLING = 3


@dataclass(frozen=True, kw_only=True)
class Curve:
    """One line of a chart whose axes both go from 0 to 1."""

    name: str
    x: Floats  # [K]
    y: Floats  # [K]


def draw_unit_chart(curves: Sequence[Curve], *, x_label: str, y_label: str) -> Image.Image:
    """Draw the curves with a legend at the right."""
    large = Image.new("RGB", (SIZE_PX[0] * OVERSAMPLING, SIZE_PX[1] * OVERSAMPLING), BACKGROUND)
    lines = ImageDraw.Draw(large)
    for tenth in range(0, 11, 2):
        lines.line([*_point(0, tenth / 10), *_point(1, tenth / 10)], fill=GRID_LINE, width=OVERSAMPLING)
        lines.line([*_point(tenth / 10, 0), *_point(tenth / 10, 1)], fill=GRID_LINE, width=OVERSAMPLING)
    for number, curve in enumerate(curves):
        points = [_point(x, y) for x, y in zip(curve.x.tolist(), curve.y.tolist(), strict=True)]
        if len(points) > 1:
            lines.line(points, fill=class_colour(number), width=2 * OVERSAMPLING, joint="curve")
    chart = large.resize(SIZE_PX, Image.Resampling.LANCZOS)
    _write_axes(chart, x_label, y_label)
    _write_legend(chart, curves)
    return chart


def _point(x: float, y: float) -> tuple[float, float]:
    """Chart coordinates to pixels of the enlarged canvas."""
    left, top, right, bottom = PLOT
    return (left + x * (right - left)) * OVERSAMPLING, (bottom - y * (bottom - top)) * OVERSAMPLING


def _write_axes(chart: Image.Image, x_label: str, y_label: str) -> None:
    draw = ImageDraw.Draw(chart)
    left, top, right, bottom = PLOT
    for tenth in range(0, 11, 2):
        x, y = left + tenth / 10 * (right - left), bottom - tenth / 10 * (bottom - top)
        draw.text((x, bottom + 8), f"{tenth / 10:.1f}", fill=FAINT_TEXT, font=font(13), anchor="mt")
        draw.text((left - 8, y), f"{tenth / 10:.1f}", fill=FAINT_TEXT, font=font(13), anchor="rm")
    draw.text(((left + right) / 2, bottom + 30), x_label, fill=TEXT, font=font(14), anchor="mt")
    draw.text((8, 4), y_label, fill=TEXT, font=font(14), anchor="lt")


def _write_legend(chart: Image.Image, curves: Sequence[Curve]) -> None:
    draw = ImageDraw.Draw(chart)
    left = PLOT[2] + 20
    for number, curve in enumerate(curves):
        y = PLOT[1] + 12 + 24 * number
        draw.rectangle((left, y - 2, left + 18, y + 2), fill=class_colour(number))
        draw.text((left + 26, y), curve.name, fill=TEXT, font=font(14), anchor="lm")
