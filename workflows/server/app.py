"""One address that speaks for this machine as AWS's endpoints do.

What a request is for is told by its headers and its path (dispatch.py). SageMaker, its runtime, S3,
CloudWatch Logs, STS, EventBridge and its Scheduler are real here; every other service is answered by moto,
with nothing behind it.
"""

import hmac
import json
import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from uuid import uuid4

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from workflows.definition.errors import WorkflowError
from workflows.local import job_control
from workflows.local.engine import Engine
from workflows.local.executor import Options
from workflows.local.hosting import Hosts
from workflows.server import logs, sts
from workflows.server.background import Background
from workflows.server.dispatch import service_of
from workflows.server.elsewhere import Elsewhere
from workflows.server.errors import AwsError
from workflows.server.events import service as events
from workflows.server.events.rest import RestService
from workflows.server.json_protocol import JsonService, Operation
from workflows.server.machine import Machine
from workflows.server.orders import start_pipeline
from workflows.server.page import guard
from workflows.server.runtime import Runtime
from workflows.server.s3.app import S3, error_answer, new_ids
from workflows.server.s3.errors import s3_error
from workflows.server.sagemaker import endpoint_changes, operations
from workflows.server.sagemaker.orphans import adopt_orphans
from workflows.server.throttle import NEVER, Throttle

_LOG = logging.getLogger("workflows.server")
_REQUEST_ID, _S3_REQUEST_ID = "x-amzn-requestid", "x-amz-request-id"
_JSON_TYPE = "application/x-amz-json-1.1"
_NOT_ALLOWED = AwsError(
    "UnrecognizedClientException", "The security token included in the request is invalid.", status=403
)
_FAILURE = AwsError("InternalFailure", "An internal error; the log of this server has it.", status=500)
_S3_FAILURE = s3_error("InternalError", _FAILURE.message)
# The longest request of a JSON service is a pipeline's definition of a million characters.
_LARGEST_BODY = 16 * 2**20

# Name -> the operations that exist here.
JSON_SERVICES: Mapping[str, Mapping[str, Operation]] = {
    "sagemaker": operations.OPERATIONS,
    "logs": logs.OPERATIONS,
    "events": events.OPERATIONS,
}


