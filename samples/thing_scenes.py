"""One picture: a background, some clutter, a thing with light and texture, something in front of it."""

from dataclasses import dataclass

import numpy as np

from samples.outlines import Colour, oval, shade
from samples.painting import Backdrop, Pixels, Place, draw_backdrop, expose, fill, paint
from samples.thing_shapes import Thing

# Width and height in pixels. The original's pictures have about 300, and all shapes; these are squares or
# nearly so: an endpoint squeezes a picture into the network's square and training crops it, so that on long
# pictures the accuracies of the two differ by several points, as users of the real algorithm report.
SIZES = (
    (300, 300), (250, 250), (280, 280), (320, 320), (400, 400), (200, 200), (480, 480),
    (300, 294), (294, 300),
)  # fmt: skip


@dataclass(frozen=True)
class Scene(Backdrop):
    """Colours of a place: what is out of focus, and the clutter before it."""

    clutter: tuple[Colour, ...]


SCENES = {
    "sky": Scene((222, 170, 110), (240, 226, 206), ((250, 244, 238), (236, 212, 180)), ((246, 240, 234),)),
    "meadow": Scene(
        (84, 136, 96),
        (70, 160, 110),
        ((120, 198, 160), (60, 110, 76), (150, 206, 190)),
        ((60, 130, 70), (90, 180, 120), (90, 200, 230), (200, 200, 240)),
    ),
    "sand": Scene(
        (214, 196, 160),
        (120, 176, 214),
        ((140, 196, 232), (100, 150, 190)),
        ((90, 130, 160), (150, 180, 200)),
    ),
    "room": Scene(
        (206, 210, 214),
        (150, 164, 184),
        ((226, 226, 230), (176, 186, 206)),
        ((160, 150, 190), (190, 170, 140)),
    ),
    "night": Scene(
        (52, 28, 22), (86, 50, 40), ((96, 56, 66), (60, 36, 30)), ((236, 240, 244), (200, 220, 250))
    ),
    "water": Scene(
        (190, 150, 70), (140, 96, 40), ((214, 180, 110), (150, 120, 50)), ((226, 206, 160), (110, 140, 70))
    ),
}


def draw_scene(thing: Thing, rng: np.random.Generator) -> Pixels:
    """A picture of one thing."""
    width, height = SIZES[rng.integers(len(SIZES))]
    scene = SCENES[thing.places[rng.integers(len(thing.places))]]
    pixels = draw_backdrop(scene, width, height, rng)
    _clutter(pixels, scene, rng, count=int(rng.integers(6, 24)))
    paint(pixels, thing.shapes(rng), choose_place(width, height, rng), rng)
    _clutter(pixels, scene, rng, count=int(rng.integers(0, 4)))
    return expose(pixels, rng)


def choose_place(width: int, height: int, rng: np.random.Generator) -> Place:
    """Somewhere around the middle, so that a square cut out of the middle still shows the thing."""
    size = min(width, height) * rng.uniform(0.26, 0.46)
    turn = np.deg2rad(rng.normal(0, 9))
    facing = rng.choice((-1.0, 1.0))
    matrix = size * np.array([[facing * np.cos(turn), -facing * np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    room = np.array([width, height]) / 2 - size
    return Place(matrix, np.array([width, height]) / 2 + room * rng.uniform(-0.5, 0.5, 2))


def _clutter(pixels: Pixels, scene: Scene, rng: np.random.Generator, *, count: int) -> None:
    """Pebbles, petals, bubbles or stars."""
    height, width = pixels.shape[:2]
    for _ in range(count):
        radius = min(width, height) * rng.uniform(0.006, 0.03)
        spot = oval(rng.uniform(0, width), rng.uniform(0, height), radius, radius * rng.uniform(0.5, 1), 30)
        fill(pixels, spot, shade(scene.clutter[rng.integers(len(scene.clutter))], rng.uniform(0.8, 1.15)))
