"""Copies of objects, and of parts of them, on this machine."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import unquote_to_bytes

from workflows.definition.model import JSON
from workflows.local.file_copies import link_or_copy
from workflows.local.object_keys import to_path
from workflows.server.s3.call import Call, Operation
from workflows.server.s3.catalog import Details, Identity
from workflows.server.s3.conditions import Conditions
from workflows.server.s3.details import read_details
from workflows.server.s3.errors import invalid_argument, invalid_request, no_such_key, precondition_failed
from workflows.server.s3.names import check_bucket, check_key
from workflows.server.s3.operations.downloads import checksum_record
from workflows.server.s3.operations.uploads import find_upload, read_number
from workflows.server.s3.operations.writes import write_conditions
from workflows.server.s3.promises import Promises
from workflows.server.s3.ranges import read_copy_range
from workflows.server.s3.sinks import Sums
from workflows.server.s3.storage import Stored
from workflows.server.s3.times import iso, now
from workflows.server.s3.versions import check_version
from workflows.server.shapes import Output

_BLOCK = 2**20
_NEVER_COPIED = {"StorageClass", "WebsiteRedirectLocation"}
# How often the source may be replaced while it is copied.
_ATTEMPTS = 10


@dataclass(frozen=True)
class Source:
    """What is to be copied."""

    bucket: str
    key: str


def copy_object(call: Call) -> Output:
    """CopyObject: a second link to the file, which nobody changes in place."""
    source = read_source(call)
    given, conditions = read_details(call), write_conditions(call)
    is_same = (source.bucket, source.key) == (call.bucket, call.key)
    if is_same and not _changes_details(call):
        raise invalid_request(
            "This copy request is illegal because it is trying to copy an object to itself without changing "
            "the object's metadata, storage class, website redirect location or encryption attributes."
        )
    with call.storage.objects.scratch() as folder:
        original = _link(call, source, folder / "object")
        details = _details(call, original, given)
        stored = call.storage.publish(folder / "object", call.bucket, call.key, details, conditions)
    result: dict[str, JSON] = {"ETag": stored.etag, "LastModified": iso(stored.modified)}
    return {"CopyObjectResult": {**result, **checksum_record(details)}}


def upload_part_copy(call: Call) -> Output:
    """UploadPartCopy."""
    source = read_source(call)
    number, upload = read_number(call), find_upload(call)
    with _open(call, source) as (descriptor, stored):
        part = read_copy_range(call.text("CopySourceRange"), stored.size)
        sums = Sums(Promises(size=part.size, is_chunked=False, algorithm=None))
        place = call.uploads.reserve(upload, number, part.size)
        with call.uploads.receiving(upload, number, place) as sink:
            for start in range(part.start, part.start + part.size, _BLOCK):
                block = os.pread(descriptor, min(_BLOCK, part.start + part.size - start), start)
                sums.update([block])
                sink.write([block])
            arrived = call.uploads.add(upload, number, place, sums.finish({}))
    return {"CopyPartResult": {"ETag": arrived.etag, "LastModified": arrived.modified}}


def read_source(call: Call) -> Source:
    """The object that a request names as its source.

    Raises:
        AwsError: InvalidArgument.
    """
    header = call.text("CopySource") or ""
    path, _, query = header.partition("?")
    try:
        bucket, _, key = unquote_to_bytes(path).decode().removeprefix("/").partition("/")
    except UnicodeDecodeError:
        bucket = key = ""
    if not bucket or not key:
        message = "Copy Source must mention the source bucket and key: sourcebucket/sourcekey"
        raise invalid_argument(message, "x-amz-copy-source", header)
    check_version(query.removeprefix("versionId=") if query else None)
    check_bucket(bucket)
    check_key(key)
    return Source(bucket, key)


@contextmanager
def _open(call: Call, source: Source) -> Iterator[tuple[int, Stored]]:
    """The source, if it fulfils the conditions that there are."""
    descriptor, stored = call.storage.open(source.bucket, source.key)
    try:
        conditions = Conditions(
            if_match=call.text("CopySourceIfMatch"),
            if_none_match=call.text("CopySourceIfNoneMatch"),
            if_modified_since=call.text("CopySourceIfModifiedSince"),
            if_unmodified_since=call.text("CopySourceIfUnmodifiedSince"),
        )
        if broken := conditions.broken(stored.details.etag, stored.modified):
            raise precondition_failed(f"x-amz-copy-source-{broken}")
        yield descriptor, stored
    finally:
        os.close(descriptor)


def _link(call: Call, source: Source, target: Path) -> Stored:
    """Link the file of the source; what is returned speaks of that file."""
    for _ in range(_ATTEMPTS):
        with _open(call, source) as (_, stored):
            try:
                link_or_copy(call.storage.folder(source.bucket) / to_path(source.key), target)
            except FileNotFoundError:
                break
            found = Identity.of(target.stat())
            # A copy, where links are not possible, is another file with the same times.
            if (found.size, found.mtime_ns) == (stored.identity.size, stored.identity.mtime_ns):
                return stored
            target.unlink()
    raise no_such_key(source.key)


def _changes_details(call: Call) -> bool:
    return call.text("MetadataDirective") == "REPLACE" or any(
        call.text(name) is not None for name in (*_NEVER_COPIED, "ServerSideEncryption")
    )


def _details(call: Call, original: Stored, given: Details) -> Details:
    """What is known of the copy: of the original, or what the request says instead."""
    details = replace(original.details, modified=now(), upload=None)
    if call.text("MetadataDirective") == "REPLACE":
        details = replace(details, headers=given.headers, metadata=given.metadata)
    else:
        kept = {name: text for name, text in original.details.headers.items() if name not in _NEVER_COPIED}
        own = {name: text for name, text in given.headers.items() if name in _NEVER_COPIED}
        details = replace(details, headers={**kept, **own})
    return replace(details, tags=given.tags) if call.text("TaggingDirective") == "REPLACE" else details


OPERATIONS: Mapping[str, Operation] = {"CopyObject": copy_object, "UploadPartCopy": upload_part_copy}
