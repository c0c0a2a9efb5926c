"""The objects that a transform job works on."""

import gzip
import json
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO, cast

from workflows.local.objects import ObjectError, Objects, parse, relative_to
from workflows.local.request import Request
from workflows.local.transform.splitting import SplitError


@dataclass(frozen=True)
class InputObject:
    """One object, and its path inside the input."""

    path: Path
    relative: PurePosixPath


def input_objects(request: Request, objects: Objects) -> list[InputObject]:
    """Every object of the input, by key, or in the order of its manifest.

    Raises:
        ObjectError: there is none, or one of the manifest is missing.
    """
    source = "TransformInput.DataSource.S3DataSource"
    uri = request.text(f"{source}.S3Uri")
    if request.text(f"{source}.S3DataType", "S3Prefix") == "ManifestFile":
        return list(_listed(uri, objects))
    prefix = parse(uri)
    found = [InputObject(path, relative_to(location, prefix)) for location, path in objects.keys(uri)]
    if not found:
        raise ObjectError(f"{uri}: nothing is stored there")
    return found


def _listed(uri: str, objects: Objects) -> Iterator[InputObject]:
    """[{"prefix": "s3://bucket/some/prefix/"}, "relative/path", ...]: every text is put behind the prefix."""
    try:
        entries = json.loads(objects.read(uri))
    except ValueError as error:
        raise ObjectError(f"{uri}: a manifest is JSON: {error}") from None
    head, *names = entries if isinstance(entries, list) and entries else [None]
    prefix = head.get("prefix") if isinstance(head, dict) else None
    if not isinstance(prefix, str) or not names or not all(isinstance(name, str) for name in names):
        raise ObjectError(f'{uri}: a manifest is [{{"prefix": "s3://..."}}, "path", ...]')
    for name in dict.fromkeys(names):
        location = parse(f"{prefix}{name}")
        path = objects.path(str(location))
        if not path.is_file():
            raise ObjectError(f"{uri} lists {location}: no such object")
        yield InputObject(path, PurePosixPath(name.lstrip("/")))


@contextmanager
def opened(item: InputObject, *, compressed: bool) -> Iterator[BinaryIO]:
    """An object's content, unpacked while it is read.

    Raises:
        SplitError: it is not Gzip, or damaged.
    """
    try:
        with gzip.open(item.path) if compressed else item.path.open("rb") as stream:
            yield cast(BinaryIO, stream)
    except (gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise SplitError(f"not Gzip, or damaged: {error}") from None
