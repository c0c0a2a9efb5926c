"""From templates to answers. Everything that is not the templates' own is escaped."""

from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING

from starlette.responses import RedirectResponse, Response

from workflows.server.page.step_views import state_of

if TYPE_CHECKING:
    from jinja2 import Environment

_HEADERS = {
    # No script, style, picture or frame but this server's own; pictures also within the page itself.
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    # Not no-referrer: a form's Origin would then be null.
    "referrer-policy": "same-origin",
    "cache-control": "no-store",
}


def render(template: str, *, status: int = 200, **context: object) -> Response:
    """A page."""
    text = _environment().get_template(template).render(context)
    return Response(text, status, _HEADERS, "text/html; charset=utf-8")


def see(address: str) -> Response:
    """After a form: the page at this address, which can be loaded again without sending the form again."""
    return RedirectResponse(address, 303)


@cache
def _environment() -> "Environment":
    # Here, as a command that serves nobody's browser must not wait for it.
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("workflows.server.page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"duration": _duration, "moment": _moment, "state": state_of, "name": _name}
    return environment


def _duration(seconds: float | None) -> str:
    """So that the eye compares lengths: 4.2 s, 3 min 05 s, 2 h 07 min."""
    if seconds is None:
        return ""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"


def _moment(time: object) -> str:
    """A record's time, to the second."""
    return f"{datetime.fromisoformat(str(time)):%Y-%m-%d %H:%M:%S}" if time else ""


def _name(arn: object) -> str:
    """The name at the end of an ARN."""
    return str(arn).rpartition("/")[2]
