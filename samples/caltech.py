"""Draws a small data set in the layout of Caltech-256, so that everything runs without a download.

    python -m samples.caltech --output DIR [--classes 8] [--images-per-class 90] [--seed 0]

The same arguments always draw the same bytes. The pictures are drawings, and their README says so.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from samples import publishing
from samples.publishing import SampleError, draw_all, write_jpeg
from samples.thing_scenes import draw_scene
from samples.thing_shapes import THINGS, Thing

FOLDER = "256_ObjectCategories"
JPEG_QUALITY = 90
# Category and picture number of the single-channel files; the original has some of them too.
GREYSCALE = {(198, 2), (56, 4)}
# What the original's folders hold besides pictures: a file, and an empty folder in a folder.
STRAY_FILE, STRAY_FOLDER = Path("198.spider", "RENAME2"), Path("056.dog", "greg", "vision309")

README = """Drawn things in the layout of Caltech-256
=========================================

THESE PICTURES ARE DRAWN BY A PROGRAM. They are not photographs, and nothing in them comes from the
Caltech-256 data set: only the file layout, the names of {classes} categories and their numbers are the
same, so that what reads the one reads the other. A score reached on them says nothing about photographs.

Drawn with: python -m samples.caltech --classes {classes} --images-per-class {images_per_class} --seed {seed}

NNN.name/NNN_MMMM.jpg                      picture MMMM of category NNN
198.spider/RENAME2, 056.dog/greg/vision309 no pictures; they lie where the original has them
"""


@dataclass(frozen=True, kw_only=True)
class Picture:
    """One picture to draw."""

    thing: Thing
    number: int  # within its category, from 1
    seed: int

    @property
    def path(self) -> str:
        """Below the data set's folder."""
        return f"{self.thing.folder}/{self.thing.number:03d}_{self.number:04d}.jpg"


def plan(classes: int, images_per_class: int, seed: int) -> list[Picture]:
    """Every picture of the data set, in the order of its path."""
    things = sorted(THINGS[:classes], key=lambda thing: thing.number)
    return [
        Picture(thing=thing, number=number, seed=seed)
        for thing in things
        for number in range(1, images_per_class + 1)
    ]


def draw(picture: Picture, folder: Path) -> None:
    """Draw one picture into `folder`."""
    pixels = draw_scene(
        picture.thing, np.random.default_rng([picture.seed, picture.thing.number, picture.number])
    )
    grey = (picture.thing.number, picture.number) in GREYSCALE
    stored = cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY) if grey else pixels
    write_jpeg(folder / picture.path, stored, quality=JPEG_QUALITY)


def write_data_set(folder: Path, *, classes: int, images_per_class: int, seed: int) -> None:
    """Draw the whole data set into the new folder `folder`."""
    pictures = plan(classes, images_per_class, seed)
    for name in sorted({picture.thing.folder for picture in pictures}):
        (folder / name).mkdir(parents=True)
    (folder / STRAY_FOLDER).mkdir(parents=True)
    (folder / STRAY_FILE).write_text("This file is not a picture.\n")
    draw_all(partial(draw, folder=folder), pictures)


def publish(output: Path, *, classes: int, images_per_class: int, seed: int) -> bool:
    """Draw into output/256_ObjectCategories, which appears whole or not at all.

    Returns:
        False if just these pictures are there already, and nothing had to be drawn.

    Raises:
        SampleError: `output` holds something else.
    """
    return publishing.publish(
        output,
        FOLDER,
        readme=README.format(classes=classes, images_per_class=images_per_class, seed=seed),
        write=partial(write_data_set, classes=classes, images_per_class=images_per_class, seed=seed),
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m samples.caltech", description="Draw sample pictures of things."
    )
    parser.add_argument("--output", type=Path, required=True, help=f"folder that gets {FOLDER}/")
    parser.add_argument("--classes", type=int, default=8, help=f"2 to {len(THINGS)}")
    parser.add_argument("--images-per-class", type=int, default=90)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    if not 2 <= options.classes <= len(THINGS):
        parser.error(f"--classes is a number from 2 to {len(THINGS)}")
    if options.images_per_class < 2 or options.seed < 0:
        parser.error("--images-per-class is at least 2 and --seed at least 0")
    chosen = {name: getattr(options, name) for name in ("classes", "images_per_class", "seed")}
    try:
        drawn = publish(options.output, **chosen)
    except SampleError as error:
        sys.stderr.write(f"ERROR {error}\n")
        return 1
    count = options.classes * options.images_per_class
    sys.stdout.write(
        f"{options.output / FOLDER}: {count} pictures {'drawn' if drawn else 'were there already'}\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
