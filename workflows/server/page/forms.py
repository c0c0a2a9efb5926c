"""The fields and files of a form that a browser sends."""

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from io import BytesIO
from typing import TYPE_CHECKING

from starlette.requests import Request

from workflows.server.errors import AwsError
from workflows.server.runtime import PAYLOAD_LIMIT_BYTES

if TYPE_CHECKING:
    from werkzeug.datastructures import FileStorage

# A picture as large as an endpoint takes, and what a form writes around it.
_LIMIT_BYTES = PAYLOAD_LIMIT_BYTES + 64 * 1024
_LONGEST_FIELDS_BYTES, _MOST_FIELDS = 64 * 1024, 20


@dataclass(frozen=True, kw_only=True)
class Upload:
    """A file that was chosen in a form."""

    name: str
    content_type: str
    content: bytes


@dataclass(frozen=True, kw_only=True)
class Form:
    """What was filled in."""

    fields: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, Upload] = field(default_factory=dict)


async def read_form(request: Request) -> Form:
    """The form in a request.

    Raises:
        AwsError: it is larger than an endpoint's largest request, or has too many fields.
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _LIMIT_BYTES:
            limit = PAYLOAD_LIMIT_BYTES // 2**20
            raise AwsError("ValidationError", f"The form has more than {limit} MiB", status=413)
    return _parsed(bytes(body), request.headers.get("content-type", ""))


def _parsed(body: bytes, content_type: str) -> Form:
    from werkzeug.exceptions import RequestEntityTooLarge
    from werkzeug.formparser import parse_form_data

    environ = {
        "wsgi.input": BytesIO(body),
        "CONTENT_TYPE": content_type,
        "CONTENT_LENGTH": str(len(body)),
        "REQUEST_METHOD": "POST",
    }
    try:
        _, fields, files = parse_form_data(
            environ, max_form_memory_size=_LONGEST_FIELDS_BYTES, max_form_parts=_MOST_FIELDS
        )
    except RequestEntityTooLarge:
        raise AwsError("ValidationError", "The form has too many or too large fields", status=413) from None
    return Form(fields=dict(fields.items()), files={name: _upload(file) for name, file in files.items()})


def _upload(file: "FileStorage") -> Upload:
    with closing(file):
        return Upload(name=file.filename or "", content_type=file.mimetype, content=file.read())
