"""SageMaker's inference container: GET /ping and POST /invocations, over any predictor.

Source: SageMaker Developer Guide, "Use Your Own Inference Code with Hosting Services" and "... with Batch
Transform".
"""

import asyncio
import json
import logging
import socket
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

import uvicorn
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from processing_scripts.contract import JobError

# The documented limit of an endpoint's request; a batch transform states its own.
_DEFAULT_PAYLOAD_MB = 6
_LARGEST_PAYLOAD_MB = 100
# Requests that wait or run at once; beyond it a client does better to come again later.
_MAX_REQUESTS = 64
# SageMaker kills the container 30 s after SIGTERM.
_GRACE_S = 5

_log = logging.getLogger(__name__)


class UnusableRequest(ValueError):
    """The body of a request is at fault; the message goes to the client with status 400."""


class Predictor(Protocol):
    """What an algorithm brings to be served. It is used from one thread only."""

    @property
    def content_types(self) -> frozenset[str]:
        """The media types that `predict` can read."""

    def predict(self, body: bytes) -> object:
        """The answer to one request as a value for JSON.

        Raises:
            UnusableRequest: the body cannot be used.
        """


@dataclass(frozen=True, kw_only=True)
class ServerOptions:
    """Where and how to serve."""

    host: str = "127.0.0.1"
    port: int = 8080
    max_body_bytes: int = _DEFAULT_PAYLOAD_MB * 1024 * 1024
    batch: bool = False  # batch transform: answers are JSON Lines


def options_from_environment(environment: Mapping[str, str]) -> ServerOptions:
    """Read the variables that SageMaker sets, and SAGEMAKER_BIND_TO_HOST.

    Raises:
        JobError: a value is not a number in its range.
    """
    megabytes = _whole_number(
        environment, "SAGEMAKER_MAX_PAYLOAD_IN_MB", _DEFAULT_PAYLOAD_MB, 0, _LARGEST_PAYLOAD_MB
    )
    return ServerOptions(
        # Only this machine by default: the answers are for everyone who can reach the port.
        host=environment.get("SAGEMAKER_BIND_TO_HOST", ServerOptions.host),
        port=_whole_number(environment, "SAGEMAKER_BIND_TO_PORT", ServerOptions.port, 0, 65535),
        # 0 asks for no limit of its own.
        max_body_bytes=(megabytes or _LARGEST_PAYLOAD_MB) * 1024 * 1024,
        batch=environment.get("SAGEMAKER_BATCH", "").lower() == "true",
    )


def _whole_number(environment: Mapping[str, str], name: str, default: int, low: int, high: int) -> int:
    text = environment.get(name, str(default))
    if not (text.isascii() and text.isdecimal() and low <= int(text) <= high):
        raise JobError(f"environment variable {name}='{text}' must be a whole number from {low} to {high}")
    return int(text)


def serve(load: Callable[[], Predictor], options: ServerOptions) -> None:
    """Load the predictor, then answer until SIGTERM or SIGINT; requests in progress are finished first.

    The port is bound before the model is loaded, so that a taken port is found at once; connections are
    refused until the model is ready.

    Args:
        load: gives the predictor, ready for its first request.

    Raises:
        JobError: the port cannot be bound, or whatever `load` raises.
    """
    with (
        _bind(options) as listener,
        ThreadPoolExecutor(1, thread_name_prefix="predictor") as worker,
    ):
        # MXNet is not thread-safe: the thread that loads the model is the only one that uses it.
        predictor = worker.submit(load).result()
        app = create_app(predictor, worker, options)
        config = uvicorn.Config(
            app, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=_GRACE_S
        )
        _log.info("Serving on http://%s:%d", *listener.getsockname()[:2])
        uvicorn.Server(config).run(sockets=[listener])


def _bind(options: ServerOptions) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((options.host, options.port))
    except OSError as error:
        raise JobError(
            f"cannot listen on {options.host}:{options.port}: {error.strerror}; choose another with "
            "SAGEMAKER_BIND_TO_HOST and SAGEMAKER_BIND_TO_PORT"
        ) from None
    return listener


def create_app(predictor: Predictor, worker: ThreadPoolExecutor, options: ServerOptions) -> Starlette:
    """The application; `worker` has one thread, in which all predictions are made, one after the other."""
    invocations = _Invocations(predictor, worker, options)
    return Starlette(
        routes=[
            Route("/ping", _ping, methods=["GET"]),
            Route("/invocations", invocations.answer, methods=["POST"]),
        ]
    )


async def _ping(_request: Request) -> Response:
    return Response(status_code=200)


class _Invocations:
    def __init__(self, predictor: Predictor, worker: ThreadPoolExecutor, options: ServerOptions) -> None:
        self._predictor, self._worker, self._options = predictor, worker, options
        self._in_progress = 0

    async def answer(self, request: Request) -> Response:
        if self._in_progress >= _MAX_REQUESTS:
            return _refusal(503, f"{_MAX_REQUESTS} requests are waiting already; try again later")
        self._in_progress += 1
        try:
            return await self._answer(request)
        finally:
            self._in_progress -= 1

    async def _answer(self, request: Request) -> Response:
        content_type = request.headers.get("content-type", "").split(";")[0].strip().lower()
        if content_type not in self._predictor.content_types:
            allowed = ", ".join(sorted(self._predictor.content_types))
            return _refusal(415, f"Content-Type '{content_type}' is not supported; send one of {allowed}")
        try:
            body = await self._read(request)
        except ClientDisconnect:
            return Response(status_code=400)
        if body is None:
            return _refusal(413, f"the body has more than {self._options.max_body_bytes} bytes")
        if not body:
            return _refusal(400, "the request has no body")
        return await self._predict(body)

    async def _read(self, request: Request) -> bytes | None:
        """The body, None if it is too large; what is too large is never held whole."""
        limit = self._options.max_body_bytes
        stated = request.headers.get("content-length", "0")
        if stated.isdecimal() and int(stated) > limit:
            return None
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > limit:
                return None
        return bytes(body)

    async def _predict(self, body: bytes) -> Response:
        loop = asyncio.get_running_loop()
        try:
            answer = await loop.run_in_executor(self._worker, self._predictor.predict, body)
        except UnusableRequest as error:
            return _refusal(400, str(error))
        text = json.dumps(answer, allow_nan=False)
        # Batch transform puts answers behind one another in a file of JSON Lines.
        return Response(text + "\n" if self._options.batch else text, media_type="application/json")


def _refusal(status: int, message: str) -> Response:
    return PlainTextResponse(message, status_code=status)