class App:
    """The ASGI application."""

    def __init__(
        self,
        machine: Machine,
        *,
        token: str | None = None,
        host: str = "127.0.0.1",
        throttle: Throttle = NEVER,
    ) -> None:
        """What answers for a machine.

        Args:
            machine: its state and its work.
            token: if given, only requests that are signed with it as access key id are answered.
            host: where it listens; browsers that call it by another name are refused.
            throttle: may hold operations of the JSON services; see `JSON_SERVICES`.
        """
        self._token, self._host, self._throttle = token, host, throttle
        region, account = machine.names.region, machine.names.account
        self._machine = machine
        self._json = {name: JsonService(name, known) for name, known in JSON_SERVICES.items()}
        self._scheduler = RestService("scheduler", events.SCHEDULER_OPERATIONS)
        self._s3 = S3(machine.store.objects, region=region, account=account)
        self._runtime = Runtime(machine)
        self._elsewhere = Elsewhere(account=account, region=region)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, and log it."""
        request, started = Request(scope, receive), time.monotonic()
        service, status, request_id = _service(request), 0, str(uuid4())
        request.state.id = request_id

        async def note_and_send(message: Message) -> None:
            nonlocal status, request_id
            if message["type"] == "http.response.start":
                status, headers = message["status"], MutableHeaders(scope=message)
                # S3 has one of its own.
                request_id = headers.get(_S3_REQUEST_ID) or headers.setdefault(_REQUEST_ID, request_id)
            await send(message)

        try:
            await self._respond(service, request, note_and_send)
        except ClientDisconnect:
            pass  # before its body had arrived: nobody is there to be answered
        except Exception:
            # A bug. Its traceback is for the log; clients learn what AWS would tell them.
            _LOG.exception("request %s failed", request_id)
            if status:
                raise  # half of an answer is sent: the connection must be closed
            failure = _S3_FAILURE if service == "s3" else _FAILURE
            await _error(service, failure, request)(scope, receive, note_and_send)
        line = {
            "id": request_id,
            "service": service,
            "operation": request.headers.get("x-amz-target", "").rpartition(".")[2],
            "method": request.method,
            "path": scope["path"],
            "status": status,
            "ms": round((time.monotonic() - started) * 1000),
        }
        _LOG.info(json.dumps(line))

    @cached_property
    def _page(self) -> ASGIApp:
        # Most servers are those of single commands, which no browser ever sees.
        from workflows.server.page.app import Page

        return Page(self._machine, token=self._token)

    async def _respond(self, service: str, request: Request, send: Send) -> None:
        refusal = guard.refusal(request.headers, host=self._host)
        if refusal is not None:
            await guard.refused(refusal)(request.scope, request.receive, send)
        elif service == "page":
            await self._page(request.scope, request.receive, send)
        elif not self._may(request):
            await _error(service, _NOT_ALLOWED, request)(request.scope, request.receive, send)
        elif service == "s3":
            await self._s3(request.scope, request.receive, send)
        else:
            response = await self._answer(service, request)
            await response(request.scope, request.receive, send)

    def _may(self, request: Request) -> bool:
        if self._token is None:
            return True
        return hmac.compare_digest(_access_key(request).encode(), self._token.encode())

    async def _answer(self, service: str, request: Request) -> Response:
        if service == "ping":
            return Response()
        if service == "sagemaker-runtime":
            return await self._runtime.answer(request)
        if service not in (*self._json, "scheduler", "sts"):
            return await self._elsewhere.answer(service, request)
        try:
            body = await _body(request)
        except AwsError as error:
            return _error(service, error, request)
        if service == "scheduler":
            return await run_in_threadpool(self._schedule, request, body)
        if service == "sts":
            return await run_in_threadpool(self._identify, body, dict(request.query_params))
        return await run_in_threadpool(
            self._call, self._json[service], request.headers.get("x-amz-target", ""), body
        )

    def _call(self, service: JsonService, target: str, body: bytes) -> Response:
        try:
            self._throttle.meet(target.partition(".")[2])
            document = service.call(self._machine, target, body)
        except AwsError as error:
            return _json_error(error)
        except WorkflowError as error:
            return _json_error(AwsError("InternalFailure", str(error), status=500))
        return Response(json.dumps(document), media_type=_JSON_TYPE)

    def _schedule(self, request: Request, body: bytes) -> Response:
        query, path = dict(request.query_params), request.scope["raw_path"].decode()
        try:
            document = self._scheduler.call(self._machine, request.method, path, query, body)
        except AwsError as error:
            headers = {"x-amzn-errortype": error.code}
            return Response(json.dumps({"Message": error.message}), error.status, headers, "application/json")
        return Response(json.dumps(document), media_type="application/json")

    def _identify(self, body: bytes, query: Mapping[str, str]) -> Response:
        try:
            return Response(sts.answer(self._machine, body, query), media_type="text/xml")
        except AwsError as error:
            return Response(sts.error_document(error), error.status, media_type="text/xml")


@contextmanager
def answering(engine: Engine, *, token: str, options: Options | None = None) -> Iterator[App]:
    """The application for one command: nothing is taken over, nothing fires.

    At the end, running work is suspended, as by a server that ends.

    Args:
        engine: whose store, place and runners.
        token: see :class:`App`.
        options: how the executions that it starts are run.
    """
    background = Background()
    with Hosts(engine.store, images=engine.place.images, environment=engine.place.environment) as hosts:
        machine = Machine(engine=engine, hosts=hosts, background=background, options=options or Options())
        try:
            yield App(machine, token=token)
        finally:
            background.stop_all()


@contextmanager
def running(
    engine: Engine,
    *,
    resume: bool,
    token: str | None = None,
    host: str = "127.0.0.1",
    throttle: Throttle = NEVER,
) -> Iterator[App]:
    """The application of an engine's machine, with everything that goes on beside its requests.

    Executions whose process has ended are taken over at the start: they go on, or are marked as stopped. At
    the end, running work is asked to end and waited for: no job and no container is left.

    Args:
        engine: whose store, place and runners.
        resume: whether such executions go on.
        token: see :class:`App`.
        host: see there.
        throttle: see there.
    """
    background = Background()
    with Hosts(engine.store, images=engine.place.images, environment=engine.place.environment) as hosts:
        machine = Machine(engine=engine, hosts=hosts, background=background)
        loop = events.event_loop(machine, lambda arn, parameters: start_pipeline(machine, arn, parameters))
        adopt_orphans(machine, resume=resume)
        job_control.settle(machine.store)
        endpoint_changes.settle(machine)
        loop.start()
        try:
            yield App(machine, token=token, host=host, throttle=throttle)
        finally:
            loop.stop()
            background.stop_all()


def _service(request: Request) -> str:
    # Not of request.url: that is made of the header Host, too, which may hold anything.
    path = request.scope["path"]
    if path == "/ping":
        return "ping"
    if guard.is_for_page(request):
        return "page"
    return service_of(request.method, path, dict(request.query_params), dict(request.headers))


def _access_key(request: Request) -> str:
    """Whose signature a request has: in its header or, if its URL is presigned, in its query."""
    header, query = request.headers.get("authorization", ""), request.query_params
    scope = header.partition("Credential=")[2] or query.get("X-Amz-Credential", "")
    if scope:
        return scope.partition("/")[0]
    # Version 2 of signatures: the AWS CLI v1 still presigns with it.
    return query.get("AWSAccessKeyId", "") or header.removeprefix("AWS ").partition(":")[0]


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _LARGEST_BODY:
            raise AwsError(
                "RequestEntityTooLargeException", f"The body has more than {_LARGEST_BODY} bytes", status=413
            )
    return bytes(body)


def _error(service: str, error: AwsError, request: Request) -> Response:
    """An error in the form that the clients of a service read."""
    if service == "s3":
        return error_answer(error, request.scope["path"], {**new_ids(), _S3_REQUEST_ID: request.state.id})
    if service == "sts":
        return Response(sts.error_document(error), error.status, media_type="text/xml")
    return _json_error(error)


def _json_error(error: AwsError) -> Response:
    document = {"__type": error.code, "message": error.message, **error.fields}
    headers = {"x-amzn-errortype": error.code}
    return Response(json.dumps(document), error.status, headers, _JSON_TYPE)
