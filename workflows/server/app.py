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

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from workflows.definition.errors import WorkflowError
from workflows.local import job_control
from workflows.local.engine import Engine
from workflows.local.hosting import Hosts
from workflows.server import logs, sts
from workflows.server.background import Background
from workflows.server.dispatch import service_of
from workflows.server.elsewhere import Elsewhere
from workflows.server.errors import AwsError
from workflows.server.events import service as events
from workflows.server.events.rest import RestService
from workflows.server.json_protocol import JsonService
from workflows.server.machine import Machine
from workflows.server.orders import start_pipeline
from workflows.server.runtime import Runtime
from workflows.server.s3.app import S3
from workflows.server.sagemaker import endpoint_changes, operations
from workflows.server.sagemaker.orphans import adopt_orphans

_LOG = logging.getLogger("workflows.server")
_JSON_TYPE = "application/x-amz-json-1.1"
# The longest request of a JSON service is a pipeline's definition of a million characters.
_NOT_ALLOWED = AwsError(
    "UnrecognizedClientException", "The security token included in the request is invalid.", status=403
)
_LARGEST_BODY = 16 * 2**20


class App:
    """The ASGI application."""

    def __init__(self, machine: Machine, *, token: str | None = None) -> None:
        """With a token, only requests that are signed with it as access key id are answered."""
        self._token = token
        region, account = machine.names.region, machine.names.account
        self._machine = machine
        self._json = {
            name: JsonService(name, known)
            for name, known in (
                ("sagemaker", operations.OPERATIONS),
                ("logs", logs.OPERATIONS),
                ("events", events.OPERATIONS),
            )
        }
        self._scheduler = RestService("scheduler", events.SCHEDULER_OPERATIONS)
        self._s3 = S3(machine.store.objects, region=region, account=account)
        self._runtime = Runtime(machine)
        self._elsewhere = Elsewhere(account=account, region=region)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, and log it."""
        request, started = Request(scope, receive), time.monotonic()
        service, status = _service(request), 0

        async def note_and_send(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        if not self._may(request):
            await _json_error(_NOT_ALLOWED)(scope, receive, note_and_send)
        elif service == "s3":
            await self._s3(scope, receive, note_and_send)
        else:
            response = await self._answer(service, request)
            await response(scope, receive, note_and_send)
        line = {
            "service": service,
            "operation": request.headers.get("x-amz-target", "").rpartition(".")[2],
            "method": request.method,
            "path": request.url.path,
            "status": status,
            "ms": round((time.monotonic() - started) * 1000),
        }
        _LOG.info(json.dumps(line))

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
            return _json_error(error)
        if service == "scheduler":
            return await run_in_threadpool(self._schedule, request, body)
        if service == "sts":
            return await run_in_threadpool(self._identify, body, dict(request.query_params))
        return await run_in_threadpool(
            self._call, self._json[service], request.headers.get("x-amz-target", ""), body
        )

    def _call(self, service: JsonService, target: str, body: bytes) -> Response:
        try:
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
def answering(engine: Engine) -> Iterator[App]:
    """The application alone: nothing is taken over, nothing fires. For calls out of an execution."""
    background = Background()
    with Hosts(engine.store, images=engine.place.images, environment=engine.place.environment) as hosts:
        try:
            yield App(Machine(engine=engine, hosts=hosts, background=background))
        finally:
            background.stop_all()


@contextmanager
def running(engine: Engine, *, resume: bool, token: str | None = None) -> Iterator[App]:
    """The application of an engine's machine, with everything that goes on beside its requests.

    Executions whose process has ended are taken over at the start: they go on, or are marked as stopped. At
    the end, running work is asked to end and waited for: no job and no container is left.

    Args:
        engine: whose store, place and runners.
        resume: whether such executions go on.
        token: see :class:`App`.
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
            yield App(machine, token=token)
        finally:
            loop.stop()
            background.stop_all()


def _service(request: Request) -> str:
    if request.url.path == "/ping":
        return "ping"
    return service_of(request.method, request.url.path, dict(request.query_params), dict(request.headers))


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


def _json_error(error: AwsError) -> Response:
    document = {"__type": error.code, "message": error.message, **error.fields}
    headers = {"x-amzn-errortype": error.code}
    return Response(json.dumps(document), error.status, headers, _JSON_TYPE)
