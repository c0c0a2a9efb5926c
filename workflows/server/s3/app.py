"""S3's REST API over the objects of this machine, as an ASGI application."""

import errno
import secrets
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from botocore.model import OperationModel
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from workflows.definition.errors import WorkflowError
from workflows.definition.model import JSON
from workflows.local.objects import Objects
from workflows.server.errors import AwsError
from workflows.server.s3.address import Address, read_address, read_query
from workflows.server.s3.call import Account, Call
from workflows.server.s3.dispatch import operation_of
from workflows.server.s3.errors import not_implemented, s3_error
from workflows.server.s3.expiry import check_authentication
from workflows.server.s3.names import check_key
from workflows.server.s3.promises import read_promises
from workflows.server.s3.reading import payload_of, read_parameters, read_payload
from workflows.server.s3.receiving import receive_small
from workflows.server.s3.storage import Storage
from workflows.server.s3.table import OPERATIONS, TRANSFERS
from workflows.server.s3.uploads import Uploads
from workflows.server.s3.writing import XML, answer
from workflows.server.s3.xml import DECLARATION, element, escape
from workflows.server.shapes import service_model

# 10,000 parts of an upload, with the longest checksum each, are 3 MB.
_LARGEST_DOCUMENT: Final = 8 * 2**20
# What is read of a body that nobody wants, so that its sender comes to read the answer.
_DRAINED: Final = 2**20
_DISK_FULL: Final = {errno.ENOSPC, errno.EDQUOT}
_HERE: Final = OPERATIONS.keys() | TRANSFERS.keys()


class S3:
    """The application; it may be mounted wherever requests arrive with their whole path."""

    def __init__(
        self,
        objects: Objects,
        *,
        region: str,
        account: str,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Makes the file of what is known beside the objects, if it is not there.

        Args:
            objects: what is served.
            region: where this machine says it is.
            account: whose objects they are, 12 digits.
            now: the time by which presigned URLs end.
        """
        self._storage = Storage(objects)
        self._uploads = Uploads(self._storage.database, objects.root.parent / "uploads")
        self._account, self._now = Account(id=account, region=region), now

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        body = _Body(scope, receive)
        request = Request(scope, body.receive)
        ids = new_ids()
        try:
            response = await self._answer(request)
        except AwsError as error:
            response = error_answer(error, scope["path"], ids)
            await body.drain()
        response.headers.update(ids)
        if body.is_left:
            # What a client still sends, or does not send after all, must not be taken for its next request.
            response.headers["connection"] = "close"
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        try:
            address, query = _read_target(request)
            check_authentication(query, request.headers, now=self._now())
            model = _operation(request, address, query)
            call = self._call(request, address, model, read_parameters(model, query, request.headers))
            response = await _perform(call, request)
        except OSError as error:
            raise _of_the_disk(error) from error
        except WorkflowError as error:
            raise s3_error("InternalError", str(error)) from error
        if address.level == "bucket":
            response.headers["x-amz-bucket-region"] = self._account.region
        return response

    def _call(
        self, request: Request, address: Address, operation: OperationModel, given: dict[str, JSON]
    ) -> Call:
        if given.get("ExpectedBucketOwner") not in (None, self._account.id):
            raise s3_error("AccessDenied", "Access Denied")
        if address.key:
            check_key(address.key)
        return Call(
            storage=self._storage,
            uploads=self._uploads,
            account=self._account,
            operation=operation,
            address=address,
            headers=request.headers,
            given=given,
        )


class _Body:
    """What arrives of a request's body, and whether that is all."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        headers = Headers(scope=scope)
        size = headers.get("content-length", "0")
        # Not longer than a number that is worth reading.
        self._is_short = size.isdigit() and len(size) < len(str(2**63)) and int(size) <= _DRAINED
        self._is_awaited = "expect" in headers
        self._receive = receive
        self.is_left = size != "0" or "transfer-encoding" in headers

    async def receive(self) -> Message:
        message = await self._receive()
        self.is_left = message.get("more_body", False)
        return message

    async def drain(self) -> None:
        """Read the rest of a short body, unless its sender waits for a word before sending it."""
        while self.is_left and self._is_short and not self._is_awaited:
            await self.receive()


def _read_target(request: Request) -> tuple[Address, dict[str, str]]:
    scope = request.scope
    address = read_address(request.headers.get("host", ""), scope.get("raw_path") or scope["path"].encode())
    return address, read_query(scope["query_string"])


def _operation(request: Request, address: Address, query: dict[str, str]) -> OperationModel:
    name = operation_of(request.method, address.level, query, request.headers.keys(), _HERE)
    if name is None:
        raise s3_error("MethodNotAllowed", "The specified method is not allowed against this resource.")
    if name not in _HERE:
        raise not_implemented(name)
    return service_model("s3").operation_model(name)


async def _perform(call: Call, request: Request) -> Response:
    name = call.operation.name
    if name in TRANSFERS:
        return await TRANSFERS[name](call, request)
    if payload_of(call.operation):
        body = await _document(call, request)
        call = replace(call, given={**call.given, **read_payload(call.operation, body)})
    record = await run_in_threadpool(OPERATIONS[name], call)
    return await run_in_threadpool(answer, call.operation, record)


async def _document(call: Call, request: Request) -> bytes:
    """The XML of a request."""
    promises = read_promises({"content-length": "0", **call.headers})
    if not call.operation.http_checksum:
        # A checksum that CompleteMultipartUpload is given is that of the object.
        promises = replace(promises, algorithm=None, checksum=None)
    return await receive_small(request, promises, limit=_LARGEST_DOCUMENT)


def _of_the_disk(error: OSError) -> AwsError:
    if error.errno in _DISK_FULL:
        # Not an error of the server's kind, which clients would try again.
        return s3_error("EntityTooLarge", f"The disk of this machine is full: {error.strerror}")
    return s3_error("InternalError", f"The disk of this machine: {error.strerror}")


def new_ids() -> dict[str, str]:
    """The headers that tell one answer from every other."""
    return {"x-amz-request-id": secrets.token_hex(8).upper(), "x-amz-id-2": secrets.token_urlsafe(42)}


def error_answer(error: AwsError, place: str, ids: dict[str, str]) -> Response:
    """An error as the document that S3 makes of it; `place` is the path of the request."""
    content = {
        "Code": error.code,
        "Message": error.message,
        **error.fields,
        "Resource": place,
        "RequestId": ids["x-amz-request-id"],
        "HostId": ids["x-amz-id-2"],
    }
    body = DECLARATION + element(
        "Error", (element(name, [escape(str(text))]) for name, text in content.items())
    )
    return Response(body, error.status, media_type=XML)
