"""What is remembered, and when it is on the disk."""

import subprocess
import sys

from workflows.local.store import Store
from workflows.server.s3.database import Database


def test_a_write_does_not_wait_for_the_disk(tmp_path):
    """It would if the log were moved into the file, as SQLite does when the last connection is closed."""
    store, database = Store(tmp_path), Database(tmp_path / "objects.sqlite")
    files = [tmp_path / "records.sqlite", tmp_path / "objects.sqlite"]
    before = [file.read_bytes() for file in files]
    for number in range(10):
        store.put("kind", f"name-{number}", {"Number": number})
        with database.connection() as connection:
            connection.execute("INSERT INTO objects VALUES ('bucket', ?, 1, 1, 1, '{}')", (f"{number}",))
    assert [file.read_bytes() for file in files] == before
    assert len(store.all("kind")) == 10


def test_what_was_written_outlives_a_killed_process(tmp_path):
    program = (
        "import os, sys, signal; from pathlib import Path; from workflows.local.store import Store\n"
        "Store(Path(sys.argv[1])).put('kind', 'name', {'Number': 1}); os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=False)
    assert Store(tmp_path).find("kind", "name") == {"Number": 1}
