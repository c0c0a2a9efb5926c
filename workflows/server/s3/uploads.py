"""Multipart uploads: parts that arrive in any order, and become one object at once.

Most uploads have parts of one size, but for the last. So the size of the first one that arrives divides one
file, `whole`, into slots, and a part that fits into its own is written there: completing such an upload moves
that file, and copies nothing. A slot is written once; what fits nowhere, or comes again, has a file of its
own, and the parts are copied into one file when the upload is completed.
"""

import json
import secrets
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from workflows.local.trees import remove_tree
from workflows.server.s3.catalog import Details
from workflows.server.s3.database import Database
from workflows.server.s3.errors import no_such_upload
from workflows.server.s3.sinks import Checksum, FileSink, Received
from workflows.server.s3.times import now

WHOLE = "whole"
SMALLEST_PART = 5 * 2**20  # of all but the last


@dataclass(frozen=True, kw_only=True)
class Upload:
    """A multipart upload that goes on."""

    id: str
    bucket: str
    key: str
    started: str  # ISO 8601
    details: Details  # of the object that it will be; without an ETag
    algorithm: str | None  # of its checksum
    is_composite: bool  # that is one of its parts' checksums
    slot: int | None  # in bytes


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where the content of a part is."""

    file: str
    offset: int = 0


@dataclass(frozen=True, kw_only=True)
class Part:
    """A part that has arrived."""

    number: int
    place: Place
    size: int
    md5: bytes
    checksum: Checksum | None
    modified: str  # ISO 8601

    @property
    def etag(self) -> str:
        """As in headers and lists."""
        return f'"{self.md5.hex()}"'


class Uploads:
    """The multipart uploads of this machine; safe to use from several threads and processes."""

    def __init__(self, database: Database, folder: Path) -> None:
        """`folder` is on the file system of the objects."""
        self._database, self._folder = database, folder

    def create(
        self, bucket: str, key: str, details: Details, *, algorithm: str | None, is_composite: bool
    ) -> Upload:
        """Start one."""
        upload = Upload(
            id=secrets.token_hex(32),
            bucket=bucket,
            key=key,
            started=now(),
            details=details,
            algorithm=algorithm,
            is_composite=is_composite,
            slot=None,
        )
        self.folder(upload).mkdir(parents=True)
        row = (upload.id, bucket, key, upload.started, details.dump(), algorithm, is_composite)
        with self._database.connection() as connection:
            connection.execute("INSERT INTO uploads VALUES (?, ?, ?, ?, ?, ?, ?, NULL)", row)
        return upload

    def find(self, name: str, bucket: str, key: str) -> Upload:
        """An upload that goes on.

        Raises:
            AwsError: NoSuchUpload.
        """
        found = self._select("WHERE id = ? AND bucket = ? AND key = ?", (name, bucket, key))
        if not found:
            raise no_such_upload(name)
        return found[0]

    def of_bucket(self, bucket: str, *, prefix: str = "", after: tuple[str, str] = ("", "")) -> list[Upload]:
        """The uploads to a bucket in the order of key and id, after one of these."""
        found = self._select("WHERE bucket = ? AND (key, id) > (?, ?) ORDER BY key, id", (bucket, *after))
        return [upload for upload in found if upload.key.startswith(prefix)]

    def folder(self, upload: Upload) -> Path:
        """Where its parts are."""
        return self._folder / upload.id

    def reserve(self, upload: Upload, number: int, size: int) -> Place:
        """A place for a part: nobody else gets it.

        Raises:
            AwsError: NoSuchUpload, if it has ended since.
        """
        with self._database.alone(), self._database.connection() as connection:
            slot = self._slot(connection, upload, size)
            if slot and size <= slot and _claim(connection, upload, number):
                return Place(file=WHOLE, offset=(number - 1) * slot)
        return Place(file=f"{number}-{secrets.token_hex(8)}")

    @contextmanager
    def receiving(self, upload: Upload, number: int, place: Place) -> Iterator[FileSink]:
        """The file at a place; the place is free again when the block ends badly.

        Raises:
            AwsError: NoSuchUpload, if it has ended since.
        """
        try:
            try:
                sink = FileSink(self.folder(upload) / place.file, place.offset)
            except FileNotFoundError:
                raise no_such_upload(upload.id) from None
            with sink:
                yield sink
        except BaseException:
            # Nobody writes to it any more: the file is closed.
            self._give_back(upload, number, place)
            raise

    def add(self, upload: Upload, number: int, place: Place, received: Received) -> Part:
        """Note that a part has arrived, in the place of one with the same number.

        Raises:
            AwsError: NoSuchUpload, if it has ended since.
        """
        part = Part(
            number=number,
            place=place,
            size=received.size,
            md5=received.md5,
            checksum=received.checksum,
            modified=now(),
        )
        with self._database.alone(), self._database.connection() as connection:
            self._slot(connection, upload, 0)
            before = _parts(connection, upload, number)
            connection.execute(
                "INSERT OR REPLACE INTO parts VALUES (?, ?, ?, ?, ?, ?, ?, ?)", _row(upload, part)
            )
            if place.file == WHOLE:
                done = "UPDATE slots SET is_done = 1 WHERE upload = ? AND number = ?"
                connection.execute(done, (upload.id, number))
        for old in before:
            self._discard(upload, old.place)
        return part

    def parts(self, upload: Upload) -> list[Part]:
        """What has arrived, by number."""
        with self._database.connection() as connection:
            return _parts(connection, upload)

    def is_in_slots(self, upload: Upload, parts: Sequence[Part]) -> bool:
        """Whether these parts lie one behind the other in `whole`, and nobody writes to it.

        It stays so as long as the caller is alone in the database.
        """
        position = 0
        for part in parts:
            if part.place != Place(file=WHOLE, offset=position):
                return False
            position += part.size
        with self._database.connection() as connection:
            busy = "SELECT 1 FROM slots WHERE upload = ? AND NOT is_done"
            return connection.execute(busy, (upload.id,)).fetchone() is None

    def end(self, upload: Upload) -> None:
        """Forget an upload, and remove what is left of it."""
        with self._database.connection() as connection:
            connection.execute("DELETE FROM uploads WHERE id = ?", (upload.id,))
        remove_tree(self.folder(upload))

    def _give_back(self, upload: Upload, number: int, place: Place) -> None:
        self._discard(upload, place)
        if place.file == WHOLE:
            with self._database.connection() as connection:
                gone = "DELETE FROM slots WHERE upload = ? AND number = ? AND NOT is_done"
                connection.execute(gone, (upload.id, number))

    def _discard(self, upload: Upload, place: Place) -> None:
        if place.file != WHOLE:
            with suppress(FileNotFoundError):
                (self.folder(upload) / place.file).unlink()

    def _slot(self, connection: sqlite3.Connection, upload: Upload, size: int) -> int | None:
        """The size of the slots; that of this part, if it is the first that may be one in the middle."""
        row = connection.execute("SELECT slot FROM uploads WHERE id = ?", (upload.id,)).fetchone()
        if row is None:
            raise no_such_upload(upload.id)
        if row[0] is None and size >= SMALLEST_PART:
            connection.execute("UPDATE uploads SET slot = ? WHERE id = ?", (size, upload.id))
            return size
        return int(row[0]) if row[0] is not None else None

    def _select(self, condition: str, values: tuple[str, ...]) -> list[Upload]:
        columns = "id, bucket, key, started, details, algorithm, is_composite, slot"
        with self._database.connection() as connection:
            rows = connection.execute(
                f"SELECT {columns} FROM uploads {condition}",  # noqa: S608 - the conditions are those above
                values,
            )
            return [_upload(row) for row in rows]


def _upload(row: Sequence[Any]) -> Upload:
    name, bucket, key, started, details, algorithm, is_composite, slot = row
    return Upload(
        id=name,
        bucket=bucket,
        key=key,
        started=started,
        details=Details.load(details),
        algorithm=algorithm,
        is_composite=bool(is_composite),
        slot=slot,
    )


def _claim(connection: sqlite3.Connection, upload: Upload, number: int) -> bool:
    """Whether a slot has been nobody's so far."""
    taken = "INSERT OR IGNORE INTO slots (upload, number) VALUES (?, ?)"
    return connection.execute(taken, (upload.id, number)).rowcount == 1


def _parts(connection: sqlite3.Connection, upload: Upload, number: int | None = None) -> list[Part]:
    rows = connection.execute(
        "SELECT number, file, offset, size, md5, checksum, modified FROM parts "
        "WHERE upload = ? AND number = coalesce(?, number) ORDER BY number",
        (upload.id, number),
    )
    return [
        Part(
            number=found,
            place=Place(file=file, offset=offset),
            size=size,
            md5=bytes.fromhex(md5),
            checksum=Checksum(**json.loads(checksum)) if checksum else None,
            modified=modified,
        )
        for found, file, offset, size, md5, checksum, modified in rows
    ]


def _row(upload: Upload, part: Part) -> tuple[object, ...]:
    checksum = json.dumps(asdict(part.checksum)) if part.checksum else None
    place = part.place
    md5 = part.md5.hex()
    return upload.id, part.number, place.file, place.offset, part.size, md5, checksum, part.modified
