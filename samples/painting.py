"""How outlines become a picture: blurred backgrounds, light and texture on things, a sensor's noise."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from samples.outlines import BLACK, Colour, Points, Shape, shade

Pixels = NDArray[np.uint8]  # [height, width, 3], blue green red
Mask = NDArray[np.uint8]  # [height, width], 0 or 255

SUBPIXEL_BITS = 4


@dataclass(frozen=True)
class Backdrop:
    """What lies out of focus: a gradient from top to bottom, and spots."""

    top: Colour
    bottom: Colour
    spots: tuple[Colour, ...]


@dataclass(frozen=True)
class Place:
    """Where a thing is: maps the frame of its outlines to pixels."""

    matrix: Points  # [2, 2]
    offset: Points  # [2]

    def to_pixels(self, points: Points) -> Points:
        """[N, 2] in the frame of the outlines to [N, 2] in pixels."""
        mapped: Points = points @ self.matrix.T + self.offset
        return mapped


def fill(target: NDArray[np.uint8], points: Points, colour: Colour | int) -> None:
    """Fill an outline, given in pixels; its edge is smooth."""
    fixed = np.round(points * (1 << SUBPIXEL_BITS)).astype(np.int32)
    channels = (colour,) if isinstance(colour, int) else colour
    cv2.fillPoly(target, [fixed], channels, cv2.LINE_AA, SUBPIXEL_BITS)


def to_pixel(point: Points) -> tuple[int, int]:
    """The whole pixel next to a point."""
    return round(float(point[0])), round(float(point[1]))


def draw_backdrop(backdrop: Backdrop, width: int, height: int, rng: np.random.Generator) -> Pixels:
    """A background out of focus that fills the picture."""
    # An eighth of the size, so that enlarging it gives the blur of a background out of focus.
    small_height, small_width = height // 8, width // 8
    down = np.linspace(0, 1, small_height)[:, None, None]
    gradient = (1 - down) * np.array(backdrop.top) + down * np.array(backdrop.bottom)
    small = np.repeat(gradient, small_width, axis=1).astype(np.uint8)
    for _ in range(rng.integers(8, 22)):
        centre = (int(rng.integers(small_width)), int(rng.integers(small_height)))
        colour = shade(backdrop.spots[rng.integers(len(backdrop.spots))], rng.uniform(0.85, 1.1))
        cv2.circle(small, centre, int(rng.integers(2, 9)), colour, -1, cv2.LINE_AA)
    blurred = cv2.GaussianBlur(small, (0, 0), rng.uniform(0.8, 2.2))
    return cv2.resize(blurred, (width, height), interpolation=cv2.INTER_CUBIC).astype(np.uint8)


def paint(pixels: Pixels, shapes: Sequence[Shape], place: Place, rng: np.random.Generator) -> Mask:
    """Paint the shapes, back to front, and return the mask of every pixel that belongs to them."""
    height, width = pixels.shape[:2]
    layer = pixels.copy()
    cover = np.zeros((height, width), np.uint8)
    for shape in shapes:
        points = place.to_pixels(shape.outline)
        # A thin dark rim tells neighbouring shapes of one colour apart.
        fill(layer, points, shape.colour)
        fill(cover, points, 255)
        if len(points) > 40 and shape.colour != BLACK:
            rim = np.round(points * (1 << SUBPIXEL_BITS)).astype(np.int32)
            cv2.polylines(layer, [rim], True, shade(shape.colour, 0.8), 1, cv2.LINE_AA, SUBPIXEL_BITS)
    left, top, box_width, box_height = cv2.boundingRect(cover)
    window = np.s_[top : top + box_height, left : left + box_width]
    alpha = cover[window].astype(np.float32)[..., None] / 255
    pixels[window] = (_lit(_faded(layer[window], rng), rng) * alpha + pixels[window] * (1 - alpha)).astype(
        np.uint8
    )
    return np.where(cover >= 128, 255, 0).astype(np.uint8)


def _faded(layer: Pixels, rng: np.random.Generator) -> Pixels:
    """Dull light: one in four has lost much of its colour, the others a little."""
    share = rng.uniform(0.45, 0.8) if rng.random() < 0.25 else rng.uniform(0, 0.2)
    grey = cv2.cvtColor(cv2.cvtColor(layer, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    return cv2.addWeighted(layer, 1 - share, grey, share, 0).astype(np.uint8)


def _lit(layer: Pixels, rng: np.random.Generator) -> NDArray[np.float32]:
    """Brighter from above, with a fine texture."""
    height, width = layer.shape[:2]
    coarse = rng.normal(0, 1, (height // 3 + 1, width // 3 + 1)).astype(np.float32)
    texture = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR)
    light = np.linspace(1.14, 0.8, height, dtype=np.float32)[:, None] + 0.045 * texture
    lit: NDArray[np.float32] = np.minimum(layer.astype(np.float32) * light[..., None], 255)
    return lit


def expose(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """Exposure and the noise of a sensor."""
    noise = rng.integers(-7, 8, pixels.shape[:2], dtype=np.int16)[..., None]
    # Single precision spelt out: NumPy would take half precision, which is slow.
    exposed = pixels.astype(np.float32) * rng.uniform(0.7, 1.12) + noise.astype(np.float32)
    finished: Pixels = np.clip(exposed, 0, 255).astype(np.uint8)
    return finished
