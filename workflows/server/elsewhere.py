"""Services that are none of ours (IAM, ECR, SSM, SNS …): moto answers, and nothing is behind its answers.

moto is a model of AWS's control planes for tests. It is good enough for a client that wants to read back the
role or the repository that it has made before it comes to what is real here.
"""

import json
import logging
import re
import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from workflows.server.errors import AwsError
from workflows.server.sts import ROLE, error_document

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

_LOG = logging.getLogger(__name__)
# What this server answers itself, by every name that moto has for it: never by moto, where a call that does
# not exist here would seem to work.
_OURS = ("sagemaker", "s3", "logs", "sts", "events", "scheduler")
# The largest request that any such service takes: a Lambda function's code, 50 MB, in base64.
_LIMIT_BYTES = 70_000_000
# Services of no region sign for us-east-1; moto looks for what they hold under no other.
_GLOBAL = ("iam", "route53", "cloudfront", "organizations", "budgets", "waf", "shield", "ce", "account")
_SCOPE = re.compile(r"^AWS4-HMAC-SHA256 (Credential=[^/,\s]+/\d{8}/)[^/,\s]+(/[^/,\s]+/aws4_request)")
# Paths at which moto lets itself be reset and inspected, and poses as the metadata service of EC2.
_MOTOS_OWN = ("/moto-api", "/latest/", "/favicon.ico")
_HEADER_OF_ACCOUNT = "x-moto-account-id"
# Roles are names here. moto would fail; a client that may not ask goes on without the answer.
_NOT_EVALUATED = ("SimulatePrincipalPolicy", "SimulateCustomPolicy")
_HOP_BY_HOP = ("content-length", "transfer-encoding", "connection", "server", "date")


class _TooLarge(Exception):
    """A request's body is over the limit."""


class Elsewhere:
    """moto behind an ASGI server; imported when it is first needed."""

    def __init__(self, *, account: str, region: str) -> None:
        """Nothing is imported yet: that takes half a second, the first call of each service some more."""
        self._account, self._region = account, region
        self._app: WSGIApplication | None = None
        self._lock = threading.Lock()

    async def answer(self, service: str, request: Request) -> Response:
        """What moto says; `service` is that of `dispatch.service_of`."""
        if is_ours(service):
            return _error(
                request, "UnknownOperationException", f"{service}: there is no such operation here", 404
            )
        if not _SCOPE.search(request.headers.get("authorization", "")):
            # moto would guess; where it cannot, it takes everything for S3.
            return _error(
                request, "MissingAuthenticationToken", "Request is missing Authentication Token", 403
            )
        path = request.scope["path"]
        if path.startswith(_MOTOS_OWN):
            return _error(request, "AccessDenied", f"{path} is not available on this machine", 403)
        try:
            body = await _body(request)
        except _TooLarge:
            return _error(
                request, "RequestEntityTooLarge", f"The body is larger than {_LIMIT_BYTES} bytes", 413
            )
        action = _action(body) if service == "iam" else ""
        if action in _NOT_EVALUATED:
            return _error(
                request, "AccessDenied", f"iam: {action}: policies are not evaluated on this machine", 403
            )
        _LOG.info("%s %s: %s: answered by moto, nothing behind it", request.method, path, service)
        return await run_in_threadpool(self._call, service, request, body)

    def _call(self, service: str, request: Request, body: bytes) -> Response:
        from werkzeug.test import EnvironBuilder, run_wsgi_app

        builder = EnvironBuilder(
            method=request.method,
            path=request.scope["path"],
            query_string=request.scope["query_string"].decode("latin-1"),
            base_url=_base_url(request),
            headers=self._headers(service, request),
            data=body,
        )
        environ = builder.get_environ()
        try:
            content, status, headers = run_wsgi_app(self._application(), environ, buffered=True)
        except Exception as fault:  # noqa: BLE001 - moto raises what it does not know, of any type
            _LOG.warning("%s: moto failed: %r", service, fault)
            message = f"{service}: this call is not available on this machine"
            return _error(request, "NotImplemented", message, 501)
        finally:
            builder.close()
        answer = Response(b"".join(content), int(status.split()[0]))
        for name, value in headers.items():
            if name.lower() not in _HOP_BY_HOP:
                answer.headers.append(name, value)
        return answer

    def _headers(self, service: str, request: Request) -> list[tuple[str, str]]:
        """The request's own; but whatever a client thinks, here is one account in one region."""
        own = (_HEADER_OF_ACCOUNT, "authorization")
        kept = [(name, value) for name, value in request.headers.items() if name not in own]
        signed = request.headers["authorization"]
        if service not in _GLOBAL:
            ours = rf"AWS4-HMAC-SHA256 \g<1>{self._region}\g<2>"
            signed = _SCOPE.sub(ours, signed)
        return [*kept, ("authorization", signed), (_HEADER_OF_ACCOUNT, self._account)]

    def _application(self) -> "WSGIApplication":
        with self._lock:
            if self._app is None:
                self._app = _moto()
                _add_role_of_callers(self._account)
                _LOG.warning("moto answers for what is not here; all it knows is lost when this server ends")
            return self._app


def is_ours(service: str) -> bool:
    """Whether moto must not be asked for a service; also for its other names, such as sagemaker-metrics."""
    return any(service == name or service.startswith((f"{name}-", f"{name}.")) for name in _OURS)


def _base_url(request: Request) -> str:
    try:
        return f"http://{request.url.netloc}"
    except ValueError:
        return "http://localhost"  # what the header Host has is no address


def _moto() -> "WSGIApplication":
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

    application: Callable[..., Iterable[bytes]] = DomainDispatcherApplication(create_backend_app)
    return application


def _add_role_of_callers(account: str) -> None:
    """The role that GetCallerIdentity names: clients look it up before they let a service take it."""
    from moto.iam.models import iam_backends

    roles = iam_backends[account]["aws"]
    if any(role.name == ROLE for role in roles.roles.values()):
        return
    services = [f"{name}.amazonaws.com" for name in ("sagemaker", "events", "scheduler")]
    statement = {"Effect": "Allow", "Principal": {"Service": services}, "Action": "sts:AssumeRole"}
    roles.create_role(
        role_name=ROLE,
        assume_role_policy_document=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
        path="/",
        permissions_boundary=None,
        description="Whoever calls this machine",
        tags=[],
        max_session_duration=None,
    )


def _action(body: bytes) -> str:
    """Which operation a request of the query protocol is for."""
    return parse_qs(body.decode(errors="replace")).get("Action", [""])[0]


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _LIMIT_BYTES:
            raise _TooLarge
    return bytes(body)


def _error(request: Request, code: str, message: str, status: int) -> Response:
    """An error in the form that the asking client reads."""
    if request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        return Response(error_document(AwsError(code, message, status=status)), status, media_type="text/xml")
    document = {"__type": code, "message": message, "Message": message}
    return JSONResponse(document, status, headers={"x-amzn-errortype": code})
