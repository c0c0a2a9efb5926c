"""Which format a folder of annotated pictures is in, and reading it."""

import contextlib
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from processing_scripts.contract import JobError
from processing_scripts.datasets import archive, box_table, coco, cub, voc
from processing_scripts.datasets.detection import DetectionSet

AUTO, CUB = "auto", "cub"
ARCHIVE = f"{cub.FOLDER}.tgz"


@dataclass(frozen=True, kw_only=True)
class Format:
    """How to notice a data set's format, and how to read it."""

    name: str
    looks_like: str  # for a message
    find: Callable[[Path], list[Path]]  # the files or folders in a folder that look like it
    load: Callable[[Path, list[Path]], DetectionSet]  # of the folder, and what was found in it


_FORMATS = (
    Format(
        name="coco",
        looks_like="COCO's .json files, such as annotations/instances_train.json",
        find=coco.find,
        load=coco.load,
    ),
    Format(name="voc", looks_like="Annotations/*.xml", find=voc.find, load=voc.load),
    Format(
        name="csv",
        looks_like=f"a .csv file whose first row is {','.join(box_table.REQUIRED)}",
        find=box_table.find,
        load=box_table.load,
    ),
)
NAMES = (AUTO, CUB, *(single.name for single in _FORMATS))


@contextlib.contextmanager
def opened(folder: Path, wanted: str) -> Iterator[DetectionSet]:
    """Read the data set in a folder; an archive is unpacked for the time of the block, never into the input.

    Args:
        folder: the input.
        wanted: one of NAMES; "auto" takes the one that the folder looks like.

    Raises:
        JobError: the folder looks like none or several of the formats, or the data set is faulty.
    """
    found = {single: single.find(folder) for single in _FORMATS if wanted in (AUTO, single.name)}
    found = {single: paths for single, paths in found.items() if paths}
    cub_folder = cub.find(folder) if wanted in (AUTO, CUB) else None
    has_archive = wanted in (AUTO, CUB) and (folder / ARCHIVE).is_file()
    if cub_folder or has_archive:
        _check_alone(folder, {CUB: cub_folder or folder / ARCHIVE}, found)
        with contextlib.nullcontext(cub_folder) if cub_folder else _unpacked(folder / ARCHIVE) as tables:
            yield cub.load(tables)
        return
    if not found:
        raise JobError(f"{folder}: {_nothing_found(folder, wanted)}; point the input at the data set")
    _check_alone(folder, {}, found)
    single, paths = found.popitem()
    yield single.load(folder, paths)


def _check_alone(folder: Path, cub_place: Mapping[str, Path], found: Mapping[Format, list[Path]]) -> None:
    seen = dict(cub_place)
    seen |= {single.name: paths[0] for single, paths in found.items()}
    if len(seen) > 1:
        listed = " and ".join(f"{name} ({path.relative_to(folder)})" for name, path in seen.items())
        raise JobError(f"{folder}: looks like {listed}; say which with --format")


def _nothing_found(folder: Path, wanted: str) -> str:
    there = ", ".join(sorted(path.name for path in folder.iterdir())[:5]) if folder.is_dir() else ""
    fault = f"but {there or 'nothing'}"
    if wanted in (AUTO, CUB):
        fault = f"holds neither {cub.FOLDER}/{cub.IMAGES} nor {ARCHIVE}, {fault}"
    else:
        fault = f"holds no {wanted} data set, {fault}"
    others = [single.looks_like for single in _FORMATS if wanted in (AUTO, single.name)]
    return f"{fault}, and not {' nor '.join(others)}" if others else fault


@contextlib.contextmanager
def _unpacked(packed: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="unpacked-") as scratch:
        archive.unpack(packed, Path(scratch), wanted=_is_wanted)
        if not (Path(scratch) / cub.FOLDER / cub.IMAGES).is_file():
            raise JobError(f"{packed}: holds no {cub.FOLDER}/{cub.IMAGES}; is it the data set's archive?")
        yield Path(scratch) / cub.FOLDER


def _is_wanted(member: str) -> bool:
    tables = {f"{cub.FOLDER}/{name}" for name in cub.TABLES}
    return member in tables or member.startswith(f"{cub.FOLDER}/{cub.PICTURES}/")
