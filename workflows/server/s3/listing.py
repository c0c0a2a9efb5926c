"""One page of a list of keys: with a prefix, rolled up at a delimiter, from a place on."""

from dataclasses import dataclass, field
from pathlib import Path

from workflows.server.s3.walk import Walk


@dataclass(kw_only=True)
class Page:
    """What a list shows, both parts in order, and where the next page starts."""

    files: list[tuple[str, str]] = field(default_factory=list)  # keys and paths
    prefixes: list[str] = field(default_factory=list)
    following: str | None = None  # the last entry, if there are more


def read_page(bucket: Path, *, prefix: str, delimiter: str, after: str, size: int) -> Page:
    """A page of the objects in a bucket's folder.

    Args:
        bucket: its folder.
        prefix: keys begin with it.
        delimiter: keys that have it after the prefix count as one, the part up to and with it.
        after: keys, and such parts, that are not greater are left out.
        size: the most entries.
    """
    page, last = Page(), ""
    if not size:
        return page
    walk = Walk(bucket, prefix=prefix, after=after)
    if common := _common_prefix(after, prefix, delimiter):
        walk.skip(common)
    for key, path in walk:
        if len(page.files) + len(page.prefixes) == size:
            page.following = last
            break
        common = _common_prefix(key, prefix, delimiter)
        last = common or key
        if common is None:
            page.files.append((key, path))
        else:
            page.prefixes.append(common)
            walk.skip(common)
    return page


def _common_prefix(key: str, prefix: str, delimiter: str) -> str | None:
    """The part of a key that stands for all keys that begin so; None if it stands for itself."""
    if not delimiter or not key.startswith(prefix):
        return None
    end = key.find(delimiter, len(prefix))
    return key[: end + len(delimiter)] if end >= 0 else None
