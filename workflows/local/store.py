"""What this machine remembers: records in the shapes of SageMaker's Describe calls, and objects.

Everything lies under one folder: `records.sqlite`, `s3/` and the folders of runs.
"""

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from workflows.definition.errors import WorkflowError
from workflows.definition.model import JSON
from workflows.definition.records import Record
from workflows.local.objects import Objects
from workflows.local.windows import INDEXES, Place, Window


class StoreError(WorkflowError):
    """The records cannot be read or written."""


_SCHEMA = """
CREATE TABLE IF NOT EXISTS records (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    parent TEXT NOT NULL DEFAULT '',
    body TEXT NOT NULL,
    UNIQUE (kind, name)
);
CREATE INDEX IF NOT EXISTS by_parent ON records (kind, parent);
"""
_UPSERT = (
    "INSERT INTO records (kind, name, parent, body) VALUES (?, ?, ?, ?) "
    "ON CONFLICT (kind, name) DO UPDATE SET body = excluded.body, parent = excluded.parent"
)
_INSERT_NEW = "INSERT OR IGNORE INTO records (kind, name, parent, body) VALUES (?, ?, ?, ?)"
_FIND = "SELECT body FROM records WHERE kind = ? AND name = ?"


@dataclass(frozen=True, kw_only=True)
class Write:
    """A record to be written; one that is `new` must not exist yet."""

    kind: str
    name: str
    body: Mapping[str, JSON]
    parent: str = ""
    new: bool = False


class Store:
    """The state under one folder; safe to use from several threads and processes."""

    def __init__(self, home: Path) -> None:
        self.home = home
        home.mkdir(parents=True, exist_ok=True)
        self.objects = Objects(home / "s3")
        self._file = home / "records.sqlite"
        with self._connection() as connection:
            # Readers in other processes then never wait for the engine, and it survives a kill.
            connection.execute("PRAGMA journal_mode=WAL")
            connection.executescript(_SCHEMA + INDEXES)
        # Never used: SQLite moves the log into the file, and waits for the disk, when the last connection is
        # closed. Else that would be after each call.
        self._kept_open = sqlite3.connect(self._file)
        self._kept_open.execute("SELECT 1 FROM sqlite_master").fetchall()

    def put(self, kind: str, name: str, body: Mapping[str, JSON], *, parent: str = "") -> None:
        """Create or replace a record; `parent` is what it is listed under."""
        self.write(Write(kind=kind, name=name, body=body, parent=parent))

    def add(self, kind: str, name: str, body: Mapping[str, JSON], *, parent: str = "") -> bool:
        """Create a record; False, and nothing changed, if there is one of this name."""
        return self.write(Write(kind=kind, name=name, body=body, parent=parent, new=True))

    def write(self, *writes: Write) -> bool:
        """Write all of these records, or, where a new one exists already, none; says whether they were."""
        with self._connection() as connection:
            if not all(_written(connection, write) for write in writes):
                connection.rollback()
                return False
        return True

    def change(
        self, kind: str, name: str, change: Callable[[Record], Record], *beside: Write
    ) -> Record | None:
        """Replace a record by what a function makes of it, with nobody in between, and write others with it.

        None, and nothing written, if there is no such record, or a new one of the others exists already.
        """
        with self._connection() as connection:
            connection.execute("BEGIN IMMEDIATE")
            row = connection.execute(_FIND, (kind, name)).fetchone()
            if row is None:
                return None
            record = change(json.loads(row[0]))
            if not all(_written(connection, write) for write in beside):
                connection.rollback()
                return None
            connection.execute(
                "UPDATE records SET body = ? WHERE kind = ? AND name = ?", (json.dumps(record), kind, name)
            )
            return record

    def find(self, kind: str, name: str) -> Record | None:
        """One record, or None."""
        rows = self._rows(_FIND, (kind, name))
        return rows[0] if rows else None

    def all(self, kind: str, *, parent: str | None = None) -> list[Record]:
        """Records of a kind in the order of their creation."""
        if parent is None:
            return self._rows("SELECT body FROM records WHERE kind = ? ORDER BY number", (kind,))
        return self._rows(
            "SELECT body FROM records WHERE kind = ? AND parent = ? ORDER BY number", (kind, parent)
        )

    def page(self, window: Window) -> list[tuple[Place, Record]]:
        """A part of the records of a kind, each with its place in the order, where the next page goes on."""
        query, values = window.select()
        with self._connection() as connection:
            rows = connection.execute(query, values).fetchall()
        return [((key, number), json.loads(body)) for key, number, body in rows]

    def values(self, kind: str, fields: Sequence[str]) -> list[tuple[str, str]]:
        """Name and some fields, joined by blanks, of every record of a kind; their bodies are not read."""
        joined = " || ' ' || ".join("coalesce(json_extract(body, ?), '')" for _ in fields)
        query = f"SELECT name, {joined} FROM records WHERE kind = ?"  # noqa: S608 - nothing but marks
        with self._connection() as connection:
            return connection.execute(query, (*(f"$.{field}" for field in fields), kind)).fetchall()

    def delete(self, kind: str, name: str) -> bool:
        """Remove a record; says whether there was one."""
        with self._connection() as connection:
            cursor = connection.execute("DELETE FROM records WHERE kind = ? AND name = ?", (kind, name))
            return cursor.rowcount > 0

    def delete_all(self, names: Iterable[tuple[str, str]]) -> None:
        """Remove all of these records, each by kind and name, or none; some may be gone already."""
        with self._connection() as connection:
            connection.executemany("DELETE FROM records WHERE kind = ? AND name = ?", names)

    def _rows(self, query: str, values: tuple[str, ...]) -> list[Record]:
        with self._connection() as connection:
            return [json.loads(body) for (body,) in connection.execute(query, values)]

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        # One connection a call: cheap beside any job, and nothing is shared between threads.
        try:
            with closing(sqlite3.connect(self._file, timeout=30)) as connection, connection:
                # With a write-ahead log this loses nothing when a process is killed, and waits for no disk.
                connection.execute("PRAGMA synchronous=NORMAL")
                yield connection
        except sqlite3.Error as error:
            raise StoreError(
                f"{self._file}: {error}; is the disk full, or the file of another program?"
            ) from error


def _written(connection: sqlite3.Connection, write: Write) -> bool:
    """Write a record; False if it is a new one and exists already."""
    values = (write.kind, write.name, write.parent, json.dumps(write.body))
    return connection.execute(_INSERT_NEW if write.new else _UPSERT, values).rowcount > 0
