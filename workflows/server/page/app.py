"""The page: what is at `/` for a browser, and below `/-/`, where no bucket can be."""

from collections.abc import Awaitable, Callable
from functools import partial
from importlib.resources import files

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from workflows.definition.errors import WorkflowError
from workflows.server.errors import AwsError
from workflows.server.machine import Machine
from workflows.server.page import endpoints, executions, registry
from workflows.server.page.faults import Missing
from workflows.server.page.forms import Form, read_form
from workflows.server.page.guard import PREFIX
from workflows.server.page.login import COOKIE, LIFETIME_S, Login
from workflows.server.page.render import render, see

_Show = Callable[[Machine, Request], Response]
_Act = Callable[[Machine, Request, Form], Response]
_Endpoint = Callable[[Request], Awaitable[Response]]

_LOGIN = f"{PREFIX}login"
# path -> type; what anybody may have.
_STATIC = {
    f"{PREFIX}page.css": "text/css; charset=utf-8",
    f"{PREFIX}page.js": "text/javascript; charset=utf-8",
    f"{PREFIX}page.svg": "image/svg+xml",
}
_SHOWN: tuple[tuple[str, _Show], ...] = (
    ("/", executions.front),
    (PREFIX, executions.front),
    ("/-/pipelines", executions.list_pipelines),
    ("/-/pipelines/{name}", executions.show_pipeline),
    ("/-/executions", executions.list_executions),
    ("/-/executions/{id}", executions.show_execution),
    ("/-/executions/{id}/steps/{step}", executions.show_step),
    ("/-/models", registry.list_models),
    ("/-/models/{group}/{version}", registry.show_model),
    ("/-/endpoints", endpoints.list_endpoints),
    ("/-/endpoints/{name}", endpoints.show_endpoint),
)
_DONE: tuple[tuple[str, _Act], ...] = (
    ("/-/executions/{id}/stop", executions.stop_execution),
    ("/-/executions/{id}/retry", executions.retry_execution),
    ("/-/models/{group}/{version}/approve", registry.approve),
    ("/-/models/{group}/{version}/reject", registry.reject),
    ("/-/endpoints/{name}/picture", endpoints.ask_endpoint),
)


class Page:
    """An ASGI application for browsers."""

    def __init__(self, machine: Machine, *, token: str | None) -> None:
        """With a token, the page asks for it first."""
        self._login = Login(token)
        shown = [Route(path, partial(_show, machine, show)) for path, show in _SHOWN]
        done = [Route(path, partial(_act, machine, act), methods=["POST"]) for path, act in _DONE]
        self._app = Starlette(
            routes=[
                *shown,
                *done,
                *(Route(path, _static) for path in _STATIC),
                Route(_LOGIN, self._log_in, methods=["POST"]),
            ],
            exception_handlers={
                Missing: _missing,
                AwsError: _refused,
                WorkflowError: _failed,
                HTTPException: _nothing_here,
                ClientDisconnect: _gone,
            },
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(scope, receive)
        if scope["path"] in (_LOGIN, *_STATIC) or self._login.lets_in(request.cookies):
            await self._app(scope, receive, send)
        else:
            await render("login.html", status=401, fault="", runs=False)(scope, receive, send)

    async def _log_in(self, request: Request) -> Response:
        form = await read_form(request)
        if not self._login.is_token(form.fields.get("token", "")):
            return render("login.html", status=401, fault="That is not this server's token", runs=False)
        answer = see("/")
        answer.set_cookie(
            COOKIE, self._login.session(), max_age=LIFETIME_S, path="/", httponly=True, samesite="strict"
        )
        return answer


async def _show(machine: Machine, show: _Show, request: Request) -> Response:
    return await run_in_threadpool(show, machine, request)


async def _act(machine: Machine, act: _Act, request: Request) -> Response:
    form = await read_form(request)
    return await run_in_threadpool(act, machine, request, form)


def _static(request: Request) -> Response:
    name = request.scope["path"].removeprefix(PREFIX)
    content = files("workflows.server.page").joinpath("static", name).read_bytes()
    headers = {"cache-control": "no-cache", "x-content-type-options": "nosniff"}
    return Response(content, headers=headers, media_type=_STATIC[request.scope["path"]])


def _missing(_request: Request, error: Exception) -> Response:
    hint, back = (error.hint, error.back) if isinstance(error, Missing) else ("", "/")
    return render("error.html", status=404, title=str(error), hint=hint, back=back, runs=False)


def _refused(request: Request, error: Exception) -> Response:
    status = error.status if isinstance(error, AwsError) else 400
    hint = "Nothing was changed. Go back, look at its state now, and try again."
    return render("error.html", status=status, title=str(error), hint=hint, back=_back(request), runs=False)


def _failed(request: Request, error: Exception) -> Response:
    hint = "The server's own log says more."
    return render("error.html", status=500, title=str(error), hint=hint, back=_back(request), runs=False)


def _nothing_here(_request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 404
    title = "There is nothing at this address" if status == 404 else "This address is for buttons of the page"
    return render(
        "error.html", status=status, title=title, hint="Begin with the overview.", back="/", runs=False
    )


def _gone(_request: Request, _error: Exception) -> Response:
    """Nobody reads it."""
    return Response(status_code=400)


def _back(request: Request) -> str:
    """The page that the button was on: a form's address is that of its page, and what it does."""
    return request.scope["path"].rpartition("/")[0] if request.method == "POST" else "/"
