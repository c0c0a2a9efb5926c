"""Making and reading list files as MXNet's im2rec does.

Source: mxnet 1.9.1 tools/im2rec.py. Its order, its names and its way to write numbers are kept, so that the
same folder gives the same lists.
"""

import os
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from processing_scripts.contract import JobError, published
from processing_scripts.im2rec.options import Options
from processing_scripts.progress import tell

_SHUFFLE_SEED = 100
_MAX_ID = 2**64 - 1


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of a list; what is wrong with it, if something is."""

    number: int  # from 1
    index: int = 0  # of the picture
    labels: tuple[float, ...] = ()
    path: str = ""  # below the root
    fault: str | None = None

    @property
    def name(self) -> str:
        """For messages."""
        return self.path or f"row {self.number}"


def make_lists(options: Options) -> None:
    """Write the lists of a folder: one, or for each chunk, or for training, validation and test.

    Raises:
        JobError: a folder cannot be read, a list cannot hold a file's name, or a list cannot be written.
    """
    pictures = _find(options)
    order = list(range(len(pictures.paths)))
    if options.is_shuffled:
        random.Random(_SHUFFLE_SEED).shuffle(order)  # noqa: S311 (the order of MXNet's tool, no secret)
    size = (len(order) + options.chunks - 1) // options.chunks
    for number in range(options.chunks):
        stem = f"{options.prefix}_{number}" if options.chunks > 1 else f"{options.prefix}"
        chunk = order[number * size : (number + 1) * size]
        for suffix, part in _parts(chunk, size, options):
            _write(Path(f"{stem}{suffix}.lst"), pictures, part)
    if not order:
        kinds = " ".join(options.suffixes)
        hint = "" if options.is_recursive else "; folders below it want --recursive"
        tell(f"{options.root}: holds no file that ends in {kinds}; the list is empty{hint}")


def _parts(chunk: Sequence[int], size: int, options: Options) -> Iterator[tuple[str, Sequence[int]]]:
    if options.train_ratio == 1:
        yield "", chunk
        return
    train, test = int(size * options.train_ratio), int(size * options.test_ratio)
    if options.test_ratio:
        yield "_test", chunk[:test]
    if options.train_ratio + options.test_ratio < 1:
        yield "_val", chunk[test + train :]
    yield "_train", chunk[test : test + train]


@dataclass(frozen=True, kw_only=True)
class _Pictures:
    paths: list[str]  # below the root
    labels: list[int]


def _find(options: Options) -> _Pictures:
    pictures = _Pictures(paths=[], labels=[])
    root = str(options.root)
    if options.is_recursive:
        labels: dict[str, int] = {}  # by folder, as they come
        for folder, names in _walk(root):
            for name in names:
                if _is_picture(folder, name, options):
                    pictures.labels.append(labels.setdefault(folder, len(labels)))
                    pictures.paths.append(_listable(os.path.relpath(f"{folder}/{name}", root), root))
        for folder, label in labels.items():
            tell(f"{os.path.relpath(folder, root)} {label}")
    else:
        for name in sorted(os.listdir(root)):  # noqa: PTH208 (names alone)
            if _is_picture(root, name, options):
                pictures.labels.append(0)
                pictures.paths.append(_listable(name, root))
    return pictures


def _walk(root: str) -> Iterator[tuple[str, list[str]]]:
    """Folders with their sorted file names: a folder's own first, links followed, but not in circles."""
    for folder, folders, names in os.walk(root, followlinks=True, onerror=_refuse):
        around = {os.path.realpath(folder)}
        around |= {str(path) for path in Path(os.path.realpath(folder)).parents}
        folders[:] = sorted(
            name
            for name in folders
            if not _is_circle(os.path.join(folder, name), around)  # noqa: PTH118
        )
        yield folder, sorted(names)


def _refuse(error: OSError) -> NoReturn:
    raise JobError(f"{error.filename}: {error.strerror}; make the folder readable, or leave it out") from None


def _is_circle(path: str, around: set[str]) -> bool:
    return os.path.islink(path) and os.path.realpath(path) in around  # noqa: PTH114


def _is_picture(folder: str, name: str, options: Options) -> bool:
    return os.path.splitext(name)[1].lower() in options.suffixes and os.path.isfile(f"{folder}/{name}")  # noqa: PTH113, PTH122


def _listable(path: str, root: str) -> str:
    """Tabs and line ends separate the fields and rows of a list, and readers strip the fields."""
    if path != path.strip() or any(
        character in path for character in "\t\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"
    ):
        raise JobError(f"{root}: the name {path!r} does not fit into a list; rename the file or its folder")
    try:
        path.encode()
    except UnicodeEncodeError:
        raise JobError(f"{root}: the name {path!r} is not UTF-8; rename the file or its folder") from None
    return path


def _write(path: Path, pictures: _Pictures, chosen: Sequence[int]) -> None:
    with published(path) as file:
        for position in chosen:
            line = f"{position}\t{pictures.labels[position]:f}\t{pictures.paths[position]}\n"
            file.write(line.encode())


def find_lists(prefix: Path) -> list[Path]:
    """The lists of a prefix: files beside it whose names begin with it; of a folder all lists in it.

    Raises:
        JobError: there is none.
    """
    folder = prefix if prefix.is_dir() else prefix.parent
    found = sorted(folder.glob("*.lst")) if folder.is_dir() else []
    lists = [path for path in found if str(path).startswith(str(prefix)) and path.is_file()]
    if not lists:
        raise JobError(f"{prefix}: no list begins with it; write one with --list, or give another prefix")
    return lists


def read_rows(path: Path) -> Iterator[Row]:
    """The rows of a list, one after the other; blank ones are none.

    Raises:
        JobError: the file cannot be read.
    """
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if line.strip():
                yield _parse(number, line)


def _parse(number: int, line: bytes) -> Row:
    try:
        fields = [field.strip() for field in line.decode().strip().split("\t")]
    except UnicodeDecodeError:
        return Row(number=number, fault="is not UTF-8 text")
    if len(fields) < 3:
        return Row(number=number, fault="needs index, label and path, with tabs between them")
    try:
        index, labels = int(fields[0]), tuple(map(float, fields[1:-1]))
    except ValueError as error:
        return Row(number=number, fault=str(error))
    if not 0 <= index <= _MAX_ID:
        return Row(number=number, fault=f"index {index} is not one of 0, 1, 2 ...")
    return Row(number=number, index=index, labels=labels, path=fields[-1])
