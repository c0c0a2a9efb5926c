"""SageMaker Runtime over the endpoints of this machine: InvokeEndpoint, InvokeEndpointAsync.

Routes, headers, status codes and error shapes are those of the API's service model; errors are JSON with the
code in x-amzn-ErrorType.
"""

import json
import re
from collections.abc import Mapping

import anyio
from anyio import CapacityLimiter
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from workflows.definition.errors import WorkflowError
from workflows.local.deployments import UnknownEndpoint, deployment_of
from workflows.local.hosting import Invoked, UnknownVariant
from workflows.local.model_server import INVOCATION_LIMIT_S, InvocationTimeout, ModelServerError
from workflows.server.async_invocations import AsyncInvocations, Invocation
from workflows.server.errors import AwsError
from workflows.server.machine import Machine

# 6 MB was documented for years, 25 MB is said of late and not verified: the larger one refuses nothing that
# might be accepted there.
PAYLOAD_LIMIT_BYTES = 25 * 1024 * 1024
_ASYNC_BODY_LIMIT_BYTES = 128_000  # of the service model
# Invocations that wait for their containers; other calls must not have to wait for them.
_MOST_AT_ONCE = 128
_PATH = re.compile(r"/endpoints/([^/]+)/([a-z-]+)/?")
_CUSTOM_ATTRIBUTES = "x-amzn-sagemaker-custom-attributes"
_VARIANT = "x-amzn-sagemaker-target-variant"
_FORWARDED = ("content-type", "accept", _CUSTOM_ATTRIBUTES, "x-amzn-sagemaker-inference-id")
_BAD_REQUEST, _SERVER_ERROR = 400, 500
_TIMED_OUT = (
    "Your invocation timed out while waiting for a response from container primary. Review the latency "
    "metrics for each container in Amazon CloudWatch, resolve the issue, and try again."
)
# Path -> operation that is not here.
_OTHERS = {
    "invocations-response-stream": "InvokeEndpointWithResponseStream",
    "invocations-bidirectional-stream": "InvokeEndpointWithBidirectionalStream",
}
# What an endpoint with one container cannot choose between.
_UNAVAILABLE = {
    "x-amzn-sagemaker-target-model": "TargetModel: multi-model endpoints do",
    "x-amzn-sagemaker-target-container-hostname": "TargetContainerHostname: multi-container endpoints do",
    "x-amzn-sagemaker-inference-component": "InferenceComponentName: inference components do",
    "x-amzn-sagemaker-enable-explanations": "EnableExplanations: explainers do",
}


