"""One picture: a background, a perch, a bird with light and feather texture, something in front of it."""

from dataclasses import dataclass

import cv2
import numpy as np

from samples.bird_shapes import Species
from samples.outlines import Colour, oval, shade
from samples.painting import (
    Backdrop,
    Mask,
    Pixels,
    Place,
    draw_backdrop,
    expose,
    fill,
    paint,
    to_pixel,
)

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
MARGIN_PX = 3


@dataclass(frozen=True)
class Mood(Backdrop):
    """Colours of a place: what is out of focus, and the leaves."""

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
    pixels = draw_backdrop(mood, width, height, rng)
    place = _place(species, width, height, rng)
    _leaves(pixels, mood, rng, count=int(rng.integers(3, 11)))
    _berries(pixels, rng)
    if species.hovers:
        _blossom(pixels, place, rng)
    else:
        _branch(pixels, place, rng)
    mask = paint(pixels, species.shapes(rng), place, rng)
    if rng.random() < 0.5:
        _leaves(pixels, mood, rng, count=int(rng.integers(2, 7)))
    return expose(pixels, rng), mask


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
        fill(pixels, turned, colour)
        tip, stem = turned[0], turned[13]
        cv2.line(pixels, to_pixel(tip), to_pixel(stem), shade(colour, 0.75), 1, cv2.LINE_AA)


def _berries(pixels: Pixels, rng: np.random.Generator) -> None:
    height, width = pixels.shape[:2]
    colour = CLUTTER[rng.integers(len(CLUTTER))]
    x, y = rng.uniform(0, width), rng.uniform(0, height)
    for _ in range(rng.integers(0, 7)):
        centre = rng.normal((x, y), 26)
        radius = rng.uniform(4, 11)
        fill(
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
    fill(pixels, np.concatenate([np.stack([x, y - half], 1), np.stack([x, y + half], 1)[::-1]]), colour)
    light = np.concatenate([np.stack([x, y - half], 1), np.stack([x, y - 0.4 * half], 1)[::-1]])
    fill(pixels, light, shade(colour, 1.3))
    for at in rng.integers(2, len(x) - 2, 3):
        tip = np.array([x[at] + rng.normal(0, 30), y[at] - rng.choice((-1, 1)) * rng.uniform(25, 80)])
        cv2.line(
            pixels,
            (round(x[at]), round(y[at])),
            to_pixel(tip),
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
    cv2.line(pixels, to_pixel(heart), to_pixel(stem), (70, 120, 72), max(2, round(scale * 0.03)), cv2.LINE_AA)
    for angle in np.arange(5) * 72 + rng.uniform(0, 72):
        turn = np.deg2rad(angle)
        petal = heart + 0.1 * scale * np.array([np.cos(turn), np.sin(turn)])
        fill(
            pixels,
            oval(petal[0], petal[1], 0.1 * scale, 0.055 * scale, float(angle)),
            shade(colour, rng.uniform(0.85, 1.1)),
        )
    fill(pixels, oval(heart[0], heart[1], 0.04 * scale, 0.04 * scale), (60, 200, 240))
