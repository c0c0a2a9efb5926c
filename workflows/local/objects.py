"""Objects under s3://bucket/key, kept as files in a directory tree.

An object appears whole or not at all: it is written beside its place and renamed into it. Objects that a
finished job made are hard links to its files, and what is lent to a job is hard links to the objects: nobody
may change either in place. A job that may change its inputs gets copies, or an overlay over the links.

An object whose key ends with '/' marks a folder, as consoles and SDKs make them: no job ever sees it.
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from workflows.definition.errors import WorkflowError
from workflows.local.file_copies import copy_file, link_or_copy
from workflows.local.object_keys import leaves_the_tree, to_folder, to_key, to_path

SCHEME = "s3://"
# How often folders may vanish, because others remove objects, while an object takes its place.
_ATTEMPTS = 100


class ObjectError(WorkflowError):
    """An S3 URI is malformed, or nothing is stored there."""


@dataclass(frozen=True)
class Location:
    """A bucket and a key, or a prefix of keys."""

    bucket: str
    key: str

    def __str__(self) -> str:
        return f"{SCHEME}{self.bucket}/{self.key}"

    def child(self, relative: PurePosixPath | str) -> "Location":
        """The location of something inside this prefix."""
        return Location(self.bucket, f"{self.key.rstrip('/')}/{relative}" if self.key else str(relative))


def parse(uri: str) -> Location:
    """Split s3://bucket/key.

    Raises:
        ObjectError: another scheme, no bucket, or a key that would leave the tree.
    """
    bucket, _, key = uri.removeprefix(SCHEME).partition("/")
    if not uri.startswith(SCHEME) or not bucket:
        raise ObjectError(f"'{uri}' is not of the form s3://bucket/key")
    if leaves_the_tree(bucket) or leaves_the_tree(key):
        raise ObjectError(f"'{uri}': '.' and '..' cannot be parts of a key on this machine")
    return Location(bucket, key)


@dataclass(frozen=True)
class Shard:
    """Every `count`-th object, from the one at `index`."""

    index: int
    count: int


WHOLE = Shard(0, 1)


class Objects:
    """The objects of one folder."""

    def __init__(self, root: Path) -> None:
        self.root = root  # holds a folder for each bucket
        self._partial = root.parent / "partial"  # on the same file system, so that a rename is atomic

    def path(self, uri: str) -> Path:
        """Where an object's file is, or would be; read only."""
        location = parse(uri)
        return self.root / location.bucket / to_path(location.key)

    def keys(self, uri: str) -> Iterator[tuple[Location, Path]]:
        """Every object whose key starts with the given one, sorted by key; folder markers are left out.

        As on S3, s3://b/train is a prefix of s3://b/train/a and of s3://b/training/a.
        """
        prefix = parse(uri)
        bucket = self.root / prefix.bucket
        start = bucket / to_folder(prefix.key)
        found = sorted((to_key(path.relative_to(bucket)), path) for path in files_below(start))
        for key, path in found:
            if key.startswith(prefix.key) and not key.endswith("/"):
                yield Location(prefix.bucket, key), path

    def download(self, uri: str, folder: Path, *, shard: Shard = WHOLE) -> int:
        """Copy every object under a prefix into a folder, as File mode does; returns how many.

        Args:
            uri: the prefix.
            folder: made if it is missing, also for a shard that gets nothing.
            shard: which of the objects, in the order of their keys.

        Raises:
            ObjectError: nothing is there, the prefix ends inside a name, or the disk is too small.
        """
        found = self._under(uri, shard)
        folder.mkdir(parents=True, exist_ok=True)
        size, free = sum(path.stat().st_size for _, path in found), shutil.disk_usage(folder).free
        if size > free:
            raise ObjectError(f"{uri}: {size} bytes do not fit into {folder}, which has {free} left")
        return _place(found, folder, copy_file)

    def lend(self, uri: str, folder: Path, *, shard: Shard = WHOLE) -> int:
        """The same by hard links: for readers that change nothing, such as an overlay.

        Raises:
            ObjectError: nothing is there, or the prefix ends inside a name.
        """
        found = self._under(uri, shard)
        folder.mkdir(parents=True, exist_ok=True)
        return _place(found, folder, link_or_copy)

    def _under(self, uri: str, shard: Shard) -> list[tuple[PurePosixPath, Path]]:
        """The objects of a shard: path inside the prefix, and file."""
        prefix = parse(uri)
        found = [(relative_to(location, prefix), path) for location, path in self.keys(uri)]
        if not found:
            raise ObjectError(f"{uri}: nothing is stored there")
        return found[shard.index :: shard.count]

    def read(self, uri: str) -> bytes:
        """The content of one object.

        Raises:
            ObjectError: it is not there.
        """
        path = self.path(uri)
        if not path.is_file():
            raise ObjectError(f"{uri}: no such object")
        return path.read_bytes()

    def adopt(self, folder: Path, uri: str) -> int:
        """Store every file below a folder that nobody will change any more, by hard links; returns how many.

        Symbolic links are not followed, as SageMaker does not follow them.
        """
        files = list(files_below(folder))
        for path in files:
            self.adopt_file(path, str(parse(uri).child(path.relative_to(folder).as_posix())))
        return len(files)

    def adopt_file(self, path: Path, uri: str) -> None:
        """Store one such file as an object."""
        with self.staged(uri) as staged:
            link_or_copy(path, staged)

    def upload(self, path: Path, uri: str) -> bool:
        """Store a copy of a file that somebody may write to; False, and nothing stored, if that happened."""
        before = path.stat()
        try:
            with self.staged(uri) as staged:
                copy_file(path, staged)
                if not _same_state(before, path.stat()):
                    raise _ChangedMeanwhile
        except _ChangedMeanwhile:
            return False
        return True

    def sync(self, source: Path, uri: str) -> int:
        """Copy a user's folder, or one file, below a prefix; returns how many files were new or changed.

        A file is taken as unchanged when its size and its time of change are those of the object. Objects
        whose file is gone are removed, so that the prefix equals the folder.
        """
        if not source.exists():
            raise ObjectError(f"{source}: no such file or folder")
        files = (
            {path.relative_to(source).as_posix(): path for path in files_below(source)}
            if source.is_dir()
            else {}
        )
        files = files or ({source.name: source} if source.is_file() else {})
        if not files:
            raise ObjectError(f"{source}: the folder holds no files")
        prefix = parse(uri)
        wanted = {str(prefix.child(name)): path for name, path in files.items()}
        for location, stored in self.keys(f"{uri.rstrip('/')}/"):
            if str(location) not in wanted:
                stored.unlink()
        changed = [(name, path) for name, path in wanted.items() if not _same(path, self.path(name))]
        for name, path in changed:
            with self.staged(name) as staged:
                shutil.copy2(path, staged)
        return len(changed)

    @contextmanager
    def staged(self, uri: str) -> Iterator[Path]:
        """A file to be written, which is the object when the block ends well, and gone when it does not."""
        target = self.path(uri)
        with self.scratch() as folder:
            yield folder / "object"
            _move(folder / "object", target)

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """A folder on the same file system for what is no object yet; removed with what is left in it."""
        self._partial.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(dir=self._partial))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def move_in(self, file: Path, uri: str) -> None:
        """Make a finished file, on the same file system, an object.

        Raises:
            OSError: a part of its key is the name of another object, or it is the beginning of others' keys.
        """
        _move(file, self.path(uri))


