"""The file beside the objects that holds what files cannot: types, metadata, checksums, parts of uploads."""

import fcntl
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from workflows.local.store import StoreError

_SCHEMA = """
CREATE TABLE IF NOT EXISTS objects (
    bucket TEXT NOT NULL,
    key TEXT NOT NULL,
    inode INTEGER NOT NULL,
    size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    details TEXT NOT NULL,
    PRIMARY KEY (bucket, key, inode, size, mtime_ns)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS uploads (
    id TEXT PRIMARY KEY,
    bucket TEXT NOT NULL,
    key TEXT NOT NULL,
    started TEXT NOT NULL,
    details TEXT NOT NULL,
    algorithm TEXT,
    is_composite INTEGER NOT NULL,
    slot INTEGER
);
CREATE INDEX IF NOT EXISTS by_key ON uploads (bucket, key, id);
CREATE TABLE IF NOT EXISTS slots (
    upload TEXT NOT NULL REFERENCES uploads (id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    is_done INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (upload, number)
);
CREATE TABLE IF NOT EXISTS parts (
    upload TEXT NOT NULL REFERENCES uploads (id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    file TEXT NOT NULL,
    offset INTEGER NOT NULL,
    size INTEGER NOT NULL,
    md5 TEXT NOT NULL,
    checksum TEXT,
    modified TEXT NOT NULL,
    PRIMARY KEY (upload, number)
);
"""


class Database:
    """One SQLite file; safe to use from several threads and processes."""

    def __init__(self, file: Path) -> None:
        """Makes it if it is not there."""
        self._file = file
        self._lock = file.with_name(f"{file.name}.lock")
        file.parent.mkdir(parents=True, exist_ok=True)
        with self.connection() as connection:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.executescript(_SCHEMA)
        # Never used: SQLite moves the log into the file, and waits for the disk, when the last connection is
        # closed. Else that would be after each call.
        self._kept_open = sqlite3.connect(file)
        self._kept_open.execute("SELECT 1 FROM sqlite_master").fetchall()

    @contextmanager
    def connection(self) -> Iterator[sqlite3.Connection]:
        """A connection of this thread's own, whose changes are all made at the end of the block, or none."""
        try:
            with closing(sqlite3.connect(self._file, timeout=30)) as connection, connection:
                # With a write-ahead log this loses nothing when a process is killed, and waits for no disk.
                connection.execute("PRAGMA synchronous=NORMAL")
                connection.execute("PRAGMA foreign_keys=ON")
                yield connection
        except sqlite3.Error as error:
            raise StoreError(f"{self._file}: {error}") from error

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keeps everybody else out of such blocks: for what changes this file and the tree of objects."""
        with self._lock.open("ab") as file:
            # Ends with the process, whatever happens to it.
            fcntl.flock(file, fcntl.LOCK_EX)
            yield
