"""SageMaker Runtime's InvokeEndpoint over the endpoints of this machine.

Route, status codes and error shapes are those of the API's service model: POST
/endpoints/{EndpointName}/invocations, errors as JSON with the code in x-amzn-ErrorType.
"""

import json

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from workflows.definition.errors import WorkflowError
from workflows.local.hosting import Hosts, UnknownEndpoint
from workflows.local.model_server import Answer, ModelServerError
from workflows.local.store import Store
from workflows.server.api import api_route

# 6 MB was documented for years, 25 MB is said of late and not verified: the larger one refuses nothing that
# might be accepted there.
PAYLOAD_LIMIT_BYTES = 25 * 1024 * 1024
_FORWARDED = ("content-type", "accept", "x-amzn-sagemaker-custom-attributes")
_CLIENT_ERROR, _MODEL_ERROR = 400, 424


class _TooLarge(Exception):
    """A request's body is over the limit."""


def make_app(hosts: Hosts, store: Store, *, region: str, account: str) -> Starlette:
    """The application over the endpoints that `hosts` answers for, and over the records of `store`."""

    async def invoke(request: Request) -> Response:
        name = str(request.path_params["endpoint"])
        try:
            body = await _body(request)
        except _TooLarge:
            return _error("ValidationError", f"The body is larger than {PAYLOAD_LIMIT_BYTES} bytes.", 413)
        headers = {key: request.headers[key] for key in _FORWARDED if key in request.headers}
        try:
            answer = await run_in_threadpool(hosts.invoke, name, body, headers)
        except UnknownEndpoint:
            return _error(
                "ValidationError", f"Endpoint {name} of account {account} not found.", _CLIENT_ERROR
            )
        except ModelServerError as error:
            return _model_error(name, 500, str(error), region, account)
        except WorkflowError as error:
            return _error("InternalFailure", str(error), 500)
        if answer.status >= _CLIENT_ERROR:
            text = answer.body.decode(errors="replace")
            return _model_error(name, answer.status, text, region, account)
        return _success(answer)

    async def ping(_: Request) -> Response:
        return Response()

    routes = [
        Route("/endpoints/{endpoint}/invocations", invoke, methods=["POST"]),
        Route("/ping", ping, methods=["GET"]),
        api_route(store),
    ]
    return Starlette(routes=routes)


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > PAYLOAD_LIMIT_BYTES:
            raise _TooLarge
    return bytes(body)


def _success(answer: Answer) -> Response:
    headers = {"x-Amzn-Invoked-Production-Variant": "AllTraffic"}
    return Response(answer.body, media_type=answer.content_type, headers=headers)


def _model_error(endpoint: str, status: int, text: str, region: str, account: str) -> Response:
    message = f'Received error ({status}) from primary with message "{text}".'
    arn = f"arn:aws:logs:{region}:{account}:log-group:/aws/sagemaker/Endpoints/{endpoint}"
    fields = {"OriginalStatusCode": status, "OriginalMessage": text, "LogStreamArn": arn}
    return _error("ModelError", message, _MODEL_ERROR, **fields)


def _error(code: str, message: str, status: int, **fields: object) -> Response:
    document = {"Message": message, **fields}
    return Response(
        json.dumps(document),
        status,
        headers={"x-amzn-ErrorType": code},
        media_type="application/x-amz-json-1.1",
    )
