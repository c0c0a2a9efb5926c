"""Unpacking an archive that comes from outside.

The archive may be damaged or hostile: no member leaves the folder, links and devices are refused, and what
it unpacks to is bounded by a multiple of its own size.
"""

import gzip
import tarfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from processing_scripts.contract import JobError, writing
from processing_scripts.outputs import is_safe_relative
from processing_scripts.progress import with_progress
from processing_scripts.room import check_room

# Pictures hardly compress, and the annotation tables of CUB-200-2011 about five times.
MAX_RATIO = 20
ALWAYS_ALLOWED_BYTES = 64 << 20
MAX_MEMBERS = 500_000

_REMEDY = "give the job a larger volume, or name another folder in TMPDIR"

_GZIP_MAGIC = b"\x1f\x8b"


class ArchiveError(JobError):
    """An archive is damaged or would do harm; the message names archive and member."""

    def __init__(self, archive: Path, fault: str) -> None:
        super().__init__(f"{archive}: {fault}")


def unpack(archive: Path, folder: Path, *, wanted: Callable[[str], bool]) -> None:
    """Unpack the wanted members of a tar archive, compressed with gzip or not, into `folder`.

    Args:
        archive: the .tgz or .tar file.
        folder: an existing folder.
        wanted: whether to unpack the member of this name; the others are checked all the same.

    Raises:
        ArchiveError: damaged, or a member that no data set needs.
        JobError: the disk has too little room.
    """
    # What pictures unpack to is about as large as the archive, so this tells before minutes of work.
    check_room(folder, archive.stat().st_size, f"the files of {archive}", remedy=_REMEDY)
    try:
        with _members(archive) as members:
            checked = _checked(archive, members)
            # "tar c ./folder" puts "./" before every name, which a path drops.
            chosen = (member for member in checked if wanted(str(PurePosixPath(member.name))))
            for member in with_progress(chosen, phase=f"unpack {archive.name}", unit="files"):
                check_room(folder, member.size, member.name, remedy=_REMEDY)
                with writing(folder / member.name):
                    members.extract(member, folder, filter="data")
    except (tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error) as error:
        kind = f"{archive.suffix} file"
        raise ArchiveError(archive, f"damaged, or not a {kind} ({error}); fetch it again") from None


@contextmanager
def _members(archive: Path) -> Iterator[tarfile.TarFile]:
    """The archive open for reading its members in order; checked to its end when the block ends well."""
    with archive.open("rb") as file:
        compressed = file.read(len(_GZIP_MAGIC)) == _GZIP_MAGIC
        file.seek(0)
        if compressed:
            # As a stream: there is no table of contents, and reading it twice costs minutes.
            with gzip.open(file) as data, tarfile.open(fileobj=data, mode="r|") as members:
                yield members
                _read_to_end(archive, data)
        else:
            with tarfile.open(fileobj=file, mode="r:") as members:
                yield members
                _check_end(file, members.offset)


def _check_end(file: BinaryIO, offset: int) -> None:
    """To a damaged header tarfile says "the archive ends here"; a real end is a block of zeros."""
    file.seek(offset)
    if file.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
        raise tarfile.ReadError(f"no member and no end at byte {offset}")


def _read_to_end(archive: Path, data: gzip.GzipFile) -> None:
    """To a damaged header tarfile says "the archive ends here"; the checksum behind the data tells."""
    rest = 0
    while chunk := data.read(1 << 20):
        rest += len(chunk)
        if rest > _allowed_bytes(archive):
            raise ArchiveError(archive, "goes on after its last member; refused, do not trust this archive")


def _allowed_bytes(archive: Path) -> int:
    return max(ALWAYS_ALLOWED_BYTES, MAX_RATIO * archive.stat().st_size)


def _checked(archive: Path, members: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    allowed = _allowed_bytes(archive)
    unpacked = 0
    for number, member in enumerate(members, start=1):
        fault = _fault_of(member)
        if fault:
            raise ArchiveError(archive, f"member '{member.name}' {fault}; refused, do not trust this archive")
        # Counted for unwanted members too: reading past them costs time.
        unpacked += member.size
        if unpacked > allowed:
            raise ArchiveError(
                archive, f"unpacks to more than {allowed} bytes; refused, do not trust this archive"
            )
        if number > MAX_MEMBERS:
            raise ArchiveError(archive, f"has more than {MAX_MEMBERS} members; refused")
        yield member


def _fault_of(member: tarfile.TarInfo) -> str | None:
    if not is_safe_relative(member.name):
        return "leaves the folder or has an unprintable name"
    if member.issym() or member.islnk():
        return "is a link"
    if not (member.isreg() or member.isdir()):
        return "is neither a file nor a folder"
    return None
