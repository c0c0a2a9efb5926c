"""What is known of objects beyond their files.

An entry belongs to one file, known by its number, size and time of change: when somebody else, such as a job,
puts another file in its place, the entry does not speak of that one. A new entry is written before its file
takes its place, so that there is never an object whose entry is still to come.
"""

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Self

from workflows.server.s3.database import Database
from workflows.server.s3.sinks import Checksum

DEFAULT_TYPE = "binary/octet-stream"


@dataclass(frozen=True)
class Identity:
    """Which file it is, and which state of it."""

    inode: int
    size: int
    mtime_ns: int

    @classmethod
    def of(cls, state: os.stat_result) -> Self:
        """The identity of a file that somebody has looked at."""
        return cls(state.st_ino, state.st_size, state.st_mtime_ns)


@dataclass(frozen=True, kw_only=True)
class Details:
    """What an object has beside its content."""

    etag: str  # without quotes
    headers: Mapping[str, str] = field(default_factory=dict)  # member of the API -> value: ContentType …
    metadata: Mapping[str, str] = field(default_factory=dict)  # the user's own
    tags: Mapping[str, str] = field(default_factory=dict)
    checksum: Checksum | None = None
    part_sizes: tuple[int, ...] = ()  # of a multipart upload
    upload: str | None = None  # the id of that
    modified: str | None = None  # ISO 8601; None: when the file was

    def dump(self) -> str:
        """As text."""
        return json.dumps({name: value for name, value in asdict(self).items() if value or name == "etag"})

    @classmethod
    def load(cls, text: str) -> Self:
        """From that text."""
        found = json.loads(text)
        checksum = found.pop("checksum", None)
        sizes = tuple(found.pop("part_sizes", ()))
        return cls(**found, checksum=Checksum(**checksum) if checksum else None, part_sizes=sizes)


class Catalog:
    """The entries of all objects."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, bucket: str, key: str, identity: Identity) -> Details | None:
        """The entry of an object, if there is one of this file."""
        return self.find_all(bucket, {key: identity}).get(key)

    def find_all(self, bucket: str, files: Mapping[str, Identity]) -> dict[str, Details]:
        """The entries of objects, by their keys."""
        with self._database.connection() as connection:
            rows = connection.execute(
                "SELECT key, inode, size, mtime_ns, details FROM objects "
                "WHERE bucket = ? AND key IN (SELECT value FROM json_each(?))",
                (bucket, json.dumps(list(files))),
            )
            return {
                key: Details.load(details)
                for key, *columns, details in rows
                if files[key] == Identity(*columns)
            }

    def remember(self, bucket: str, key: str, identity: Identity, details: Details) -> None:
        """Write the entry of a file, beside those of other files."""
        self._insert(
            "INSERT OR REPLACE INTO objects VALUES (?, ?, ?, ?, ?, ?)", [(bucket, key, identity, details)]
        )

    def add_all(self, entries: Iterable[tuple[str, str, Identity, Details]]) -> None:
        """Write entries of files that have none."""
        self._insert("INSERT OR IGNORE INTO objects VALUES (?, ?, ?, ?, ?, ?)", entries)

    def drop(self, bucket: str, key: str, identity: Identity) -> None:
        """Remove the entry of one file."""
        self._delete("bucket = ? AND key = ? AND (inode, size, mtime_ns) = (?, ?, ?)", bucket, key, identity)

    def forget(self, bucket: str, key: str, *, but: Identity | None = None) -> None:
        """Remove the entries of an object, except for that of one file."""
        kept = but or Identity(-1, -1, -1)
        self._delete("bucket = ? AND key = ? AND (inode, size, mtime_ns) != (?, ?, ?)", bucket, key, kept)

    def forget_bucket(self, bucket: str) -> None:
        """Remove the entries of all objects of a bucket."""
        with self._database.connection() as connection:
            connection.execute("DELETE FROM objects WHERE bucket = ?", (bucket,))

    def _insert(self, statement: str, entries: Iterable[tuple[str, str, Identity, Details]]) -> None:
        rows = [
            (bucket, key, *_columns(identity), details.dump()) for bucket, key, identity, details in entries
        ]
        if rows:
            with self._database.connection() as connection:
                connection.executemany(statement, rows)

    def _delete(self, condition: str, bucket: str, key: str, identity: Identity) -> None:
        with self._database.connection() as connection:
            connection.execute(
                f"DELETE FROM objects WHERE {condition}",  # noqa: S608 - the conditions are those above
                (bucket, key, *_columns(identity)),
            )


def _columns(identity: Identity) -> tuple[int, int, int]:
    return identity.inode, identity.size, identity.mtime_ns
