"""Buckets and objects: files of the tree, with what the catalog knows of them."""

import os
import stat
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from workflows.local.object_keys import to_path
from workflows.local.objects import Objects
from workflows.server.errors import AwsError
from workflows.server.s3.catalog import Catalog, Details, Identity
from workflows.server.s3.conditions import Conditions
from workflows.server.s3.conflicts import conflict, remove_empty_folders
from workflows.server.s3.database import Database
from workflows.server.s3.errors import no_such_bucket, no_such_key, s3_error
from workflows.server.s3.etags import etag_of_file, is_of_content
from workflows.server.s3.names import check_bucket

# Not through a symbolic link, and without waiting for whoever holds the other end of a pipe.
_READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
UNCONDITIONAL = Conditions()
# How often an object may be replaced while somebody opens it.
_ATTEMPTS = 100


@dataclass(frozen=True, kw_only=True)
class Stored:
    """One object, as it was when somebody looked."""

    bucket: str
    key: str
    identity: Identity
    details: Details

    @property
    def size(self) -> int:
        """In bytes."""
        return self.identity.size

    @property
    def modified(self) -> datetime:
        """When it was stored, to the second, as S3 knows it."""
        if self.details.modified:
            return datetime.fromisoformat(self.details.modified)
        return datetime.fromtimestamp(self.identity.mtime_ns // 10**9, UTC)

    @property
    def etag(self) -> str:
        """As in headers and lists."""
        return f'"{self.details.etag}"'


class Storage:
    """All objects of this machine; safe to use from several threads and processes."""

    def __init__(self, objects: Objects) -> None:
        self.objects = objects
        self.database = Database(objects.root.parent / "objects.sqlite")
        self.catalog = Catalog(self.database)

    def folder(self, bucket: str) -> Path:
        """The folder of a bucket.

        Raises:
            AwsError: NoSuchBucket.
        """
        check_bucket(bucket)
        folder = self.objects.root / bucket
        if not folder.is_dir():
            raise no_such_bucket(bucket)
        return folder

    def look(self, bucket: str, key: str) -> Stored:
        """An object.

        Raises:
            AwsError: NoSuchBucket, NoSuchKey.
        """
        descriptor, stored = self.open(bucket, key)
        os.close(descriptor)
        return stored

    def open(self, bucket: str, key: str) -> tuple[int, Stored]:
        """An object with its file, which stays that of this object whatever happens; to be closed.

        Raises:
            AwsError: NoSuchBucket, NoSuchKey; SlowDown if it is replaced all the time.
        """
        path = self._path(bucket, key)
        for _ in range(_ATTEMPTS):
            descriptor = _open(path)
            if descriptor is None:
                raise no_such_key(key)
            try:
                stored = self._describe_open(descriptor, path, bucket, key)
            except BaseException:
                os.close(descriptor)
                raise
            if stored is not None:
                return descriptor, stored
            os.close(descriptor)
        raise s3_error("SlowDown", "Please reduce your request rate.")

    def describe(self, bucket: str, files: Iterable[tuple[str, str]]) -> list[Stored]:
        """Objects whose keys and paths are given, without those that are gone."""
        paths = {key: Path(path) for key, path in files}
        identities = {key: file for key, path in paths.items() if (file := _identity(path)) is not None}
        known = self.catalog.find_all(bucket, identities)
        found = [
            Stored(bucket=bucket, key=key, identity=identities[key], details=details)
            for key, details in known.items()
        ]
        new: list[Stored] = []
        for key in identities.keys() - known.keys():
            stored = _look_first(paths[key], identities[key], bucket, key)
            if stored is not None:
                new.append(stored)
            else:
                found += self._look_again(bucket, key)
        self._remember(new)
        return sorted((*found, *new), key=lambda stored: stored.key)

    def _describe_open(self, descriptor: int, path: Path, bucket: str, key: str) -> Stored | None:
        """What is known of an open file; None if another took its place before anybody looked."""
        identity = Identity.of(os.fstat(descriptor))
        details = self.catalog.find(bucket, key, identity)
        if details is not None:
            return Stored(bucket=bucket, key=key, identity=identity, details=details)
        # The entry of a file goes when another takes its place. While none has, there was no entry.
        if _identity(path) != identity:
            return None
        stored = _first_look(descriptor, bucket, key)
        self._remember([stored])
        return stored

    def _look_again(self, bucket: str, key: str) -> list[Stored]:
        """An object that was replaced, or removed, since somebody saw its file."""
        try:
            return [self.look(bucket, key)]
        except AwsError as error:
            if error.code != "NoSuchKey":
                raise
            return []

    def _remember(self, found: Iterable[Stored]) -> None:
        self.catalog.add_all(
            (stored.bucket, stored.key, stored.identity, stored.details)
            for stored in found
            if is_of_content(stored.details.etag)
        )

    def publish(
        self, file: Path, bucket: str, key: str, details: Details, conditions: Conditions = UNCONDITIONAL
    ) -> Stored:
        """Make a finished file on the same file system an object.

        Raises:
            AwsError: a condition does not hold, the bucket is gone, or the key contradicts others.
        """
        with self.database.alone():
            self.check_write(bucket, key, conditions)
            return self.replace(file, bucket, key, details)

    def check_write(self, bucket: str, key: str, conditions: Conditions) -> None:
        """Refuse to write where a condition does not hold.

        Raises:
            AwsError: NoSuchBucket, or of the condition.
        """
        self.folder(bucket)

        def etag() -> str | None:
            found = self._look_again(bucket, key)
            return found[0].details.etag if found else None

        conditions.check_write(key, etag)

    def replace(self, file: Path, bucket: str, key: str, details: Details) -> Stored:
        """The same for a caller who is alone in the database, and has checked conditions."""
        identity = Identity.of(file.stat())
        self.catalog.remember(bucket, key, identity, details)
        try:
            self._move_in(file, bucket, key)
        except BaseException:
            self.catalog.drop(bucket, key, identity)
            raise
        self.catalog.forget(bucket, key, but=identity)
        return Stored(bucket=bucket, key=key, identity=identity, details=details)

    def remove(self, bucket: str, key: str, conditions: Conditions = UNCONDITIONAL) -> None:
        """Remove an object, if there is one.

        Raises:
            AwsError: NoSuchBucket, or of a condition.
        """
        with self.database.alone():
            self.check_write(bucket, key, conditions)
            path = self._path(bucket, key)
            with suppress(FileNotFoundError, NotADirectoryError, IsADirectoryError):
                path.unlink()
            self._tidy(path.parent, bucket)
            self.catalog.forget(bucket, key)

    def _tidy(self, folder: Path, bucket: str) -> None:
        """Remove folders that hold nothing any more: a key may have their name now."""
        end = self.objects.root / bucket
        with suppress(OSError):
            while folder != end:
                folder.rmdir()
                folder = folder.parent

    def _move_in(self, file: Path, bucket: str, key: str) -> None:
        uri = f"s3://{bucket}/{key}"
        try:
            try:
                self.objects.move_in(file, uri)
            except IsADirectoryError:
                # Nobody but this server tidies up after the last object in a folder.
                remove_empty_folders(self._path(bucket, key))
                self.objects.move_in(file, uri)
        except (IsADirectoryError, NotADirectoryError, FileExistsError):
            raise conflict(self.folder(bucket), key) from None

    def _path(self, bucket: str, key: str) -> Path:
        return self.folder(bucket) / to_path(key)


def _open(path: Path) -> int | None:
    """An open regular file, or None if there is none."""
    try:
        descriptor = os.open(path, _READ)
    except OSError:
        if path.is_file() and not path.is_symlink():
            raise
        return None
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    return None


def _look_first(path: Path, identity: Identity, bucket: str, key: str) -> Stored | None:
    """An object that has come without this server; None if it is another by now."""
    descriptor = _open(path)
    if descriptor is None:
        return None
    try:
        if Identity.of(os.fstat(descriptor)) != identity:
            return None
        return _first_look(descriptor, bucket, key)
    finally:
        os.close(descriptor)


def _first_look(descriptor: int, bucket: str, key: str) -> Stored:
    details = Details(etag=etag_of_file(descriptor))
    return Stored(bucket=bucket, key=key, identity=Identity.of(os.fstat(descriptor)), details=details)


def _identity(path: Path) -> Identity | None:
    try:
        return Identity.of(path.lstat())
    except (FileNotFoundError, NotADirectoryError):
        return None
