"""Pictures in one folder per class, as Caltech-256 and most people keep them, and the split of such a tree.

A class is a folder; the pictures are the files in it that end in .jpg, .jpeg or .png. All else is stray,
which Caltech-256 has some of (198.spider/RENAME2, 056.dog/greg/vision309): it is named and left alone.

Source: Griffin, Holub and Perona, Caltech-256 Object Category Dataset, CNS-TR-2007-001.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from processing_scripts.contract import JobError
from processing_scripts.outputs import is_safe_relative

CALTECH = "256_ObjectCategories"
SUFFIXES = (".jpg", ".jpeg", ".png")
MAX_NAMED = 8  # classes in one message, which SageMaker cuts at 1 KB


@dataclass(frozen=True, kw_only=True)
class ClassFolder:
    """One class."""

    folder: str
    pictures: tuple[str, ...]  # file names, sorted

    @property
    def name(self) -> str:
        """The folder without Caltech's number: 025.cactus is cactus."""
        return class_name(self.folder)


@dataclass(frozen=True, kw_only=True)
class ClassTree:
    """A tree of class folders; a class's label is its position."""

    root: Path
    classes: tuple[ClassFolder, ...]  # sorted by folder
    strays: tuple[str, ...]  # files, and folders without files, below the root


@dataclass(frozen=True, kw_only=True)
class Picture:
    """One picture of a data set."""

    index: int  # position among all pictures
    label: int | tuple[int, ...]  # the class, or for each class a 0 or 1
    path: str  # below the root, with "/"
    is_training: bool


@dataclass(frozen=True, kw_only=True)
class SplitRule:
    """How many pictures of every class are for training; the rest is for validation."""

    training_per_class: int
    train_ratio: float  # used instead if above 0
    seed: int

    def training(self, pictures: int) -> int:
        """How many of a class's pictures are for training; may be more than there are."""
        return round(pictures * self.train_ratio) if self.train_ratio else self.training_per_class

    def draw(self, name: str, pictures: int) -> NDArray[np.int64]:
        """The positions of those for training, drawn with the seed and the class's name."""
        order = np.random.default_rng([self.seed, *name.encode()]).permutation(pictures)
        return order[: self.training(pictures)]


def class_name(folder: str) -> str:
    """A class's name: what follows a number and a dot, else the whole."""
    return re.sub(r"^\d+\.(?=.)", "", folder)


def scan(root: Path) -> ClassTree:
    """Find the classes and their pictures.

    Raises:
        JobError: fewer than two classes, two of the same name, or a file name that no list can hold.
    """
    strays: list[str] = []
    classes: list[ClassFolder] = []
    for folder in sorted(root.iterdir()):
        if _is_hidden(folder) or not folder.is_dir():
            strays.append(folder.name)
            continue
        pictures = [entry for entry in sorted(folder.iterdir()) if _is_picture(entry)]
        others = set(folder.iterdir()) - set(pictures)
        strays += [stray for entry in others for stray in _leaves(entry, root)]
        classes.append(ClassFolder(folder=folder.name, pictures=tuple(picture.name for picture in pictures)))
    _check(root, classes)
    return ClassTree(root=root, classes=tuple(classes), strays=tuple(sorted(map(_printable, strays))))


def _is_hidden(path: Path) -> bool:
    """Such as .DS_Store, or ._x.jpg, which is no picture although it is called so."""
    return path.name.startswith(".")


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and not _is_hidden(path) and path.is_file()


def _leaves(path: Path, root: Path) -> Iterator[str]:
    inside = sorted(path.iterdir()) if path.is_dir() and not path.is_symlink() else []
    if not inside:
        yield path.relative_to(root).as_posix()
    for entry in inside:
        yield from _leaves(entry, root)


def _printable(name: str) -> str:
    """A file name that is not UTF-8 cannot be written into a report."""
    return name.encode(errors="backslashreplace").decode()


def _check(root: Path, classes: Sequence[ClassFolder]) -> None:
    if len(classes) < 2:
        raise JobError(
            f"{root}: holds {len(classes)} class folders, and a classifier needs two; "
            "pictures belong in CLASS/NAME.jpg below it"
        )
    folders: dict[str, str] = {}
    for single in classes:
        for picture in single.pictures:
            if not is_safe_relative(f"{single.folder}/{picture}"):
                raise JobError(f"{_printable(f'{root}/{single.folder}/{picture}')!r}: rename it; unprintable")
        other = folders.setdefault(single.name, single.folder)
        if other != single.folder:
            raise JobError(
                f"{root}: the folders {other} and {single.folder} are both the class '{single.name}'; "
                "rename one, or put the pictures of both into one"
            )


def draw_split(classes: Iterable[ClassFolder], rule: SplitRule) -> list[Picture]:
    """Every picture in the order of its path, at random for training or validation.

    The pictures of a class are drawn with the seed and the class's folder, so the split depends neither on
    the file system's order nor on the other classes.

    Raises:
        JobError: classes have too few pictures; the message names them.
    """
    classes = tuple(classes)
    check_sizes({single.folder: len(single.pictures) for single in classes}, rule)
    pictures: list[Picture] = []
    for label, single in enumerate(classes):
        count = len(single.pictures)
        training = set(rule.draw(single.folder, count).tolist())
        for position, name in enumerate(single.pictures):
            pictures.append(
                Picture(
                    index=len(pictures),
                    label=label,
                    path=f"{single.folder}/{name}",
                    is_training=position in training,
                )
            )
    return pictures


def check_sizes(sizes: Mapping[str, int], rule: SplitRule) -> None:
    """Check that every class has a picture for training and one for validation.

    Args:
        sizes: class -> how many pictures it has.
        rule: how they will be split.

    Raises:
        JobError: classes have too few; the message names them.
    """
    short = {name: count for name, count in sizes.items() if not 0 < rule.training(count) < count}
    if not short:
        return
    listed = named([f"{name} ({count})" for name, count in short.items()])
    if rule.train_ratio:
        raise JobError(
            f"--train-ratio {rule.train_ratio:g} leaves no picture for training or none for validation in: "
            f"{listed}; choose another ratio, or add pictures"
        )
    smallest = min(sizes.values())
    remedy = f"use --training-per-class {smallest - 1} or fewer" if smallest > 1 else "add pictures"
    raise JobError(
        f"--training-per-class {rule.training_per_class} and at least one picture for validation need "
        f"{rule.training_per_class + 1} pictures a class; too few in: {listed}; {remedy}, or leave these "
        "classes out"
    )


def named(items: Collection[str]) -> str:
    """The first of the items, and how many more there are."""
    more = len(items) - MAX_NAMED
    return ", ".join(list(items)[:MAX_NAMED]) + (f" and {more} more" if more > 0 else "")
