"""Brings what the hosts of a job have written together, as SageMaker does: one set of names for all."""

import filecmp
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PurePosixPath


def merge(folders: Mapping[str, Path], warn: Callable[[str], None]) -> dict[PurePosixPath, Path]:
    """Everything below the folders, by its path inside them, folders before what is in them.

    Where several hosts have written the same name, the last one's counts. On SageMaker it is whichever comes
    last, so this is told if it makes a difference.

    Args:
        folders: by host, in their order.
        warn: told a line for each such name.
    """
    found: dict[PurePosixPath, tuple[str, Path]] = {}
    for host, folder in folders.items():
        for path in _below(folder):
            relative = PurePosixPath(path.relative_to(folder).as_posix())
            earlier_host, earlier = found.get(relative, (host, path))
            if not _same(earlier, path):
                warn(
                    f"WARNING {earlier_host} and {host} wrote different '{relative}': {host}'s is kept; "
                    "on SageMaker it is whichever comes last, so name files by their host"
                )
            found[relative] = (host, path)
    return {relative: found[relative][1] for relative in sorted(found, key=lambda path: path.parts)}


def _below(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        yield path
        if path.is_dir() and not path.is_symlink():
            yield from _below(path)


def _same(one: Path, other: Path) -> bool:
    if one == other:
        return True
    if one.is_symlink() or other.is_symlink():
        return one.is_symlink() and other.is_symlink() and one.readlink() == other.readlink()
    if one.is_file() and other.is_file():
        return filecmp.cmp(one, other, shallow=False)
    return one.is_dir() and other.is_dir()
