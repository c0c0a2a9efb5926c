"""One picture: a background, a perch, a bird with light and feather texture, something in front of it."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from samples.bird_shapes import BLACK, Colour, Points, Species, oval, shade

Pixels = NDArray[np.uint8]  # [height, width, 3], blue green red
Mask = NDArray[np.uint8]  # [height, width], 0 or 255

# Width and height in pixels; the original's longer side is 500 almost everywhere.
SIZES = (
    (500, 333),
    (500, 375),
    (500, 350),
    (500, 400),
    (500, 334),
    (480, 360),
    (500, 312),
    (333, 500),
    (375, 500),
)
SUBPIXEL_BITS = 4
MARGIN_PX = 3


@dataclass(frozen=True)
class Mood:
    """Colours of a place: gradient from top to bottom, blurred spots, leaves."""

    top: Colour
    bottom: Colour
    spots: tuple[Colour, ...]
    leaves: tuple[Colour, ...]


MOODS = (
    Mood(
        (226, 186, 132), (240, 226, 206), ((250, 240, 228), (232, 204, 164)), ((70, 128, 82), (58, 104, 66))
    ),
    Mood(
        (74, 126, 84),
        (96, 168, 128),
        ((120, 198, 160), (60, 104, 72), (150, 206, 190)),
        ((64, 138, 74), (86, 170, 110)),
    ),
    Mood((150, 160, 150), (118, 150, 148), ((176, 190, 184), (92, 120, 118)), ((80, 122, 110), (64, 96, 92))),
    Mood(
        (150, 178, 214),
        (110, 140, 190),
        ((130, 190, 236), (96, 124, 176), (190, 214, 236)),
        ((56, 98, 168), (40, 124, 200)),
    ),
    Mood(
        (236, 232, 226),
        (214, 208, 200),
        ((250, 248, 246), (198, 190, 180)),
        ((120, 134, 126), (96, 110, 104)),
    ),
    Mood(
        (62, 92, 58),
        (48, 76, 62),
        ((84, 138, 96), (38, 58, 44), (70, 150, 140)),
        ((58, 118, 72), (42, 88, 58)),
    ),
)
BARK = ((58, 78, 102), (74, 88, 104), (46, 58, 76), (96, 108, 120))
# Berries and blossoms in the birds' colours, so that colour alone does not give the bird away.
CLUTTER = ((44, 40, 190), (60, 200, 236), (196, 120, 70), (80, 110, 140), (226, 228, 230), (74, 140, 62))


def draw_scene(species: Species, rng: np.random.Generator) -> tuple[Pixels, Mask]:
    """A picture of one bird, and the mask of every pixel that belongs to the bird."""
    width, height = SIZES[rng.integers(len(SIZES))]
    mood = MOODS[rng.integers(len(MOODS))]
    pixels = _background(mood, width, height, rng)
    place = _place(species, width, height, rng)
    _leaves(pixels, mood, rng, count=int(rng.integers(3, 11)))
    _berries(pixels, rng)
    if species.hovers:
        _blossom(pixels, place, rng)
    else:
        _branch(pixels, place, rng)
    mask = _bird(pixels, species, place, rng)
    if rng.random() < 0.5:
        _leaves(pixels, mood, rng, count=int(rng.integers(2, 7)))
    return _finish(pixels, rng), mask


@dataclass(frozen=True)
class Place:
    """Where the bird is: maps the frame of its outlines to pixels."""

    matrix: Points  # [2, 2]
    offset: Points  # [2]

    def to_pixels(self, points: Points) -> Points:
        """[N, 2] in the frame of the outlines to [N, 2] in pixels."""
        mapped: Points = points @ self.matrix.T + self.offset
        return mapped


def _place(species: Species, width: int, height: int, rng: np.random.Generator) -> Place:
    size = min(width, height) * rng.uniform(0.2, 0.56) * species.relative_size
    turn = np.deg2rad(rng.normal(0, 15))
    facing = rng.choice((-1.0, 1.0))
    matrix = size * np.array([[facing * np.cos(turn), -facing * np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    # The outlines' extent is the same for every individual up to a little play, covered by the margin.
    outline = np.concatenate([shape.outline for shape in species.shapes(np.random.default_rng(0))]) @ matrix.T
    low, high = outline.min(axis=0), outline.max(axis=0)
    room = np.array([width, height]) - (high - low) - 2 * (MARGIN_PX + 0.05 * size)
    # Where the bird is wider than the picture, it is centred and cut off.
    share = np.where(room > 0, rng.beta(1.6, 1.6, 2), 0.5)
    return Place(matrix, MARGIN_PX + 0.05 * size - low + room * share)


def _fill(target: NDArray[np.uint8], points: Points, colour: Colour | int) -> None:
    fixed = np.round(points * (1 << SUBPIXEL_BITS)).astype(np.int32)
    channels = (colour,) if isinstance(colour, int) else colour
    cv2.fillPoly(target, [fixed], channels, cv2.LINE_AA, SUBPIXEL_BITS)


def _background(mood: Mood, width: int, height: int, rng: np.random.Generator) -> Pixels:
    # An eighth of the size, so that enlarging it gives the blur of a background out of focus.
    small_height, small_width = height // 8, width // 8
    down = np.linspace(0, 1, small_height)[:, None, None]
    gradient = (1 - down) * np.array(mood.top) + down * np.array(mood.bottom)
    small = np.repeat(gradient, small_width, axis=1).astype(np.uint8)
    for _ in range(rng.integers(8, 22)):
        centre = (int(rng.integers(small_width)), int(rng.integers(small_height)))
        colour = shade(mood.spots[rng.integers(len(mood.spots))], rng.uniform(0.85, 1.1))
        cv2.circle(small, centre, int(rng.integers(2, 9)), colour, -1, cv2.LINE_AA)
    blurred = cv2.GaussianBlur(small, (0, 0), rng.uniform(0.8, 2.2))
    return cv2.resize(blurred, (width, height), interpolation=cv2.INTER_CUBIC).astype(np.uint8)


def _leaves(pixels: Pixels, mood: Mood, rng: np.random.Generator, *, count: int) -> None:
    height, width = pixels.shape[:2]
    for _ in range(count):
        x, y = rng.uniform(0, width), rng.uniform(0, height)
        length, degrees = rng.uniform(12, 38), rng.uniform(0, 180)
        colour = shade(mood.leaves[rng.integers(len(mood.leaves))], rng.uniform(0.7, 1.25))
        # Two arcs that meet in points.
        along = np.linspace(-1, 1, 14)
        arc = 0.34 * (1 - along**2)
        leaf = length * np.concatenate([np.stack([along, arc], 1), np.stack([along[::-1], -arc[::-1]], 1)])
        turn = np.deg2rad(degrees)
        turned = leaf @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]) + (x, y)
        _fill(pixels, turned, colour)
        tip, stem = turned[0], turned[13]
        cv2.line(pixels, _pixel(tip), _pixel(stem), shade(colour, 0.75), 1, cv2.LINE_AA)


def _pixel(point: Points) -> tuple[int, int]:
    return round(float(point[0])), round(float(point[1]))


def _berries(pixels: Pixels, rng: np.random.Generator) -> None:
    height, width = pixels.shape[:2]
    colour = CLUTTER[rng.integers(len(CLUTTER))]
    x, y = rng.uniform(0, width), rng.uniform(0, height)
    for _ in range(rng.integers(0, 7)):
        centre = rng.normal((x, y), 26)
        radius = rng.uniform(4, 11)
        _fill(
            pixels,
            oval(centre[0], centre[1], radius, radius * rng.uniform(0.7, 1)),
            shade(colour, rng.uniform(0.7, 1.1)),
        )


def _branch(pixels: Pixels, place: Place, rng: np.random.Generator) -> None:
    foot = place.to_pixels(np.array([[0.03, 0.57]]))[0]
    scale = float(np.linalg.norm(place.matrix[:, 0]))
    thickness = scale * rng.uniform(0.035, 0.075)
    slope = rng.normal(0, 0.18)
    colour = BARK[rng.integers(len(BARK))]
    x = np.linspace(-20, pixels.shape[1] + 20, 24)
    wave = 0.05 * scale * (np.sin(x / 57 + rng.uniform(0, 6)) - np.sin(foot[0] / 57))
    y = foot[1] + thickness * 0.8 + slope * (x - foot[0]) + wave * np.minimum(1, np.abs(x - foot[0]) / scale)
    half = thickness * rng.uniform(0.85, 1.15, len(x))
    _fill(pixels, np.concatenate([np.stack([x, y - half], 1), np.stack([x, y + half], 1)[::-1]]), colour)
    light = np.concatenate([np.stack([x, y - half], 1), np.stack([x, y - 0.4 * half], 1)[::-1]])
    _fill(pixels, light, shade(colour, 1.3))
    for at in rng.integers(2, len(x) - 2, 3):
        tip = np.array([x[at] + rng.normal(0, 30), y[at] - rng.choice((-1, 1)) * rng.uniform(25, 80)])
        cv2.line(
            pixels,
            (round(x[at]), round(y[at])),
            _pixel(tip),
            shade(colour, 0.85),
            max(1, round(thickness / 3)),
            cv2.LINE_AA,
        )


def _blossom(pixels: Pixels, place: Place, rng: np.random.Generator) -> None:
    """A trumpet flower near the tip of the beak."""
    heart = place.to_pixels(np.array([[1.12, -0.3]]))[0]
    scale = float(np.linalg.norm(place.matrix[:, 0]))
    colour = ((84, 92, 232), (198, 120, 214), (70, 150, 244))[rng.integers(3)]
    stem = heart + np.array([rng.normal(0, 30), pixels.shape[0]])
    cv2.line(pixels, _pixel(heart), _pixel(stem), (70, 120, 72), max(2, round(scale * 0.03)), cv2.LINE_AA)
    for angle in np.arange(5) * 72 + rng.uniform(0, 72):
        turn = np.deg2rad(angle)
        petal = heart + 0.1 * scale * np.array([np.cos(turn), np.sin(turn)])
        _fill(
            pixels,
            oval(petal[0], petal[1], 0.1 * scale, 0.055 * scale, float(angle)),
            shade(colour, rng.uniform(0.85, 1.1)),
        )
    _fill(pixels, oval(heart[0], heart[1], 0.04 * scale, 0.04 * scale), (60, 200, 240))


def _bird(pixels: Pixels, species: Species, place: Place, rng: np.random.Generator) -> Mask:
    """Paint the bird and return its mask."""
    height, width = pixels.shape[:2]
    layer = pixels.copy()
    cover = np.zeros((height, width), np.uint8)
    shapes = species.shapes(rng)
    for shape in shapes:
        points = place.to_pixels(shape.outline)
        # A thin dark rim tells neighbouring feathers of one colour apart.
        _fill(layer, points, shape.colour)
        _fill(cover, points, 255)
        if len(points) > 40 and shape.colour != BLACK:
            rim = np.round(points * (1 << SUBPIXEL_BITS)).astype(np.int32)
            cv2.polylines(layer, [rim], True, shade(shape.colour, 0.8), 1, cv2.LINE_AA, SUBPIXEL_BITS)
    left, top, box_width, box_height = cv2.boundingRect(cover)
    window = np.s_[top : top + box_height, left : left + box_width]
    alpha = cover[window].astype(np.float32)[..., None] / 255
    pixels[window] = (_light(_faded(layer[window], rng), rng) * alpha + pixels[window] * (1 - alpha)).astype(
        np.uint8
    )
    return np.where(cover >= 128, 255, 0).astype(np.uint8)


def _faded(layer: Pixels, rng: np.random.Generator) -> Pixels:
    """Young birds and dull light: one in four has lost much of its colour, the others a little."""
    share = rng.uniform(0.45, 0.8) if rng.random() < 0.25 else rng.uniform(0, 0.2)
    grey = cv2.cvtColor(cv2.cvtColor(layer, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    return cv2.addWeighted(layer, 1 - share, grey, share, 0).astype(np.uint8)


def _light(layer: Pixels, rng: np.random.Generator) -> NDArray[np.float32]:
    """Brighter from above, with a fine texture of feathers."""
    height, width = layer.shape[:2]
    coarse = rng.normal(0, 1, (height // 3 + 1, width // 3 + 1)).astype(np.float32)
    texture = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR)
    light = np.linspace(1.14, 0.8, height, dtype=np.float32)[:, None] + 0.045 * texture
    lit: NDArray[np.float32] = np.minimum(layer.astype(np.float32) * light[..., None], 255)
    return lit


def _finish(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """Exposure and the noise of a sensor."""
    noise = rng.integers(-7, 8, pixels.shape[:2], dtype=np.int16)[..., None]
    # Single precision spelt out: NumPy would take half precision, which is slow.
    exposed = pixels.astype(np.float32) * rng.uniform(0.7, 1.12) + noise.astype(np.float32)
    finished: Pixels = np.clip(exposed, 0, 255).astype(np.uint8)
    return finished
