"""How the key of an object becomes the path of a file, and back.

The parts of a key between slashes are the names of folders, its last part that of a file. A part may be
empty: consoles and SDKs mark a folder by an object `folder/`, and `a//b` is a key like any other. No file can
be called so: `@empty` stands for it inside a key, `@marker` at its end.
"""

import re
from pathlib import PurePath, PurePosixPath

_EMPTY, _MARKER = "@empty", "@marker"
_LOOKS_EMPTY = re.compile("@+(empty|marker)")
_IMPOSSIBLE = {".", ".."}


def leaves_the_tree(key: str) -> bool:
    """Whether a key, or the name of a bucket, can be no path, or would lead out of the folder of objects."""
    return "\0" in key or not _IMPOSSIBLE.isdisjoint(key.split("/"))


def to_path(key: str) -> PurePosixPath:
    """The path of an object's file in the folder of its bucket; of no key at all, that folder."""
    if not key:
        return PurePosixPath()
    *folders, name = key.split("/")
    return PurePosixPath(*(_to_name(part, _EMPTY) for part in folders), _to_name(name, _MARKER))


def to_folder(prefix: str) -> PurePosixPath:
    """The path of the folder in which all keys that begin so are."""
    return PurePosixPath(*(_to_name(part, _EMPTY) for part in prefix.split("/")[:-1]))


def to_key(path: PurePath) -> str:
    """The key of the object in a file of its bucket's folder."""
    return "/".join(map(to_part, path.parts))


def to_part(name: str) -> str:
    """The part of a key that a file or folder stands for."""
    if name in (_EMPTY, _MARKER):
        return ""
    return name.removeprefix("@") if _LOOKS_EMPTY.fullmatch(name) else name


def _to_name(part: str, if_empty: str) -> str:
    if not part:
        return if_empty
    return f"@{part}" if _LOOKS_EMPTY.fullmatch(part) else part
