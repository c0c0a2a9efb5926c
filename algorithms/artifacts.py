"""Model artifacts from outside: model.tar.gz in a `model` channel. They are taken as hostile."""

import shutil
import tarfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from processing_scripts.contract import JobError

ARCHIVE = "model.tar.gz"


def file_names(folder: Path, *, total: int) -> set[str]:
    """The names of an artifact's files, without unpacking one.

    Args:
        folder: the channel.
        total: most bytes of all files together, unpacked.

    Raises:
        JobError: as `collect`.
    """
    archive = folder / ARCHIVE
    if archive.is_file():
        return _extract(archive, {}, folder, total)
    return {path.name for path in folder.iterdir() if path.is_file() and not path.is_symlink()}


def collect(folder: Path, limits: Mapping[str, int], into: Path, *, total: int | None = None) -> set[str]:
    """Bring an artifact's files together: out of model.tar.gz, or as they lie in the folder.

    Args:
        folder: the channel.
        limits: name -> most bytes, for every file that is wanted; all others are left behind.
        into: an existing empty folder that gets the files.
        total: most bytes of all files together, unpacked; the sum of the limits if not given.

    Returns:
        The names of all files of the artifact, wanted or not.

    Raises:
        JobError: the archive is damaged, or a member is a link or device, lies outside the archive's folder,
            or is larger than allowed.
    """
    archive = folder / ARCHIVE
    if archive.is_file():
        return _extract(archive, limits, into, sum(limits.values()) if total is None else total)
    files = sorted(path for path in folder.iterdir() if path.is_file() and not path.is_symlink())
    for path in files:
        if path.name in limits:
            _check_size(str(path), path.stat().st_size, limits[path.name])
            shutil.copyfile(path, into / path.name)
    return {path.name for path in files}


def _extract(archive: Path, limits: Mapping[str, int], into: Path, total: int) -> set[str]:
    names = set()
    try:
        with tarfile.open(archive, mode="r:gz") as tar:
            for member in _checked_members(tar, archive, limits, total):
                name = str(PurePosixPath(member.name))
                if name in names:
                    raise JobError(f"{archive}: holds '{name}' twice; refused")
                names.add(name)
                if name in limits:
                    # Checked above already; the filter is Python's own word on the same dangers.
                    tar.extract(member, into, filter="data")
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        raise JobError(f"{archive}: damaged, or not a .tar.gz archive ({error}); fetch it again") from None
    return names


def _checked_members(
    tar: tarfile.TarFile, archive: Path, limits: Mapping[str, int], most: int
) -> Iterator[tarfile.TarInfo]:
    """The plain files of an archive; each is checked before its content is unpacked."""
    total = 0
    for member in tar:
        where = f"{archive}: member '{member.name}'"
        path = PurePosixPath(member.name)
        if path.is_absolute() or ".." in path.parts:
            raise JobError(f"{where} lies outside the archive's folder; refused")
        if member.isdir():
            continue
        if not member.isreg():
            raise JobError(f"{where} is a link or a device, which a model artifact never holds; refused")
        _check_size(where, member.size, limits.get(str(path), most))
        # Members that nobody wants count as well: passing over them means unpacking them.
        total += member.size
        _check_size(f"{archive} unpacked", total, most)
        yield member


def _check_size(what: str, size: int, limit: int) -> None:
    if size > limit:
        raise JobError(
            f"{what} has {size} bytes, more than the {limit} that a model artifact can need; refused"
        )
