"""Which requests are for the page; and what keeps other sites' pages, in the same browser, away from here.

It listens on loopback without a token, and loopback is where every page in the browser can send requests.
Clients of AWS send none of the headers that are looked at here.

Source: Fetch Metadata Request Headers (W3C), and Origin in RFC 6454.
"""

import ipaddress
import re
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response

PREFIX = "/-/"  # no bucket's name begins so
_OWN_SITES = ("same-origin", "none")  # none: the user has typed the address
# Browsers send Sec-Fetch-* only to addresses that they trust; to the name of another site, which DNS leads
# here, they send no more than these.
_BROWSERS_OWN = ("sec-fetch-site", "sec-fetch-mode", "origin", "referer", "accept-language")
_HOST = re.compile(r"(?:\[([0-9a-fA-F:.]+)\]|([^][:@/]+))(?::[0-9]+)?")


def is_for_page(request: Request) -> bool:
    """Whether a request is for the page: a client of S3 lists the buckets at `/`."""
    # Not of request.url: that is made of the header Host, too, which may hold anything.
    path = request.scope["path"]
    if path.startswith(PREFIX):
        return True
    is_plain = not request.scope["query_string"] and "authorization" not in request.headers
    wants_html = "text/html" in request.headers.get("accept", "")
    return path == "/" and request.method in ("GET", "HEAD") and is_plain and wants_html


def refused(reason: str) -> Response:
    """The answer to a browser that another site leads here."""
    return Response(f"{reason}\n", 403, media_type="text/plain; charset=utf-8")


def refusal(headers: Mapping[str, str], *, host: str) -> str | None:
    """Why a browser's request is not answered; None if it is, or if no browser sends it.

    Args:
        headers: of the request, by lower-case names.
        host: the address that the server was told to listen on.
    """
    if not _is_browser(headers):
        return None
    asked = headers.get("host", "")
    if not _is_own(asked, host):
        return (
            f"This server does not answer a browser for the host '{asked}'. Ask for it by its IP address, as "
            "localhost, or start it with --host and that name."
        )
    if headers.get("sec-fetch-site", "none") not in _OWN_SITES:
        return "Another site has made your browser ask. To go on, type the address into the browser yourself."
    origin = headers.get("origin")
    if origin is not None and origin not in (f"http://{asked}", f"https://{asked}"):
        return f"The page at {origin} is not this server's own. Open the server's address itself."
    return None


def _is_browser(headers: Mapping[str, str]) -> bool:
    return any(name in headers for name in _BROWSERS_OWN) or "Mozilla/" in headers.get("user-agent", "")


def _is_own(asked: str, host: str) -> bool:
    found = _HOST.fullmatch(asked)
    name = (found[1] or found[2]).lower() if found else ""
    # Browsers look up no name below localhost.
    if name in ("localhost", host.lower()) or name.endswith(".localhost"):
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
