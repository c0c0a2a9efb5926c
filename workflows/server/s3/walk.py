"""Walks a bucket in the order of S3's lists: by the UTF-8 bytes of the keys."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path

from workflows.local.object_keys import leaves_the_tree, to_folder, to_part

_NOT_THERE = {errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG}


class Walk:
    """The objects of a bucket whose keys have a prefix, and come after a key."""

    def __init__(self, bucket: Path, *, prefix: str = "", after: str = "") -> None:
        """Nothing is read yet; `bucket` is its folder."""
        self._bucket, self._prefix, self._after = bucket, prefix, after
        self._skipped = ""

    def skip(self, prefix: str) -> None:
        """Leave out what is left of the keys with this prefix, which is not empty."""
        self._skipped = prefix

    def __iter__(self) -> Iterator[tuple[str, str]]:
        """Keys and paths; read while they are asked for, so that the first come at once."""
        base = self._prefix[: self._prefix.rfind("/") + 1]
        if leaves_the_tree(base):
            return
        # No recursion: clients choose how deep it goes.
        open_folders = [_entries(os.fspath(self._bucket / to_folder(base)), base)]
        while open_folders:
            for key, path, is_folder in open_folders[-1]:
                if is_folder and self._may_hold(key):
                    open_folders.append(_entries(path, key))
                    break
                if not is_folder and self._is_wanted(key):
                    yield key, path
            else:
                open_folders.pop()

    def _is_wanted(self, key: str) -> bool:
        return key > self._after and key.startswith(self._prefix) and not self._is_skipped(key)

    def _may_hold(self, folder: str) -> bool:
        """Whether a wanted key may begin like this, which ends with '/'."""
        is_before = folder <= self._after and not self._after.startswith(folder)
        is_on_the_way = folder.startswith(self._prefix) or self._prefix.startswith(folder)
        return is_on_the_way and not is_before and not self._is_skipped(folder)

    def _is_skipped(self, key: str) -> bool:
        return bool(self._skipped) and key.startswith(self._skipped)


def _entries(folder: str, base: str) -> Iterator[tuple[str, str, bool]]:
    """Key, path and kind of what is in a folder, in order; a folder's key ends with '/'."""
    found: list[tuple[str, str, bool]] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                is_folder = entry.is_dir(follow_symlinks=False)
                if (is_folder or entry.is_file(follow_symlinks=False)) and _is_text(entry.name):
                    found.append((base + to_part(entry.name) + "/" * is_folder, entry.path, is_folder))
    except OSError as error:
        if error.errno not in _NOT_THERE:
            raise
    # Unlike UTF-16, UTF-8 sorts as the numbers of the characters do, which is how strings compare.
    return iter(sorted(found))


def _is_text(name: str) -> bool:
    """Whether a name is UTF-8; a job's file that is not cannot have a key."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
