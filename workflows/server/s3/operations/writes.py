"""Storing objects in one piece."""

import shutil
from collections.abc import Mapping
from dataclasses import replace

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from workflows.server.s3.call import Call, Transfer
from workflows.server.s3.conditions import Conditions
from workflows.server.s3.details import read_details
from workflows.server.s3.errors import s3_error
from workflows.server.s3.operations.downloads import checksum_record
from workflows.server.s3.promises import Promises, read_promises
from workflows.server.s3.receiving import receive
from workflows.server.s3.sinks import FileSink
from workflows.server.s3.writing import headers_of

_LARGEST = 5 * 2**30


async def put_object(call: Call, request: Request) -> Response:
    """PutObject: it appears when all of it has arrived and is what was promised."""
    promises, details, conditions = read_promises(call.headers), read_details(call), write_conditions(call)
    check_size(call, promises)
    # What must fail should fail before it is sent.
    await run_in_threadpool(call.storage.check_write, call.bucket, call.key, conditions)
    with call.storage.objects.scratch() as folder:
        file = folder / "object"
        with FileSink(file) as sink:
            received = await receive(request, promises, sink.write)
        details = replace(details, etag=received.md5.hex(), checksum=received.checksum)
        stored = await run_in_threadpool(
            call.storage.publish, file, call.bucket, call.key, details, conditions
        )
    record = {"ETag": stored.etag, **checksum_record(details)}
    return Response(None, headers=headers_of(call.operation, record))


def write_conditions(call: Call) -> Conditions:
    """Those that a request sets for what is there already."""
    return Conditions(if_match=call.text("IfMatch"), if_none_match=call.text("IfNoneMatch"))


def check_size(call: Call, promises: Promises) -> None:
    """Refuse what is too large for one piece, or for the disk.

    Raises:
        AwsError: EntityTooLarge.
    """
    if promises.size > _LARGEST:
        message = "Your proposed upload exceeds the maximum allowed size"
        raise s3_error("EntityTooLarge", message, ProposedSize=promises.size, MaxSizeAllowed=_LARGEST)
    free = shutil.disk_usage(call.storage.objects.root.parent).free
    if promises.size > free:
        message = f"The disk of this machine has {free} bytes left"
        raise s3_error("EntityTooLarge", message, ProposedSize=promises.size, MaxSizeAllowed=free)


TRANSFERS: Mapping[str, Transfer] = {"PutObject": put_object}
