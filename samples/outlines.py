"""Coloured outlines, of which the drawn pictures are made.

Outlines have x to the right and y downwards; colours are blue, green, red, as OpenCV wants them.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Colour = tuple[int, int, int]
Points = NDArray[np.float64]  # [N, 2], x and y

BLACK: Colour = (28, 24, 26)
WHITE: Colour = (238, 242, 244)


@dataclass(frozen=True)
class Shape:
    """A filled outline."""

    outline: Points
    colour: Colour


def smooth(*points: tuple[float, float]) -> Points:
    """A closed Catmull-Rom curve through the points, eight steps between neighbours."""
    knots = np.array(points)
    before, after = np.roll(knots, 1, axis=0), np.roll(knots, -1, axis=0)
    after_next = np.roll(knots, -2, axis=0)
    steps = np.linspace(0, 1, 8, endpoint=False)[:, None, None]
    curve = 0.5 * (
        2 * knots
        + (after - before) * steps
        + (2 * before - 5 * knots + 4 * after - after_next) * steps**2
        + (3 * knots - before - 3 * after + after_next) * steps**3
    )  # [8, K, 2]
    flat: Points = curve.transpose(1, 0, 2).reshape(-1, 2)
    return flat


def angular(*points: tuple[float, float]) -> Points:
    """A polygon with sharp corners."""
    return np.array(points, dtype=np.float64)


def oval(x: float, y: float, width: float, height: float, degrees: float = 0) -> Points:
    """An ellipse around (x, y) with these half axes."""
    around = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    turn = np.deg2rad(degrees)
    along, across = width * np.cos(around), height * np.sin(around)
    return np.stack(
        [
            x + along * np.cos(turn) - across * np.sin(turn),
            y + along * np.sin(turn) + across * np.cos(turn),
        ],
        axis=1,
    )


def shade(colour: Colour, factor: float) -> Colour:
    """The colour made lighter (above 1) or darker (below 1)."""
    blue, green, red = (min(255, max(0, round(part * factor))) for part in colour)
    return blue, green, red


def vary(rng: np.random.Generator, colour: Colour) -> Colour:
    """Individuals differ a little."""
    offset = rng.normal(0, 7, 3)
    blue, green, red = (
        int(np.clip(part + change, 0, 255)) for part, change in zip(colour, offset, strict=True)
    )
    return blue, green, red
