"""What the tests of several jobs share."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path


def run_python(*arguments, **environment):
    """A process of its own; returns it finished, with its output as text."""
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, **environment},
    )


def replace_text(path: Path, old: str, new: str) -> None:
    """Change one place of a file without touching what is linked to it."""
    text = path.read_text()
    assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {path.name}"
    write_new(path, text.replace(old, new).encode())


def write_new(path: Path, content: bytes) -> None:
    path.unlink(missing_ok=True)
    path.write_bytes(content)


def cut_short(path: Path) -> None:
    """Throw the second half of a file away."""
    write_new(path, path.read_bytes()[: path.stat().st_size // 2])


def read_json(path: Path):
    return json.loads(path.read_text())


def tree(folder: Path) -> dict[str, str]:
    """Every file below a folder, with a digest of its content."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
