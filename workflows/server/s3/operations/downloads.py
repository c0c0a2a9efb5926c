"""Reading objects."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from workflows.definition.model import JSON
from workflows.server.s3.call import Call, Operation, Transfer
from workflows.server.s3.catalog import DEFAULT_TYPE, Details
from workflows.server.s3.conditions import UNCHANGED, Conditions
from workflows.server.s3.errors import invalid_argument, invalid_request, precondition_failed, s3_error
from workflows.server.s3.ranges import ByteRange, read_range
from workflows.server.s3.sending import FileAnswer
from workflows.server.s3.storage import Stored
from workflows.server.s3.times import iso
from workflows.server.s3.versions import check_version
from workflows.server.s3.writing import headers_of
from workflows.server.shapes import Output

_OK, _PARTIAL, _NOT_MODIFIED = 200, 206, 304
# Members of a request, for presigned URLs, that take the place of an object's own.
_OVERRIDES = (
    "CacheControl",
    "ContentDisposition",
    "ContentEncoding",
    "ContentLanguage",
    "ContentType",
    "Expires",
)
# Objects come from anywhere, and their pages must not act as pages of this server in a browser.
_HARMLESS = {"Content-Security-Policy": "sandbox", "X-Content-Type-Options": "nosniff"}


@dataclass(frozen=True)
class _View:
    """What a request sees of an object."""

    status: int
    part: ByteRange
    record: Output


async def get_object(call: Call, _: Request) -> Response:
    """GetObject."""
    descriptor, view = await run_in_threadpool(_open, call)
    headers = {**headers_of(call.operation, view.record), **_HARMLESS}
    if view.status == _NOT_MODIFIED:
        os.close(descriptor)
        return Response(None, view.status, headers=headers)
    return FileAnswer(descriptor, view.part, status=view.status, headers=headers)


async def head_object(call: Call, _: Request) -> Response:
    """HeadObject."""
    descriptor, view = await run_in_threadpool(_open, call)
    os.close(descriptor)
    return Response(None, view.status, headers=headers_of(call.operation, view.record))


def get_object_attributes(call: Call) -> Output:
    """GetObjectAttributes."""
    stored = call.storage.look(call.bucket, call.key)
    wanted = {part.strip() for part in call.headers["x-amz-object-attributes"].split(",")}
    found: dict[str, JSON] = {
        "ETag": stored.details.etag,
        "Checksum": checksum_record(stored.details) or None,
        "ObjectParts": {"TotalPartsCount": len(stored.details.part_sizes)}
        if stored.details.part_sizes
        else None,
        "StorageClass": stored.details.headers.get("StorageClass", "STANDARD"),
        "ObjectSize": stored.size,
    }
    if not wanted <= found.keys():
        raise invalid_argument("Invalid attribute name specified.", "x-amz-object-attributes", sorted(wanted))
    return {"LastModified": iso(stored.modified)} | {
        name: value for name, value in found.items() if name in wanted
    }


def checksum_record(details: Details) -> dict[str, JSON]:
    """The checksum of an object as members of answers have it."""
    checksum = details.checksum
    if checksum is None:
        return {}
    kind = "COMPOSITE" if checksum.is_composite else "FULL_OBJECT"
    return {f"Checksum{checksum.algorithm.upper()}": checksum.value, "ChecksumType": kind}


def _open(call: Call) -> tuple[int, _View]:
    check_version(call.text("VersionId"))
    descriptor, stored = call.storage.open(call.bucket, call.key)
    try:
        return descriptor, _view(call, stored)
    except BaseException:
        os.close(descriptor)
        raise


def _view(call: Call, stored: Stored) -> _View:
    conditions = Conditions(
        if_match=call.text("IfMatch"),
        if_none_match=call.text("IfNoneMatch"),
        if_modified_since=call.text("IfModifiedSince"),
        if_unmodified_since=call.text("IfUnmodifiedSince"),
    )
    broken = conditions.broken(stored.details.etag, stored.modified)
    if broken in UNCHANGED:
        unchanged: Output = {"ETag": stored.etag, "LastModified": iso(stored.modified)}
        return _View(_NOT_MODIFIED, ByteRange(0, 0), unchanged)
    if broken:
        raise precondition_failed(broken)
    part = _part(call, stored)
    record = _record(call, stored, is_whole=part is None) | _overrides(call)
    if part is None:
        record["ContentLength"] = stored.size
        return _View(_OK, ByteRange(0, stored.size), record)
    record |= {"ContentLength": part.size, "ContentRange": part.header(stored.size)}
    return _View(_PARTIAL, part, record)


def _part(call: Call, stored: Stored) -> ByteRange | None:
    """What a request asks for by a range, or by the number of a part that was uploaded."""
    number = call.number("PartNumber")
    if number is None:
        return read_range(call.text("Range"), stored.size)
    if call.text("Range") is not None:
        raise invalid_request("Cannot specify both Range header and partNumber query parameter")
    sizes = stored.details.part_sizes or (stored.size,)
    if not 0 < number <= len(sizes):
        raise s3_error("InvalidPartNumber", "The requested partnumber is not satisfiable")
    # Of nothing there is no part, and no way to write its range.
    return ByteRange(sum(sizes[: number - 1]), sizes[number - 1]) if stored.size else None


def _record(call: Call, stored: Stored, *, is_whole: bool) -> dict[str, JSON]:
    details = stored.details
    record: dict[str, JSON] = {
        "AcceptRanges": "bytes",
        "LastModified": iso(stored.modified),
        "ETag": stored.etag,
        "ContentType": DEFAULT_TYPE,
        "Metadata": dict(details.metadata),
    }
    record |= details.headers
    if details.tags:
        record["TagCount"] = len(details.tags)
    if details.part_sizes and call.number("PartNumber"):
        record["PartsCount"] = len(details.part_sizes)
    if is_whole and call.text("ChecksumMode") == "ENABLED":
        record |= checksum_record(details)
    return record


def _overrides(call: Call) -> dict[str, JSON]:
    """What the request wants some headers to be."""
    found: dict[str, JSON] = {}
    for name in _OVERRIDES:
        value = call.text(f"Response{name}")
        if value is not None:
            if not (value.isascii() and value.isprintable()):
                raise invalid_argument("Header values must be printable ASCII", f"response-{name}", value)
            found[name] = value
    return found


OPERATIONS: Mapping[str, Operation] = {"GetObjectAttributes": get_object_attributes}
TRANSFERS: Mapping[str, Transfer] = {"GetObject": get_object, "HeadObject": head_object}