class _ChangedMeanwhile(Exception):
    pass


def files_below(folder: Path) -> Iterator[Path]:
    """Every regular file in a folder and its folders; symbolic links are not followed."""
    for base, _, names in os.walk(folder):
        for name in names:
            path = Path(base, name)
            if path.is_file() and not path.is_symlink():
                yield path


def relative_to(location: Location, prefix: Location) -> PurePosixPath:
    """The path of an object inside a prefix, as a job sees it.

    Raises:
        ObjectError: the prefix ends inside a name, so that what a job would see is anybody's guess.
    """
    if location.key == prefix.key:
        return PurePosixPath(PurePosixPath(location.key).name)
    rest = location.key.removeprefix(prefix.key)
    if prefix.key and not prefix.key.endswith("/") and not rest.startswith("/"):
        raise ObjectError(
            f"{prefix} is also the beginning of {location}; SageMaker takes every key that begins so: "
            "end the URI with '/' or choose names of which none begins with another"
        )
    return PurePosixPath(rest.lstrip("/"))


def _move(file: Path, target: Path) -> None:
    for left in reversed(range(_ATTEMPTS)):
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            file.replace(target)
        except (FileNotFoundError, FileExistsError):
            # Its folder was empty, and somebody has tidied it away, or it is a file for good.
            if left == 0 or not file.exists():
                raise
        else:
            return


def _same(path: Path, stored: Path) -> bool:
    return stored.is_file() and _same_state(path.stat(), stored.stat())


def _same_state(one: os.stat_result, other: os.stat_result) -> bool:
    return (one.st_size, one.st_mtime_ns) == (other.st_size, other.st_mtime_ns)


def _place(
    found: Sequence[tuple[PurePosixPath, Path]], folder: Path, put: Callable[[Path, Path], None]
) -> int:
    for relative, path in found:
        target = folder / relative
        target.parent.mkdir(parents=True, exist_ok=True)
        # Two prefixes may bring the same name; the later one counts.
        target.unlink(missing_ok=True)
        put(path, target)
    return len(found)
