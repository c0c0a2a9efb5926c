"""Fetches the archives of the real data sets: resumes, and checks what it got."""

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import httpx

from workflows.definition.errors import WorkflowError

_REPORT_EVERY_S = 2.0
_PARTIAL, _UNSATISFIABLE = 206, 416


class DownloadError(WorkflowError):
    """The archive could not be fetched, or is not the one that was expected."""


@dataclass(frozen=True, kw_only=True)
class Archive:
    """Where a data set's archive is, and its digest as the loaders of the field have it."""

    url: str
    file_name: str
    md5: str


ARCHIVES = {
    "birds": Archive(
        url="https://data.caltech.edu/records/65de6-vp158/files/CUB_200_2011.tgz",
        file_name="CUB_200_2011.tgz",
        md5="97eceeb196236b17998738112f37df78",
    ),
    "caltech": Archive(
        url="https://data.caltech.edu/records/nyy15-4j048/files/256_ObjectCategories.tar",
        file_name="256_ObjectCategories.tar",
        md5="67b4f42ca05d46448c6bb8ecd2220f6d",
    ),
}


def download(url: str, target: Path, *, md5: str, report: Callable[[str], None]) -> Path:
    """Fetch a file; it appears under its name only when its digest is right.

    What has come so far is kept in TARGET.partial, and the next call goes on from there.

    Raises:
        DownloadError: no connection, an error status, or another digest (the partial file is removed).
    """
    if target.is_file() and _md5(target) == md5:
        report(f"{target} is there already")
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f"{target.name}.partial")
    try:
        _fetch(url, partial, report)
    except httpx.HTTPError as error:
        raise DownloadError(
            f"{url}: {error or type(error).__name__}; run the same command again to go on"
        ) from None
    found = _md5(partial)
    if found != md5:
        partial.unlink()
        raise DownloadError(
            f"{url}: its md5 is {found}, not {md5}; this is not the archive that was published"
        )
    partial.replace(target)
    return target


def _fetch(url: str, partial: Path, report: Callable[[str], None]) -> None:
    have = partial.stat().st_size if partial.is_file() else 0
    headers = {"Range": f"bytes={have}-"} if have else {}
    with httpx.stream("GET", url, headers=headers, follow_redirects=True, timeout=30) as response:
        if have and response.status_code == _UNSATISFIABLE:
            return  # all of it is there
        response.raise_for_status()
        resumed = response.status_code == _PARTIAL
        if have:
            report(f"going on after {have} bytes" if resumed else "the server cannot resume; starting again")
        have = have if resumed else 0
        total = have + int(response.headers.get("Content-Length", 0))
        with partial.open("ab" if resumed else "wb") as file:
            last = time.monotonic()
            # Raw and unbuffered: what has come is kept when the connection breaks.
            for chunk in response.iter_raw():
                have += file.write(chunk)
                if time.monotonic() - last > _REPORT_EVERY_S:
                    last = time.monotonic()
                    report(f"{have >> 20} of {total >> 20} MiB" if total else f"{have >> 20} MiB")


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        # Not for security: it is the digest that the data set is known by.
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
