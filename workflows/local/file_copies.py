"""Copies of files, as cheap as the file system allows."""

import errno
import os
import shutil
from pathlib import Path

# Kernels and file systems without copy_file_range, or pairs of them.
_NO_COPY_RANGE = {errno.ENOSYS, errno.EXDEV, errno.EINVAL, errno.EOPNOTSUPP, errno.EPERM}


def link_or_copy(path: Path, target: Path) -> None:
    """Make a hard link to a file that nobody changes, or a copy where that is not possible."""
    try:
        os.link(path, target)
    except OSError:
        # Another file system, one without hard links, or one that allows no more of them.
        shutil.copy2(path, target)


def copy_file(path: Path, target: Path) -> None:
    """Copy a file's content; blocks are shared where the file system can."""
    try:
        _copy_range(path, target)
    except OSError as error:
        if error.errno not in _NO_COPY_RANGE:
            raise
        shutil.copyfile(path, target)


def _copy_range(path: Path, target: Path) -> None:
    if not hasattr(os, "copy_file_range"):
        raise OSError(errno.ENOSYS, "only Linux has it")
    with path.open("rb") as source, target.open("wb") as copy:
        left = os.fstat(source.fileno()).st_size
        while left and (done := os.copy_file_range(source.fileno(), copy.fileno(), left)):
            left -= done
