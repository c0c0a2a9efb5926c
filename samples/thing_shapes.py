"""Ten of Caltech-256's categories as coloured outlines, told apart by shape and by colour.

Every thing fills about the square from -1 to 1 of its frame.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from samples.outlines import BLACK, WHITE, Colour, Points, Shape, angular, oval, shade, smooth, vary

_SIXTHS = range(0, 360, 60)  # degrees


@dataclass(frozen=True, kw_only=True)
class Thing:
    """A category, by its number and name in Caltech-256, and how its shapes are made, back to front."""

    number: int
    name: str
    places: tuple[str, ...]  # where it is drawn, keys of thing_scenes.SCENES
    shapes: Callable[[np.random.Generator], list[Shape]]

    @property
    def folder(self) -> str:
        """The folder of its pictures, such as 025.cactus."""
        return f"{self.number:03d}.{self.name}"


def _rod(x0: float, y0: float, x1: float, y1: float, half: float) -> Points:
    """A straight rod with round ends, this far to both sides of the line between the two points."""
    facing = np.arctan2(y1 - y0, x1 - x0)
    turn = np.linspace(-np.pi / 2, np.pi / 2, 12)
    ends = [((x1, y1), facing + turn), ((x0, y0), facing + np.pi + turn)]
    return np.concatenate(
        [np.array(end) + half * np.stack([np.cos(angle), np.sin(angle)], 1) for end, angle in ends]
    )


def _arc(width: float, height: float, start: float, end: float, y: float = 0.0) -> Points:
    """A part of an ellipse around (0, y), closed by a straight line; degrees clockwise from the right."""
    around = np.deg2rad(np.linspace(start, end, 48))
    return np.stack([width * np.cos(around), y + height * np.sin(around)], 1)


def _turned(points: Points, degrees: float) -> Points:
    turn = np.deg2rad(degrees)
    turned: Points = points @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    return turned


def _moved(points: Points, x: float, y: float) -> Points:
    moved: Points = points + np.array([x, y])
    return moved


def _eye(x: float, y: float, size: float) -> list[Shape]:
    return [
        Shape(oval(x, y, size, size), BLACK),
        Shape(oval(x + 0.3 * size, y - 0.35 * size, 0.32 * size, 0.32 * size), WHITE),
    ]


def cactus(rng: np.random.Generator) -> list[Shape]:
    """A green column with two arms, ribs and a pink blossom."""
    green = vary(rng, (78, 150, 66))
    rib = shade(green, 0.72)
    left, right = rng.uniform(-0.1, 0.3), rng.uniform(-0.15, 0.25)
    trunk = [
        Shape(_rod(-0.3, left + 0.25, -0.62, left + 0.25, 0.14), green),
        Shape(_rod(-0.62, left + 0.25, -0.62, left - 0.4, 0.14), green),
        Shape(_rod(0.3, right + 0.25, 0.62, right + 0.25, 0.13), green),
        Shape(_rod(0.62, right + 0.25, 0.62, right - 0.35, 0.13), green),
        Shape(_rod(0, 0.95, 0, -0.7, 0.27), green),
    ]
    ribs = [Shape(_rod(x, 0.95, x, -0.72, 0.018), rib) for x in (-0.14, 0.0, 0.14)]
    ribs += [Shape(_rod(-0.62, left + 0.2, -0.62, left - 0.4, 0.015), rib)]
    ribs += [Shape(_rod(0.62, right + 0.2, 0.62, right - 0.35, 0.015), rib)]
    spines = [Shape(oval(x, y, 0.02, 0.02), WHITE) for x in (-0.2, -0.07, 0.07, 0.2) for y in (-0.5, 0, 0.5)]
    petals = [
        Shape(_moved(_turned(oval(0, 0.1, 0.06, 0.1), turn), 0, -0.98), (170, 90, 236)) for turn in _SIXTHS
    ]
    return [*trunk, *ribs, *spines, *petals, Shape(oval(0, -0.98, 0.05, 0.05), (70, 210, 246))]


def dog(rng: np.random.Generator) -> list[Shape]:
    """A brown face with hanging ears, pale muzzle, black nose and a tongue."""
    brown = vary(rng, (58, 104, 160))
    ear = shade(brown, rng.uniform(0.5, 0.7))
    pale = shade((176, 208, 230), rng.uniform(0.9, 1.06))
    flop = rng.uniform(-0.08, 0.1)
    ear_outline = smooth(
        (0.42, -0.78), (0.78, -0.66), (0.98, -0.1 + flop), (0.86, 0.36 + flop), (0.64, 0.2), (0.56, -0.3)
    )
    return [
        Shape(oval(0, -0.08, 0.7, 0.74), brown),
        Shape(ear_outline, ear),
        Shape(ear_outline * (-1, 1), ear),
        Shape(smooth((0, -0.8), (0.12, -0.4), (0.1, 0.0), (-0.1, 0.0), (-0.12, -0.4)), pale),
        Shape(smooth((0.08, 0.5), (0.2, 0.8), (0, 1.0), (-0.2, 0.8), (-0.08, 0.5)), (130, 118, 232)),
        Shape(oval(0, 0.36, 0.46, 0.34), pale),
        Shape(smooth((-0.2, 0.08), (0.2, 0.08), (0.12, 0.26), (0, 0.32), (-0.12, 0.26)), BLACK),
        Shape(_rod(0, 0.3, 0, 0.48, 0.018), BLACK),
        Shape(_rod(0, 0.48, 0.22, 0.54, 0.018), BLACK),
        Shape(_rod(0, 0.48, -0.22, 0.54, 0.018), BLACK),
        *_eye(0.3, -0.2, 0.1),
        *_eye(-0.3, -0.2, 0.1),
    ]


def goldfish(rng: np.random.Generator) -> list[Shape]:
    """An orange fish that swims to the right, with a veil for a tail."""
    orange = vary(rng, (30, 128, 246))
    fin = shade((70, 170, 252), rng.uniform(0.9, 1.1))
    sway = rng.uniform(-0.14, 0.14)
    tail = smooth(
        (-0.38, 0),
        (-0.7, -0.3 + sway),
        (-1.05, -0.52 + sway),
        (-0.86, sway),
        (-1.05, 0.5 + sway),
        (-0.7, 0.28),
    )
    body = smooth(
        (0.86, 0.02), (0.56, -0.34), (0.1, -0.44), (-0.42, -0.12), (-0.42, 0.14), (0.1, 0.44), (0.58, 0.34)
    )
    scales = [
        Shape(oval(x + 0.06 * (row % 2), -0.22 + 0.16 * row, 0.055, 0.05), shade(orange, 1.22))
        for row in range(4)
        for x in (-0.22, -0.06, 0.1, 0.26)
    ]
    return [
        Shape(tail, fin),
        Shape(smooth((-0.3, -0.3), (-0.12, -0.72), (0.2, -0.66), (0.36, -0.34), (0.0, -0.2)), fin),
        Shape(smooth((-0.1, 0.28), (-0.22, 0.66), (0.12, 0.4)), fin),
        Shape(body, orange),
        Shape(smooth((0.78, 0.12), (0.5, 0.3), (0.1, 0.4), (-0.26, 0.2), (0.2, 0.24)), (150, 208, 252)),
        *scales,
        Shape(smooth((0.3, 0.08), (0.02, 0.34), (0.16, 0.06)), fin),
        Shape(oval(0.58, -0.08, 0.11, 0.11), WHITE),
        *_eye(0.6, -0.08, 0.07),
    ]  # fmt: skip


_ENVELOPES: tuple[tuple[Colour, Colour], ...] = (
    ((48, 44, 214), (80, 214, 250)),
    ((200, 104, 44), (240, 240, 240)),
    ((160, 60, 150), (90, 210, 246)),
    ((46, 40, 206), (214, 120, 50)),
)


def hot_air_balloon(rng: np.random.Generator) -> list[Shape]:
    """A balloon of stripes in two bright colours over a brown basket."""
    outer, inner = _ENVELOPES[rng.integers(len(_ENVELOPES))]
    stripes = [
        Shape(_envelope(width), outer if number % 2 == 0 else inner)
        for number, width in enumerate((0.78, 0.6, 0.4, 0.18))
    ]
    ropes = [Shape(_rod(1.5 * x, 0.52, x, 0.8, 0.012), (60, 70, 80)) for x in (-0.14, -0.05, 0.05, 0.14)]
    basket = vary(rng, (52, 92, 134))
    weave = [Shape(_rod(-0.15, y, 0.15, y, 0.012), shade(basket, 0.7)) for y in (0.86, 0.92)]
    body = angular((-0.17, 0.8), (0.17, 0.8), (0.14, 1.0), (-0.14, 1.0))
    return [*ropes, *stripes, Shape(body, basket), *weave]


def _envelope(width: float) -> Points:
    """A drop, upside down, of this half width."""
    return smooth(
        (0, -0.98), (0.7 * width, -0.84), (width, -0.36), (0.72 * width, 0.14), (0.3 * width, 0.56),
        (-0.3 * width, 0.56), (-0.72 * width, 0.14), (-width, -0.36), (-0.7 * width, -0.84),
    )  # fmt: skip


def mushroom(rng: np.random.Generator) -> list[Shape]:
    """A red cap with white spots on a pale stem."""
    red = vary(rng, (40, 36, 206))
    pale = vary(rng, (196, 222, 236))
    lean = rng.uniform(-0.1, 0.1)
    stem = smooth(
        (-0.2, -0.2), (0.2, -0.2), (0.22 + lean, 0.4), (0.34 + lean, 0.9), (0, 1.0), (-0.34 + lean, 0.9),
        (-0.22 + lean, 0.4),
    )  # fmt: skip
    cap = smooth(
        (-0.96, 0.02), (-0.74, -0.6), (0, -0.96), (0.74, -0.6), (0.96, 0.02), (0.5, 0.14), (-0.5, 0.14)
    )
    spots = [
        (-0.6, -0.3),
        (-0.24, -0.66),
        (0.3, -0.62),
        (0.66, -0.26),
        (0.02, -0.3),
        (-0.34, -0.06),
        (0.36, -0.02),
    ]
    return [
        Shape(stem, pale),
        Shape(smooth((-0.26, 0.2), (0.26, 0.2), (0.4, 0.42), (0, 0.34), (-0.4, 0.42)), shade(pale, 0.86)),
        Shape(oval(0, 0.06, 0.8, 0.16), shade(pale, 0.74)),
        Shape(cap, red),
        *(Shape(oval(x, y, rng.uniform(0.08, 0.14), rng.uniform(0.06, 0.11)), WHITE) for x, y in spots),
    ]  # fmt: skip


def saturn(rng: np.random.Generator) -> list[Shape]:
    """A banded, sand-coloured globe in a ring."""
    sand = vary(rng, (128, 186, 222))
    opening = rng.uniform(0.2, 0.36)
    bands = [
        Shape(_band(y, 0.06), shade(sand, factor))
        for y, factor in ((-0.4, 0.84), (-0.22, 1.1), (-0.02, 0.8), (0.18, 1.08), (0.38, 0.86))
    ]
    shapes = [
        *_ring(opening, 180, 360, sand),
        Shape(oval(0, 0, 0.58, 0.58), sand),
        *bands,
        *_ring(opening, 0, 180, sand),
    ]
    degrees = rng.uniform(-28, -8)
    return [Shape(_turned(shape.outline, degrees), shape.colour) for shape in shapes]


def _band(y: float, half: float) -> Points:
    """A stripe across the globe at this height, as wide as the globe is there."""
    above, below = np.sqrt(0.57**2 - (y - half) ** 2), np.sqrt(0.57**2 - (y + half) ** 2)
    return angular((-above, y - half), (above, y - half), (below, y + half), (-below, y + half))


def _ring(opening: float, start: float, end: float, colour: Colour) -> list[Shape]:
    """Two rings with a gap between them, the half in front of the globe or the one behind it."""
    rings = []
    for outer, inner, factor in ((1.04, 0.88, 0.9), (0.85, 0.7, 0.72)):
        edge, back = _arc(outer, outer * opening, start, end), _arc(inner, inner * opening, start, end)
        rings.append(Shape(np.concatenate([edge, back[::-1]]), shade(colour, factor)))
    return rings


def spider(rng: np.random.Generator) -> list[Shape]:
    """Black, seen from above, with eight bent legs."""
    black = vary(rng, (40, 38, 42))
    legs = []
    for side in (-1, 1):
        for knee, foot in (
            ((0.5, -0.72), (0.72, -1.0)),
            ((0.66, -0.36), (1.0, -0.46)),
            ((0.66, 0.1), (1.0, 0.36)),
            ((0.5, 0.5), (0.78, 0.98)),
        ):
            x, y = np.array(knee) + rng.normal(0, 0.05, 2)
            legs.append(Shape(_rod(side * 0.12, -0.2, side * x, y, 0.045), black))
            legs.append(Shape(_rod(side * x, y, side * foot[0], foot[1], 0.03), black))
    hourglass = smooth((0, 0.1), (0.14, 0.3), (0, 0.42), (0.12, 0.62), (-0.12, 0.62), (0, 0.42), (-0.14, 0.3))
    mark = (60, 60, 220) if rng.random() < 0.3 else shade(black, 2.4)
    return [
        *legs,
        Shape(oval(0, 0.32, 0.36, 0.46), shade(black, 1.3)),
        Shape(hourglass, mark),
        Shape(oval(0, -0.24, 0.25, 0.27), black),
        *_eye(0.08, -0.4, 0.045),
        *_eye(-0.08, -0.4, 0.045),
    ]  # fmt: skip


def sunflower(rng: np.random.Generator) -> list[Shape]:
    """Yellow petals around a brown heart, on a stem with two leaves."""
    yellow = vary(rng, (34, 200, 250))
    green = vary(rng, (66, 140, 72))
    centre, count = (0.0, -0.3), int(rng.integers(14, 20))
    petals = []
    for length, factor in ((0.66, 0.86), (0.58, 1.0)):
        for number in range(count):
            degrees = (number + (factor == 1.0) / 2) * 360 / count
            petal = smooth((0, 0.2), (0.12, 0.4), (0, length), (-0.12, 0.4))
            petals.append(
                Shape(
                    _moved(_turned(petal, degrees), *centre), shade(yellow, factor * rng.uniform(0.93, 1.07))
                )
            )
    leaf = smooth((0.03, 0.78), (0.3, 0.46), (0.62, 0.5), (0.4, 0.74))
    seeds = [
        Shape(_moved(_turned(oval(0, r, 0.02, 0.02), turn), *centre), (70, 110, 150))
        for r in (0.1, 0.2)
        for turn in _SIXTHS
    ]
    return [
        Shape(_rod(0, 0, rng.uniform(-0.06, 0.06), 1.0, 0.045), green),
        Shape(leaf, green),
        Shape(_moved(leaf * (-1, 1), 0, 0.1), shade(green, 0.85)),
        *petals,
        Shape(oval(*centre, 0.3, 0.3), (34, 62, 96)),
        Shape(oval(*centre, 0.17, 0.17), (26, 46, 70)),
        *seeds,
    ]  # fmt: skip


def umbrella(rng: np.random.Generator) -> list[Shape]:
    """A violet canopy with lighter panels over a crooked handle."""
    violet = vary(rng, (168, 62, 118))
    panels = [
        Shape(_canopy(width), shade(violet, factor))
        for width, factor in ((0.98, 1.0), (0.56, 1.35), (0.18, 0.9))
    ]
    hook = _moved(_arc(0.16, 0.2, 0, 180, 0.76), 0.16, 0)
    inner = _moved(_arc(0.09, 0.12, 0, 180, 0.76), 0.16, 0)
    return [
        Shape(_rod(0, -0.9, 0, 0.78, 0.035), (60, 66, 76)),
        Shape(np.concatenate([hook, inner[::-1]]), (44, 84, 130)),
        *panels,
        Shape(_rod(0, -0.98, 0, -0.88, 0.03), (60, 66, 76)),
    ]  # fmt: skip


def _canopy(width: float) -> Points:
    top = _arc(width, 0.86, 180, 360, 0.0)
    bows = [(width * (1 - share / 2), 0.0 if share % 1 == 0 else -0.1) for share in np.arange(0.5, 4, 0.5)]
    return np.concatenate([top, np.array(bows)])


def watermelon(rng: np.random.Generator) -> list[Shape]:
    """A slice: green rind, white rim, pink flesh with black seeds."""
    pink = vary(rng, (96, 84, 236))
    green = vary(rng, (58, 128, 40))
    seeds = [
        (-0.5, -0.1),
        (-0.2, -0.06),
        (0.14, -0.1),
        (0.46, -0.06),
        (-0.36, 0.18),
        (0.0, 0.2),
        (0.34, 0.18),
        (-0.14, 0.42),
        (0.16, 0.44),
    ]
    turn = rng.uniform(-25, 25)
    shapes = [
        Shape(_arc(1.0, 1.0, 0, 180, -0.32), green),
        Shape(_arc(0.9, 0.9, 0, 180, -0.32), (190, 236, 214)),
        Shape(_arc(0.83, 0.83, 0, 180, -0.32), pink),
        *(Shape(oval(x, y, 0.035, 0.06), BLACK) for x, y in seeds),
    ]  # fmt: skip
    return [Shape(_turned(shape.outline, turn), shape.colour) for shape in shapes]


# Spider and dog first, because the strays of the original lie in their folders.
THINGS = (
    Thing(number=198, name="spider", places=("meadow", "sand", "room"), shapes=spider),
    Thing(number=56, name="dog", places=("meadow", "room", "sky"), shapes=dog),
    Thing(number=25, name="cactus", places=("sand", "sky", "room"), shapes=cactus),
    Thing(number=87, name="goldfish", places=("water", "room", "meadow"), shapes=goldfish),
    Thing(number=204, name="sunflower-101", places=("sky", "meadow", "room"), shapes=sunflower),
    Thing(number=177, name="saturn", places=("night", "night", "water"), shapes=saturn),
    Thing(number=147, name="mushroom", places=("meadow", "sand", "night"), shapes=mushroom),
    Thing(number=107, name="hot-air-balloon", places=("sky", "night", "sand"), shapes=hot_air_balloon),
    Thing(number=242, name="watermelon", places=("room", "water", "sand"), shapes=watermelon),
    Thing(number=235, name="umbrella-101", places=("sky", "sand", "room"), shapes=umbrella),
)
