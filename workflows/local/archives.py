"""Writes what a job left as a .tar.gz, the same bytes for the same files."""

import gzip
import tarfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath


def write_archive(entries: Mapping[PurePosixPath, Path], archive: Path) -> None:
    """Write files, folders and links under these names, in their order.

    Owners and times are left out: two jobs that do the same make the same archive.
    """
    # Level 1: weights hardly compress, and nobody should wait for it.
    with (
        archive.open("wb") as file,
        gzip.GzipFile("", "wb", compresslevel=1, fileobj=file, mtime=0) as compressed,
        tarfile.open(fileobj=compressed, mode="w") as tar,
    ):
        for name, path in entries.items():
            tar.add(path, arcname=str(name), recursive=False, filter=_anonymous)


def _anonymous(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    entry.mtime = 0
    return entry
