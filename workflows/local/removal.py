"""Deletes files and folders below one folder and nowhere else: follows no symbolic link, enters no mount."""

import os
import re
import stat
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from itertools import groupby
from pathlib import Path

from workflows.definition.errors import WorkflowError
from workflows.local.trees import remove_tree

_MOUNTS = Path("/proc/self/mountinfo")
_MOUNT_POINT = 4  # field of a line in mountinfo
_ESCAPED = re.compile(rb"\\([0-7]{3})")


class NotRemovable(WorkflowError):
    """Removing this could change something that is not ours."""


class Remover:
    """Removes what lies below a folder, and counts what that frees."""

    def __init__(self, home: Path) -> None:
        """Nothing is removed before the first call."""
        self._home = home
        self.freed = 0  # bytes

    def files(self, paths: Iterable[Path]) -> None:
        """Remove files; nothing happens where there is none.

        Raises:
            NotRemovable: one is outside, or reached through a symbolic link.
            OSError: one stays.
        """
        for folder, entries in groupby(paths, key=lambda path: path.parent):
            self._check(folder)
            for path in entries:
                self._unlink(path)

    def _unlink(self, path: Path) -> None:
        try:
            found = path.lstat()
            path.unlink()
        except FileNotFoundError:
            return
        if stat.S_ISREG(found.st_mode) and found.st_nlink == 1:
            self.freed += found.st_size

    def tree(self, folder: Path, *, keep: Collection[Path] = ()) -> None:
        """Remove a folder with all that is in it, apart from some files; nothing happens if there is none.

        Raises:
            NotRemovable: it is outside, reached through a symbolic link, or something is mounted in it.
            OSError: something of it stays.
        """
        if reason := obstacle(self._home, folder):
            raise NotRemovable(f"{reason}; nothing of it is removed")
        if not folder.is_dir():
            return
        if not any(path.is_relative_to(folder) for path in keep):
            freed = size_of_last_links(files_of(folder))
            remove_tree(folder)
            self.freed += freed
            return
        for entry in sorted(folder.iterdir()):
            if entry.is_dir() and not entry.is_symlink():
                self.tree(entry, keep=keep)
            elif entry not in keep:
                self._unlink(entry)

    def empty_folders(self, folder: Path, *, named: str) -> None:
        """Remove a folder and those above it as long as they are empty and `named` is in their paths."""
        self._check(folder)
        while any(named in part for part in folder.relative_to(self._home).parts):
            try:
                folder.rmdir()
            except OSError:
                return  # not empty, or gone
            folder = folder.parent

    def _check(self, folder: Path) -> None:
        if reason := _way_out(self._home, folder):
            raise NotRemovable(f"{reason}; nothing of it is removed")


def obstacle(home: Path, folder: Path) -> str | None:
    """Why a folder must not be removed, or None."""
    if folder == home:
        return f"{home} holds everything"
    if reason := _way_out(home, folder):
        return reason
    # Symbolic links can be above `home` only, and mount points are real paths.
    real = folder.resolve()
    mounted = next((mount for mount in _mounts() if mount.is_relative_to(real)), None)
    return f"something is mounted at {mounted}" if mounted else None


def _way_out(home: Path, folder: Path) -> str | None:
    """Why what is in a folder would not be below `home`, or None."""
    if not folder.is_relative_to(home) or ".." in folder.parts:
        return f"{folder} is not in {home}"
    for part in (folder, *folder.parents):
        if part == home:
            break
        if part.is_symlink():
            return f"{part} is a symbolic link"
    return None


def size_of_last_links(paths: Iterable[Path]) -> int:
    """The bytes that removing these files frees: of each file of which no other link stays, once."""
    sizes: dict[tuple[int, int], int] = {}
    left: Counter[tuple[int, int]] = Counter()
    for path in paths:
        try:
            found = path.lstat()
        except FileNotFoundError:
            continue
        if stat.S_ISREG(found.st_mode):
            file = (found.st_dev, found.st_ino)
            if file not in sizes:
                sizes[file], left[file] = found.st_size, found.st_nlink
            left[file] -= 1
    return sum(size for file, size in sizes.items() if left[file] <= 0)


def files_of(folder: Path) -> Iterator[Path]:
    """Everything in a folder and its folders that is no folder; symbolic links are not followed."""
    for base, _, names in os.walk(folder):
        for name in names:
            yield Path(base, name)


def _mounts() -> Iterator[Path]:
    if not _MOUNTS.is_file():
        return
    for line in _MOUNTS.read_bytes().splitlines():
        point = line.split(b" ")[_MOUNT_POINT]
        # A blank is \040 there.
        yield Path(os.fsdecode(_ESCAPED.sub(lambda found: bytes([int(found[1], 8)]), point)))
