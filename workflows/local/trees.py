"""Removes the folder trees that jobs leave."""

import errno
import shutil
import time
from pathlib import Path

# How long the processes of a job may need to end after their kill.
_TRIES, _PAUSE_S = 20, 0.05
_SOMEBODY_WRITES = {errno.ENOTEMPTY, errno.ENOENT}


def remove_tree(folder: Path) -> None:
    """Remove a folder and all that is in it; nothing happens if there is none.

    Raises:
        OSError: something of it stays, for example because somebody still writes there.
    """
    for left in reversed(range(_TRIES)):
        if not folder.is_dir():
            return
        try:
            _remove(folder)
        except OSError as error:
            if error.errno not in _SOMEBODY_WRITES or left == 0:
                raise
            time.sleep(_PAUSE_S)


def _remove(folder: Path) -> None:
    try:
        shutil.rmtree(folder)
    except PermissionError:
        # Jobs leave folders that they made read-only, and overlays one that nobody may read.
        _make_writable(folder)
        shutil.rmtree(folder)


def _make_writable(folder: Path) -> None:
    folder.chmod(0o700)
    for entry in folder.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            _make_writable(entry)