class Runtime:
    """Answers the requests of this service."""

    def __init__(self, machine: Machine, *, limit_s: float = INVOCATION_LIMIT_S) -> None:
        """`machine` has the endpoints; `limit_s` is how long InvokeEndpoint waits for one."""
        self._machine, self._limit_s = machine, limit_s
        self._limiter = CapacityLimiter(_MOST_AT_ONCE)
        self._async = AsyncInvocations(machine)

    async def answer(self, request: Request) -> Response:
        """POST /endpoints/NAME/invocations and its like."""
        found = _PATH.fullmatch(request.scope["path"])
        endpoint, operation = found.groups() if found else ("", "")
        try:
            if operation == "invocations":
                return await self._invoke(endpoint, request)
            if operation == "async-invocations":
                return await self._invoke_async(endpoint, request)
            raise _not_here(operation)
        except AwsError as error:
            return _error(error)
        except ClientDisconnect:
            return Response(status_code=_BAD_REQUEST)

    async def _invoke(self, endpoint: str, request: Request) -> Response:
        body = await _body(request, PAYLOAD_LIMIT_BYTES)
        headers = _headers(request)
        return await anyio.to_thread.run_sync(self._ask, endpoint, body, headers, limiter=self._limiter)

    def _ask(self, endpoint: str, body: bytes, headers: Mapping[str, str]) -> Response:
        forwarded = {name: headers[name] for name in _FORWARDED if name in headers}
        variant = headers.get(_VARIANT)
        try:
            invoked = self._machine.hosts.ask(
                endpoint, body, forwarded, variant=variant, limit_s=self._limit_s
            )
        except UnknownEndpoint:
            raise self._unknown(endpoint) from None
        except UnknownVariant:
            raise _refused(f"Variant {variant} of endpoint {endpoint} not found.") from None
        except InvocationTimeout:
            raise self._model_error(endpoint, 0, _TIMED_OUT) from None
        except ModelServerError as error:
            # What the service says of a container that ends, with what is known here of the cause.
            text = f"Amazon SageMaker could not get a response from the {endpoint} endpoint. {error}"
            raise self._model_error(endpoint, 0, text) from None
        except WorkflowError as error:
            raise AwsError("InternalFailure", str(error), status=500) from None
        if invoked.answer.status >= _BAD_REQUEST:
            text = invoked.answer.body.decode(errors="replace")
            raise self._model_error(endpoint, invoked.answer.status, text)
        return _success(invoked)

    async def _invoke_async(self, endpoint: str, request: Request) -> Response:
        body = await _body(request, _ASYNC_BODY_LIMIT_BYTES)
        headers = _headers(request)
        invocation = await anyio.to_thread.run_sync(self._begin, endpoint, headers, body)
        return Response(
            json.dumps({"InferenceId": invocation.id}),
            202,
            headers=invocation.locations(),
            media_type="application/json",
        )

    def _begin(self, endpoint: str, headers: Mapping[str, str], body: bytes) -> Invocation:
        try:
            deployment = deployment_of(self._machine.store, endpoint)
        except UnknownEndpoint:
            raise self._unknown(endpoint) from None
        return self._async.begin(deployment, headers, body)

    def _unknown(self, endpoint: str) -> AwsError:
        return _refused(f"Endpoint {endpoint} of account {self._machine.names.account} not found.")

    def _model_error(self, endpoint: str, status: int, text: str) -> AwsError:
        names = self._machine.names
        side = "client" if _BAD_REQUEST <= status < _SERVER_ERROR else "server"
        group = f"/aws/sagemaker/Endpoints/{endpoint}"
        return AwsError(
            "ModelError",
            f'Received {side} error ({status}) from primary with message "{text}". See '
            f"https://{names.region}.console.aws.amazon.com/cloudwatch/home?region={names.region}"
            f"#logEventViewer:group={group} in account {names.account} for more information.",
            status=424,
            OriginalStatusCode=status,
            OriginalMessage=text,
            LogStreamArn=f"arn:aws:logs:{names.region}:{names.account}:log-group:{group}",
        )


def _headers(request: Request) -> Mapping[str, str]:
    for name, reason in _UNAVAILABLE.items():
        if name in request.headers:
            raise _refused(f"{reason} not run on this machine.")
    return dict(request.headers)


async def _body(request: Request, limit: int) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise AwsError("ValidationError", f"The body is larger than {limit} bytes.", status=413)
    return bytes(body)


def _success(invoked: Invoked) -> Response:
    answer = invoked.answer
    headers = {"x-Amzn-Invoked-Production-Variant": invoked.variant}
    if _CUSTOM_ATTRIBUTES in answer.headers:
        headers["X-Amzn-SageMaker-Custom-Attributes"] = answer.headers[_CUSTOM_ATTRIBUTES]
    if answer.content_type:
        headers["Content-Type"] = answer.content_type
    return Response(answer.body, headers=headers)


def _refused(message: str) -> AwsError:
    return AwsError("ValidationError", message)


def _not_here(operation: str) -> AwsError:
    name = _OTHERS.get(operation)
    if name is None:
        return AwsError("UnknownOperationException", "sagemaker-runtime has no such operation", status=404)
    return AwsError(
        "NotImplemented",
        f"sagemaker-runtime: {name} is not available on this machine; use InvokeEndpoint",
        status=501,
    )


def _error(error: AwsError) -> Response:
    return Response(
        json.dumps({"Message": error.message, **error.fields}),
        error.status,
        headers={"x-amzn-ErrorType": error.code},
        media_type="application/x-amz-json-1.1",
    )
