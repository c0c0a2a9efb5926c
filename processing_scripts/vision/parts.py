"""One file in several parts, written by instances that share no disk.

Each holds its records in the order of the file's list.
"""

import re
from collections.abc import Collection
from pathlib import Path

from processing_scripts.contract import JobError

# Five digits, so that the order of the names is the order of the numbers: the service allows 100 instances.
_PART = re.compile(r"(?P<stem>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})")


def part_name(stem: str, number: int, count: int) -> str:
    """Such as train-00002-of-00003, numbered from 1 and without suffix; the only part keeps the name."""
    return stem if count == 1 else f"{stem}-{number:05}-of-{count:05}"


def find_parts(folder: Path, suffix: str) -> tuple[str, list[Path]]:
    """The file of a folder that ends in a suffix such as .rec: its name, and its parts in their order.

    Raises:
        JobError: there is none or more than one, or a part is missing.
    """
    found = sorted(path for path in folder.iterdir() if path.suffix == suffix and path.is_file())
    if len(found) == 1 and not _PART.fullmatch(found[0].stem):
        return found[0].name, found
    names = [path.name for path in found]
    matches = [_PART.fullmatch(path.stem) for path in found]
    files = {(match["stem"], int(match["count"])) for match in matches if match}
    if None in matches or len(files) != 1:
        raise JobError(f"{folder}: holds {_listed(names)}; give it one {suffix} file, or all parts of one")
    ((stem, count),) = files
    wanted = [f"{part_name(stem, number, count)}{suffix}" for number in range(1, count + 1)]
    if names != wanted:
        raise JobError(f"{folder}: holds {_listed(names)}; give it all {count} parts of {stem}{suffix}")
    return f"{stem}{suffix}", found


def _listed(names: Collection[str]) -> str:
    return ", ".join(list(names)[:5]) or "nothing"
