"""Keys that S3 can hold beside each other and a directory tree cannot: `a` and `a/b`."""

import os
from contextlib import suppress
from pathlib import Path

from workflows.local.object_keys import to_path
from workflows.server.errors import AwsError
from workflows.server.s3.errors import invalid_request
from workflows.server.s3.walk import Walk


def conflict(bucket: Path, key: str) -> AwsError:
    """The error that names the other key."""
    other = next((found for found, _ in Walk(bucket, prefix=f"{key}/")), None) or _file_above(bucket, key)
    return invalid_request(
        f"'{key}' cannot be stored while there is '{other}': on this machine objects are files, "
        "and a key cannot be both an object and the folder of another; remove that object, or use another key"
    )


def remove_empty_folders(folder: Path) -> None:
    """Remove a folder, and those in it, as far as there are no files."""
    for base, _, _ in os.walk(folder, topdown=False):
        with suppress(OSError):
            Path(base).rmdir()


def _file_above(bucket: Path, key: str) -> str:
    """The object whose name is that of a folder on the way to a key."""
    parts = key.split("/")
    above = ("/".join(parts[:end]) for end in range(1, len(parts)))
    return next((found for found in above if found and (bucket / to_path(found)).is_file()), key)
