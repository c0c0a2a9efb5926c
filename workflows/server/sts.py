"""STS: who a client is, and credentials that are as good as any other here.

Query protocol: a form in, XML out. Nothing on this machine checks a signature, so credentials that are given
out need not be remembered.
"""

import html
import re
import secrets
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl
from uuid import uuid4

from botocore.model import Shape, StructureShape

from workflows.definition.model import JSON
from workflows.server.errors import AwsError, validation
from workflows.server.machine import Machine
from workflows.server.shapes import Input, Output, read_input, service_model

_NAMESPACE = "https://sts.amazonaws.com/doc/2011-06-15/"
ROLE, _SESSION = "workflows", "local"
_KEY_BYTES, _SECRET_BYTES, _TOKEN_BYTES = 8, 30, 120
_ROLE_SESSION_S, _OWN_SESSION_S = 3600, 43200
_NOT_IN_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def answer(machine: Machine, body: bytes, query: Mapping[str, str]) -> str:
    """The XML document that answers a request.

    Args:
        machine: whose account it is.
        body: the form of a POST; empty for a GET.
        query: of the URL, which may hold the parameters instead.

    Raises:
        AwsError: there is no such operation here, or a parameter is wrong; see `error_document`.
    """
    given = dict(query)
    try:
        given |= dict(parse_qsl(body.decode(), keep_blank_values=True))
    except UnicodeDecodeError:
        raise AwsError("MalformedQueryString", "The query string is not UTF-8") from None
    name = given.get("Action", "")
    model = service_model("sts")
    if name not in model.operation_names:
        raise AwsError("InvalidAction", f"Could not find operation {name} for version 2011-06-15")
    if name not in OPERATIONS:
        raise AwsError("NotImplemented", f"sts: {name} is not available on this machine", status=501)
    shape = model.operation_model(name).input_shape
    result = OPERATIONS[name](machine, read_input(shape, _document(shape, given)))
    inner = f"<{name}Result>{_xml(result)}</{name}Result>"
    return _framed(f"{name}Response", f"{inner}<ResponseMetadata>{_request_id()}</ResponseMetadata>")


def error_document(error: AwsError) -> str:
    """The XML document of an error, which goes with its status."""
    sender = "Sender" if error.status < 500 else "Receiver"
    inner = _xml({"Error": {"Type": sender, "Code": error.code, "Message": error.message}})
    return _framed("ErrorResponse", inner + _request_id())


def get_caller_identity(machine: Machine, _given: Input) -> Output:
    """Everybody is a session of one role: from that the SageMaker SDK reads an execution role."""
    return {
        "UserId": f"AROA{'WORKFLOWS'.ljust(17, '0')}:{_SESSION}",
        "Account": machine.names.account,
        "Arn": f"arn:aws:sts::{machine.names.account}:assumed-role/{ROLE}/{_SESSION}",
    }


def assume_role(_machine: Machine, given: Input) -> Output:
    """Any role may be assumed by anybody: permissions are not checked here."""
    role, session = str(given["RoleArn"]), str(given["RoleSessionName"])
    account, _, resource = role.partition(":iam::")[2].partition(":")
    name = resource.rpartition("/")[2]
    if not resource.startswith("role/"):
        raise validation(f"{role} is invalid")
    return {
        "AssumedRoleUser": {
            "AssumedRoleId": f"AROA{'WORKFLOWS'.ljust(17, '0')}:{session}",
            "Arn": f"arn:aws:sts::{account}:assumed-role/{name}/{session}",
        },
        "Credentials": _credentials(given, _ROLE_SESSION_S),
    }


def get_session_token(_machine: Machine, given: Input) -> Output:
    """Temporary credentials."""
    return {"Credentials": _credentials(given, _OWN_SESSION_S)}


OPERATIONS: Mapping[str, Callable[[Machine, Input], Output]] = {
    "AssumeRole": assume_role,
    "GetCallerIdentity": get_caller_identity,
    "GetSessionToken": get_session_token,
}


def _credentials(given: Input, default_s: int) -> dict[str, JSON]:
    seconds = given.get("DurationSeconds")
    ends = datetime.now(UTC) + timedelta(seconds=seconds if isinstance(seconds, int) else default_s)
    return {
        "AccessKeyId": f"ASIA{secrets.token_hex(_KEY_BYTES).upper()}",
        "SecretAccessKey": secrets.token_urlsafe(_SECRET_BYTES),
        "SessionToken": secrets.token_urlsafe(_TOKEN_BYTES),
        "Expiration": ends.isoformat(timespec="seconds").replace("+00:00", "Z"),
    }


def _document(shape: StructureShape | None, given: Mapping[str, str]) -> dict[str, JSON]:
    """The parameters that are single values; lists (policies, tags) mean nothing here."""
    members: Mapping[str, Shape] = shape.members if shape is not None else {}
    return {
        name: _value(member, given[name], name)
        for name, member in members.items()
        if name in given and member.type_name in ("string", "integer")
    }


def _value(shape: Shape, text: str, name: str) -> JSON:
    if shape.type_name != "integer":
        return text
    try:
        return int(text)
    except ValueError:
        raise AwsError("MalformedInput", f"{name} is not a whole number: {text}") from None


def _xml(fields: Output) -> str:
    return "".join(f"<{name}>{_content(value)}</{name}>" for name, value in fields.items())


def _content(value: JSON) -> str:
    if isinstance(value, dict):
        return _xml(value)
    return html.escape(_NOT_IN_XML.sub("\ufffd", str(value)), quote=False)


def _framed(name: str, inner: str) -> str:
    return f'<{name} xmlns="{_NAMESPACE}">{inner}</{name}>'


def _request_id() -> str:
    return f"<RequestId>{uuid4()}</RequestId>"
