"""What a store's folder holds, for tests that compare before and after."""

import sqlite3
from contextlib import closing

from workflows.local.removal import files_of


def objects(store):
    return {str(location) for location, _ in store.objects.keys("s3://toys/")}


def records(store, *, but=("pipeline", "pipeline-version", "last-execution")):
    with closing(sqlite3.connect(store.home / "records.sqlite")) as connection:
        rows = connection.execute("SELECT kind, name, parent, body FROM records").fetchall()
    return {row for row in rows if row[0] not in but}


def files(store):
    """Every file but the records and the locks."""
    return {
        path.relative_to(store.home).as_posix(): path.read_bytes()
        for path in files_of(store.home)
        if not path.name.startswith("records.sqlite") and path.name != "engine.lock"
    }


def run_folders(store):
    return sorted(path.name for path in (store.home / "runs").iterdir())
