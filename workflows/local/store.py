"""What this machine remembers: records in the shapes of SageMaker's Describe calls, and objects.

Everything lies under one folder: `records.sqlite`, `s3/` and the folders of runs.
"""

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

from workflows.definition.errors import WorkflowError
from workflows.definition.model import JSON
from workflows.local.objects import Objects
from workflows.local.records import Record


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
            connection.executescript(_SCHEMA)

    def put(self, kind: str, name: str, body: Mapping[str, JSON], *, parent: str = "") -> None:
        """Create or replace a record; `parent` is what it is listed under."""
        with self._connection() as connection:
            connection.execute(
                "INSERT INTO records (kind, name, parent, body) VALUES (?, ?, ?, ?) "
                "ON CONFLICT (kind, name) DO UPDATE SET body = excluded.body, parent = excluded.parent",
                (kind, name, parent, json.dumps(body)),
            )

    def add(self, kind: str, name: str, body: Mapping[str, JSON], *, parent: str = "") -> bool:
        """Create a record; False, and nothing changed, if there is one of this name."""
        with self._connection() as connection:
            cursor = connection.execute(
                "INSERT OR IGNORE INTO records (kind, name, parent, body) VALUES (?, ?, ?, ?)",
                (kind, name, parent, json.dumps(body)),
            )
            return cursor.rowcount > 0

    def find(self, kind: str, name: str) -> Record | None:
        """One record, or None."""
        rows = self._rows("SELECT body FROM records WHERE kind = ? AND name = ?", (kind, name))
        return rows[0] if rows else None

    def all(self, kind: str, *, parent: str | None = None) -> list[Record]:
        """Records of a kind in the order of their creation."""
        if parent is None:
            return self._rows("SELECT body FROM records WHERE kind = ? ORDER BY number", (kind,))
        return self._rows(
            "SELECT body FROM records WHERE kind = ? AND parent = ? ORDER BY number", (kind, parent)
        )

    def delete(self, kind: str, name: str) -> bool:
        """Remove a record; says whether there was one."""
        with self._connection() as connection:
            cursor = connection.execute("DELETE FROM records WHERE kind = ? AND name = ?", (kind, name))
            return cursor.rowcount > 0

    def _rows(self, query: str, values: tuple[str, ...]) -> list[Record]:
        with self._connection() as connection:
            return [json.loads(body) for (body,) in connection.execute(query, values)]

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        # One connection a call: cheap beside any job, and nothing is shared between threads.
        try:
            with closing(sqlite3.connect(self._file, timeout=30)) as connection, connection:
                yield connection
        except sqlite3.Error as error:
            raise StoreError(
                f"{self._file}: {error}; is the disk full, or the file of another program?"
            ) from error
