"""The five species as coloured outlines.

Outlines are given for a perched bird that faces right, in a frame with x to the right, y downwards and the
body about one unit long; colours are blue, green, red, as OpenCV wants them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from samples.outlines import BLACK, WHITE, Colour, Points, Shape, angular, oval, shade, smooth, vary

LEG: Colour = (62, 72, 88)


@dataclass(frozen=True, kw_only=True)
class Species:
    """A species, by its number and name in CUB-200-2011, and how its shapes are made, back to front."""

    class_id: int
    class_name: str
    relative_size: float
    hovers: bool
    shapes: Callable[[np.random.Generator], list[Shape]]


def _eye(x: float, y: float, size: float = 0.034) -> list[Shape]:
    return [
        Shape(oval(x, y, size, size), (18, 16, 18)),
        Shape(oval(x + 0.3 * size, y - 0.35 * size, 0.3 * size, 0.3 * size), (250, 250, 250)),
    ]


def _legs() -> list[Shape]:
    return [
        Shape(angular((x, 0.27), (x + 0.03, 0.27), (x + 0.045, 0.55), (x + 0.015, 0.55)), LEG)
        for x in (-0.06, 0.08)
    ]


def _crest(colour: Colour, height: float) -> Shape:
    return Shape(
        smooth((0.16, -0.42), (0.1, -0.62 - height), (0.28, -0.6), (0.44, -0.5), (0.34, -0.34)), colour
    )


def _songbird_body(depth: float) -> Points:
    """Head and trunk in one outline; `depth` makes the breast fuller."""
    return smooth(
        (0.2, -0.52), (0.36, -0.53), (0.47, -0.43), (0.46, -0.27), (0.42, -0.06 + depth / 4),
        (0.3, 0.18 + depth), (0.04, 0.3 + depth), (-0.24, 0.26), (-0.5, 0.2), (-0.42, 0.04), (-0.2, -0.18),
        (0.02, -0.34), (0.1, -0.46),
    )  # fmt: skip


def _wing(length: float = 1.0) -> Points:
    return smooth((0.16, -0.16), (0.2, 0.04), (0.0, 0.18), (-0.34 * length, 0.24), (-0.62 * length, 0.27),
                  (-0.4 * length, 0.06), (-0.1, -0.14))  # fmt: skip


def _bars(
    starts: Sequence[tuple[float, float]], size: tuple[float, float], colour: Colour, degrees: float
) -> list[Shape]:
    return [Shape(oval(x, y, *size, degrees), colour) for x, y in starts]


def cardinal(rng: np.random.Generator) -> list[Shape]:
    """Red all over, pointed crest, black face, thick orange beak, long tail."""
    red = vary(rng, (38, 32, 204))
    tail = smooth((-0.3, 0.06), (-0.34, 0.24), (-0.86, 0.62), (-1.06, 0.62), (-1.0, 0.48))
    return [
        *_legs(),
        Shape(tail, shade(red, 0.72)),
        _crest(shade(red, 0.95), rng.uniform(0.14, 0.24)),
        Shape(_songbird_body(0.06), red),
        Shape(smooth((0.38, -0.46), (0.48, -0.42), (0.5, -0.3), (0.42, -0.2), (0.35, -0.3)), BLACK),
        Shape(angular((0.43, -0.44), (0.62, -0.34), (0.44, -0.25)), (40, 110, 240)),
        Shape(_wing(), shade(red, 0.74)),
        Shape(smooth((0.0, 0.08), (-0.1, 0.17), (-0.5, 0.25), (-0.34, 0.13)), shade(red, 0.55)),
        *_eye(0.35, -0.41),
    ]


def flicker(rng: np.random.Generator) -> list[Shape]:
    """Long brown body with bars and spots, grey head, black breast crescent, red nape, long beak."""
    brown = vary(rng, (88, 118, 150))
    belly = vary(rng, (176, 204, 220))
    tail = smooth((-0.42, 0.1), (-0.44, 0.26), (-0.9, 0.5), (-1.12, 0.56), (-0.9, 0.34))
    body = smooth(
        (0.22, -0.5), (0.38, -0.52), (0.49, -0.42), (0.46, -0.26), (0.4, 0.0), (0.26, 0.2), (-0.06, 0.3),
        (-0.36, 0.28), (-0.62, 0.24), (-0.52, 0.06), (-0.24, -0.14), (0.04, -0.3), (0.12, -0.42),
    )  # fmt: skip
    spots = [
        (0.34, 0.02),
        (0.25, 0.1),
        (0.3, 0.15),
        (0.16, 0.16),
        (0.2, 0.22),
        (0.05, 0.21),
        (0.1, 0.27),
        (-0.05, 0.26),
    ]
    bars = [
        (-0.05, -0.12),
        (-0.14, -0.04),
        (-0.1, 0.05),
        (-0.26, 0.05),
        (-0.22, 0.14),
        (-0.38, 0.15),
        (-0.48, 0.22),
    ]
    return [
        *_legs(),
        Shape(tail, BLACK),
        Shape(body, belly),
        Shape(
            smooth((0.18, -0.52), (0.36, -0.54), (0.48, -0.46), (0.34, -0.42), (0.1, -0.36)), (150, 140, 132)
        ),
        Shape(oval(0.15, -0.42, 0.07, 0.045, -40), (40, 36, 214)),
        Shape(angular((0.45, -0.46), (0.86, -0.36), (0.46, -0.33)), (58, 54, 56)),
        Shape(smooth((0.36, -0.3), (0.5, -0.29), (0.46, -0.22), (0.34, -0.24)), BLACK),
        Shape(smooth((0.46, -0.14), (0.42, -0.02), (0.3, 0.0), (0.2, -0.1), (0.32, -0.08)), BLACK),
        Shape(_wing(1.1), brown),
        *_bars(bars, (0.075, 0.016), BLACK, -48),
        *_bars(spots, (0.022, 0.022), BLACK, 0),
        *_eye(0.37, -0.41, 0.03),
    ]


def goldfinch(rng: np.random.Generator) -> list[Shape]:
    """Small, round and bright yellow, black cap and wings with a white bar, short notched tail."""
    yellow = vary(rng, (44, 214, 246))
    tail = angular((-0.34, 0.06), (-0.34, 0.24), (-0.78, 0.5), (-0.7, 0.4), (-0.84, 0.38))
    return [
        *_legs(),
        Shape(tail, BLACK),
        Shape(_songbird_body(0.1), yellow),
        Shape(smooth((0.26, -0.53), (0.38, -0.55), (0.48, -0.44), (0.42, -0.4), (0.3, -0.44)), BLACK),
        Shape(angular((0.45, -0.41), (0.6, -0.33), (0.45, -0.27)), (118, 150, 232)),
        Shape(_wing(0.95), BLACK),
        Shape(smooth((0.08, -0.04), (0.1, 0.03), (-0.12, 0.1), (-0.14, 0.04)), WHITE),
        Shape(smooth((-0.2, 0.16), (-0.24, 0.2), (-0.5, 0.26), (-0.44, 0.2)), shade(WHITE, 0.9)),
        *_eye(0.37, -0.36),
    ]


def hummingbird(rng: np.random.Generator) -> list[Shape]:
    """Hovers: slim green body, pale belly, ruby throat, needle beak, narrow wings spread upwards."""
    green = vary(rng, (72, 142, 58))
    lift = rng.uniform(-0.12, 0.12)
    body = smooth(
        (0.3, -0.4), (0.42, -0.36), (0.44, -0.24), (0.32, -0.06), (0.16, 0.2), (-0.06, 0.42), (-0.22, 0.46),
        (-0.18, 0.24), (0.0, -0.06), (0.16, -0.3),
    )  # fmt: skip
    belly = smooth((0.42, -0.2), (0.34, -0.04), (0.18, 0.2), (-0.04, 0.4), (0.04, 0.14), (0.22, -0.14))
    far_wing = smooth(
        (0.22, -0.12), (0.5, -0.42 + lift), (0.6, -0.8 + lift), (0.42, -0.74 + lift), (0.16, -0.3)
    )
    near_wing = smooth(
        (0.16, -0.16), (0.08, -0.02), (-0.4, -0.34 + lift), (-0.82, -0.76 + lift), (-0.4, -0.64 + lift)
    )
    feathers = smooth((0.06, -0.12), (-0.3, -0.36 + lift), (-0.64, -0.66 + lift), (-0.34, -0.5 + lift))
    return [
        Shape(far_wing, (138, 130, 120)),
        Shape(angular((-0.1, 0.32), (0.0, 0.4), (-0.2, 0.78), (-0.27, 0.62), (-0.38, 0.7)), (62, 84, 50)),
        Shape(angular((0.4, -0.34), (0.95, -0.33), (0.95, -0.315), (0.4, -0.25)), BLACK),
        Shape(body, green),
        Shape(belly, vary(rng, (206, 216, 214))),
        Shape(
            smooth((0.38, -0.29), (0.45, -0.26), (0.4, -0.12), (0.28, -0.08), (0.28, -0.22)), (58, 22, 188)
        ),
        Shape(near_wing, (124, 116, 106)),
        Shape(feathers, (152, 146, 136)),
        *_eye(0.34, -0.31, 0.032),
    ]


def blue_jay(rng: np.random.Generator) -> list[Shape]:
    """Blue with crest, white face and belly, black necklace, barred wings and a long barred tail."""
    blue = vary(rng, (206, 122, 58))
    tail = smooth((-0.32, 0.06), (-0.36, 0.24), (-0.9, 0.5), (-1.16, 0.56), (-1.04, 0.38))
    back = smooth(
        (0.16, -0.5), (0.36, -0.55), (0.46, -0.46), (0.3, -0.4), (0.16, -0.2), (-0.1, -0.1), (-0.4, 0.1),
        (-0.2, -0.19), (0.04, -0.36),
    )  # fmt: skip
    necklace = smooth((0.2, -0.34), (0.24, -0.36), (0.3, -0.16), (0.44, -0.14), (0.43, -0.07), (0.26, -0.1))
    tail_bars = [(-0.58, 0.27), (-0.74, 0.35), (-0.9, 0.42)]
    return [
        *_legs(),
        Shape(tail, shade(blue, 0.9)),
        *_bars(tail_bars, (0.012, 0.075), BLACK, 28),
        Shape(oval(-1.04, 0.47, 0.04, 0.06, 28), WHITE),
        _crest(blue, rng.uniform(0.08, 0.16)),
        Shape(_songbird_body(0.04), (214, 212, 208)),
        Shape(back, blue),
        Shape(necklace, BLACK),
        Shape(angular((0.45, -0.42), (0.66, -0.35), (0.45, -0.28)), BLACK),
        Shape(_wing(1.05), blue),
        *_bars([(-0.1, 0.1), (-0.22, 0.15), (-0.34, 0.19)], (0.012, 0.06), BLACK, 20),
        Shape(smooth((0.06, 0.02), (0.04, 0.07), (-0.14, 0.05), (-0.12, 0.0)), WHITE),
        Shape(oval(-0.5, 0.245, 0.07, 0.02, 12), WHITE),
        *_eye(0.37, -0.39, 0.03),
    ]


SPECIES = (
    Species(class_id=17, class_name="017.Cardinal", relative_size=1.0, hovers=False, shapes=cardinal),
    Species(class_id=36, class_name="036.Northern_Flicker", relative_size=1.08, hovers=False, shapes=flicker),
    Species(
        class_id=47, class_name="047.American_Goldfinch", relative_size=0.86, hovers=False, shapes=goldfinch
    ),
    Species(
        class_id=68,
        class_name="068.Ruby_throated_Hummingbird",
        relative_size=0.84,
        hovers=True,
        shapes=hummingbird,
    ),
    Species(class_id=73, class_name="073.Blue_Jay", relative_size=1.08, hovers=False, shapes=blue_jay),
)
