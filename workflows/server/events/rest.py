"""AWS's REST-JSON protocol: method and path say the operation; path, query and a JSON body hold its input."""

import re
from collections.abc import Mapping
from functools import cached_property
from urllib.parse import unquote

from botocore.model import OperationModel, Shape

from workflows.definition.model import JSON
from workflows.server.documents import read_document
from workflows.server.errors import AwsError, validation
from workflows.server.json_protocol import Operation
from workflows.server.machine import Machine
from workflows.server.shapes import read_input, service_model, write_output

_LABEL = re.compile(r"\\\{(\w+)\\\}")


class RestService:
    """One service of this protocol."""

    def __init__(self, name: str, operations: Mapping[str, Operation]) -> None:
        """`name` is botocore's; `operations` those that exist here."""
        self.name, self._operations = name, operations

    @cached_property
    def _routes(self) -> list[tuple[str, re.Pattern[str], OperationModel]]:
        model = service_model(self.name)
        models = [model.operation_model(each) for each in model.operation_names]
        return [(each.http["method"], _path(each), each) for each in models]

    def call(
        self, machine: Machine, method: str, path: str, query: Mapping[str, str], body: bytes
    ) -> dict[str, object]:
        """Answer one request.

        Args:
            machine: this one.
            method: GET, POST …
            path: as it was sent, percent-encoded.
            query: of the URL, decoded.
            body: JSON, or nothing.

        Raises:
            AwsError: the error that AWS would answer.
        """
        for wanted, pattern, operation in self._routes:
            found = pattern.fullmatch(path)
            if wanted == method and found:
                labels = {name: unquote(value) for name, value in found.groupdict().items()}
                return self._answer(machine, operation, {**query, **labels}, body)
        raise AwsError("UnknownOperationException", f"{self.name} has no {method} {path}", status=404)

    def _answer(
        self, machine: Machine, operation: OperationModel, outside: Mapping[str, str], body: bytes
    ) -> dict[str, object]:
        if operation.name not in self._operations:
            message = f"{self.name}: {operation.name} is not available on this machine"
            raise AwsError("NotImplemented", message, status=501)
        given = read_input(operation.input_shape, _document(operation, outside, body))
        return dict(write_output(operation.output_shape, self._operations[operation.name](machine, given)))


def _path(operation: OperationModel) -> "re.Pattern[str]":
    template = re.escape(operation.http["requestUri"].partition("?")[0])
    return re.compile(_LABEL.sub(r"(?P<\1>[^/]+)", template) + "/?")


def _document(operation: OperationModel, outside: Mapping[str, str], body: bytes) -> dict[str, JSON]:
    document = read_document(body)
    if not isinstance(document, dict):
        raise AwsError("SerializationException", "The request body is not an object")
    members: Mapping[str, Shape] = operation.input_shape.members if operation.input_shape else {}
    for name, member in members.items():
        if "location" not in member.serialization:
            continue
        document.pop(name, None)  # it has its place elsewhere
        sent = outside.get(member.serialization.get("name", name))
        if sent is not None:
            document[name] = _typed(member, sent, name)
    return document


def _typed(shape: Shape, text: str, name: str) -> JSON:
    if shape.type_name != "integer":
        return text
    try:
        return int(text)
    except ValueError:
        raise validation(f"{name} is not a whole number: {text}") from None
