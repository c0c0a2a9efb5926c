"""Packs the functions for AWS Lambda: python -m infrastructure.package FOLDER

Writes FOLDER/functions/DIGEST.zip and prints functions/DIGEST.zip, its key in the artifact bucket. The same
files make the same bytes, on any machine and at any time: a new key means new code.
"""

import argparse
import hashlib
import io
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZIP_STORED, ZipFile, ZipInfo

_PROJECT = Path(__file__).parents[1]
_FUNCTIONS = _PROJECT / "infrastructure" / "functions"
# Of `workflows` only what calls AWS, and what that needs.
_PACKAGES = ("workflows/aws", "workflows/definition")
_EARLIEST = (1980, 1, 1, 0, 0, 0)
_READABLE = 0o644 << 16
_UNIX = 3


def archive() -> bytes:
    """The ZIP archive: handlers at its top, beside the package `workflows`."""
    content = io.BytesIO()
    with ZipFile(content, "w") as packed:
        for name, path in sorted(_files()):
            entry = ZipInfo(name, date_time=_EARLIEST)
            entry.external_attr, entry.create_system = _READABLE, _UNIX
            # Stored, because compressors differ between versions of zlib.
            packed.writestr(entry, path.read_bytes(), compress_type=ZIP_STORED)
    return content.getvalue()


def write(folder: Path) -> str:
    """Write the archive below a folder; returns its path there, which is its key in the bucket."""
    content = archive()
    key = f"functions/{hashlib.sha256(content).hexdigest()}.zip"
    target = folder / key
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)
    return key


def _files() -> Iterator[tuple[str, Path]]:
    for path in _FUNCTIONS.glob("*.py"):
        yield path.name, path
    yield "workflows/__init__.py", _PROJECT / "workflows" / "__init__.py"
    for package in _PACKAGES:
        for path in (_PROJECT / package).rglob("*.py"):
            yield path.relative_to(_PROJECT).as_posix(), path


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description="Pack the functions for AWS Lambda.")
    parser.add_argument("folder", type=Path, help="Where to write functions/DIGEST.zip.")
    print(write(parser.parse_args().folder))  # noqa: T201 - what the command answers


if __name__ == "__main__":
    main()
