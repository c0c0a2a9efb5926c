"""What died processes have left in the store's folder, and copies of input data that nobody refers to."""

import os
import re
from collections.abc import Collection, Iterator
from datetime import datetime, timedelta
from pathlib import Path

from workflows.definition.records import Record
from workflows.local.mentions import Mentions
from workflows.local.objects import SCHEME
from workflows.local.remaining import Remaining
from workflows.local.removal import files_of
from workflows.local.store import Store

# What is being written now is younger than this.
_SETTLED = timedelta(hours=1)
# s3://BUCKET/PIPELINE/input/FINGERPRINT is where `workflows run --data` copies to.
_COPIES = "*/*/input/*"
_FINGERPRINT = re.compile(r"[0-9a-f]{12}")


def leftovers(home: Path, *, now: datetime) -> Iterator[Path]:
    """Objects that were never finished, and the folders of endpoints' containers whose process is gone."""
    for folder in _folders(home / "partial"):
        if is_settled(folder, now=now):
            yield folder
    for endpoint in _folders(home / "endpoints"):
        for folder in _folders(endpoint):
            if folder.name.isascii() and folder.name.isdigit() and not _is_alive(int(folder.name)):
                yield folder


def input_copies(
    store: Store, rest: Remaining, going: Collection[Record], *, now: datetime
) -> Iterator[Path]:
    """Copies of input data that only executions which go refer to, or none at all.

    Args:
        store: where they are.
        rest: what stays.
        going: the records of the executions that go.
        now: the time.
    """
    named = Mentions()
    named.add(*(dict(record) for record in going))
    root = store.home / "s3"
    for folder in sorted(root.glob(_COPIES)):
        uri = f"{SCHEME}{folder.relative_to(root).as_posix()}"
        if not _FINGERPRINT.fullmatch(folder.name) or folder.is_symlink() or not folder.is_dir():
            continue
        # Data is copied before there is an execution that says so.
        if not named.cover(uri, uri) and not is_settled(folder, now=now):
            continue
        files = (f"{uri}/{path.relative_to(folder).as_posix()}" for path in files_of(folder))
        if not rest.needs(uri, uri) and not any(rest.needs(file, uri) for file in files):
            yield folder


def is_settled(folder: Path, *, now: datetime) -> bool:
    """Whether nothing in a folder, nor the folder, has changed for a while."""
    latest = max(
        (path.lstat().st_ctime for path in (folder, *files_of(folder)) if path.exists()),
        default=0.0,
    )
    return now.timestamp() - latest > _SETTLED.total_seconds()


def _folders(folder: Path) -> list[Path]:
    if folder.is_symlink() or not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.is_symlink())


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True
