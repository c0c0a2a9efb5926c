"""Draws a small data set in the layout of CUB-200-2011, so that everything runs without a download.

    python -m samples.birds --output DIR [--images-per-species 90] [--seed 0]

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
from samples.bird_scenes import draw_scene
from samples.bird_shapes import SPECIES, Species
from samples.publishing import SampleError, draw_all, write_jpeg

FOLDER = "CUB_200_2011"
TRAIN_SHARE = 2 / 3
JPEG_QUALITY = 90
# Species and picture number of the single-channel files; the original has a few of them too.
GREYSCALE = {(36, 5), (73, 8)}

README = """Drawn birds in the layout of CUB-200-2011
==========================================

THESE PICTURES ARE DRAWN BY A PROGRAM. They are not photographs, and nothing in them comes from the
Caltech-UCSD Birds-200-2011 data set: only the file layout, the five class names and their numbers are
the same, so that what reads the one reads the other. A score reached on them says nothing about birds.

Drawn with: python -m samples.birds --images-per-species {images_per_species} --seed {seed}

images.txt               image_id path
image_class_labels.txt   image_id class_id
classes.txt              class_id class_name
train_test_split.txt     image_id is_training_image (1 or 0)
bounding_boxes.txt       image_id x y width height, in pixels from the top left corner
"""


@dataclass(frozen=True, kw_only=True)
class Picture:
    """One picture to draw."""

    image_id: int  # from 1, successive
    species: Species
    number: int  # within its species, from 1
    is_training: bool
    seed: int

    @property
    def path(self) -> str:
        """Below images/, like those of the original: folder, species, number, a longer number."""
        folder = self.species.class_name
        name = folder.split(".")[1]
        return f"{folder}/{name}_{self.number:04d}_{self.species.class_id * 1000 + self.number}.jpg"


@dataclass(frozen=True, kw_only=True)
class Box:
    """A bounding box in pixels, from the top left corner."""

    left: float
    top: float
    width: float
    height: float


def plan(images_per_species: int, seed: int) -> list[Picture]:
    """Every picture of the data set, in the order of their ids."""
    pictures: list[Picture] = []
    for species in SPECIES:
        order = np.random.default_rng([seed, species.class_id]).permutation(images_per_species)
        training = set(order[: round(images_per_species * TRAIN_SHARE)].tolist())
        for index in range(images_per_species):
            pictures.append(
                Picture(
                    image_id=len(pictures) + 1,
                    species=species,
                    number=index + 1,
                    is_training=index in training,
                    seed=seed,
                )
            )
    return pictures


def draw(picture: Picture, folder: Path) -> Box:
    """Draw one picture into `folder` and return the box around its bird."""
    rng = np.random.default_rng([picture.seed, picture.species.class_id, picture.number])
    pixels, mask = draw_scene(picture.species, rng)
    grey = (picture.species.class_id, picture.number) in GREYSCALE
    stored = cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY) if grey else pixels
    write_jpeg(folder / picture.path, stored, quality=JPEG_QUALITY)
    left, top, width, height = cv2.boundingRect(mask)
    return Box(left=left, top=top, width=width, height=height)


def write_data_set(folder: Path, *, images_per_species: int, seed: int) -> None:
    """Draw the whole data set into the new folder `folder`."""
    pictures = plan(images_per_species, seed)
    for species in SPECIES:
        (folder / "images" / species.class_name).mkdir(parents=True)
    boxes = draw_all(partial(draw, folder=folder / "images"), pictures)
    _write_tables(folder, pictures, boxes)


def _write_tables(folder: Path, pictures: Sequence[Picture], boxes: Sequence[Box]) -> None:
    tables = {
        "classes.txt": [f"{species.class_id} {species.class_name}" for species in SPECIES],
        "images.txt": [f"{picture.image_id} {picture.path}" for picture in pictures],
        "image_class_labels.txt": [f"{picture.image_id} {picture.species.class_id}" for picture in pictures],
        "train_test_split.txt": [f"{picture.image_id} {int(picture.is_training)}" for picture in pictures],
        "bounding_boxes.txt": [
            f"{picture.image_id} {box.left:.1f} {box.top:.1f} {box.width:.1f} {box.height:.1f}"
            for picture, box in zip(pictures, boxes, strict=True)
        ],
    }
    for name, lines in tables.items():
        (folder / name).write_text("".join(f"{line}\n" for line in lines))


def publish(output: Path, *, images_per_species: int, seed: int) -> bool:
    """Draw into output/CUB_200_2011, which appears whole or not at all.

    Returns:
        False if just these pictures are there already, and nothing had to be drawn.

    Raises:
        SampleError: `output` holds something else.
    """
    return publishing.publish(
        output,
        FOLDER,
        readme=README.format(images_per_species=images_per_species, seed=seed),
        write=partial(write_data_set, images_per_species=images_per_species, seed=seed),
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m samples.birds", description="Draw the sample birds.")
    parser.add_argument("--output", type=Path, required=True, help=f"folder that gets {FOLDER}/")
    parser.add_argument("--images-per-species", type=int, default=90)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    if options.images_per_species < 2 or options.seed < 0:
        parser.error("--images-per-species is at least 2 and --seed at least 0")
    try:
        drawn = publish(options.output, images_per_species=options.images_per_species, seed=options.seed)
    except SampleError as error:
        sys.stderr.write(f"ERROR {error}\n")
        return 1
    count = options.images_per_species * len(SPECIES)
    sys.stdout.write(
        f"{options.output / FOLDER}: {count} pictures {'drawn' if drawn else 'were there already'}\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
