"""Requests as the members that the service model gives their operations."""

from collections.abc import Iterator, Mapping
from xml.etree import ElementTree

from botocore.model import ListShape, OperationModel, Shape, StructureShape

from workflows.definition.model import JSON
from workflows.server.s3.errors import invalid_argument, malformed_xml
from workflows.server.s3.xml import local_name, read_xml


def read_parameters(
    operation: OperationModel, query: Mapping[str, str], headers: Mapping[str, str]
) -> dict[str, JSON]:
    """What stands in a request's query and headers.

    Raises:
        AwsError: InvalidArgument for what is no number, or none of the values that S3 knows.
    """
    return dict(_parameters(operation.input_shape, query, headers)) if operation.input_shape else {}


def read_payload(operation: OperationModel, body: bytes) -> dict[str, JSON]:
    """What stands in a request's XML, under the name of the member that it is.

    Raises:
        AwsError: MalformedXML.
    """
    shape = operation.input_shape
    name = payload_of(operation)
    if shape is None or name is None:
        return {}
    if not body:
        if name in shape.required_members:
            raise malformed_xml("there is none")
        return {}
    return {name: _read(shape.members[name], read_xml(body))}


def payload_of(operation: OperationModel) -> str | None:
    """The member that a request's body is, if it is XML."""
    shape = operation.input_shape
    name = shape.serialization.get("payload") if shape else None
    if shape is None or name is None or not isinstance(shape.members[name], StructureShape):
        return None
    return str(name)


def _parameters(
    shape: StructureShape, query: Mapping[str, str], headers: Mapping[str, str]
) -> Iterator[tuple[str, JSON]]:
    for name, member in shape.members.items():
        location, key = member.serialization.get("location"), member.serialization.get("name", "")
        if location == "querystring" and key in query:
            _check_choice(member, key, query[key])
            yield name, _scalar(member, key, query[key])
        elif location == "header" and key.lower() in headers:
            yield name, _scalar(member, key, headers[key.lower()])
        elif location == "headers":
            yield name, {part.removeprefix(key): headers[part] for part in headers if part.startswith(key)}


def _check_choice(shape: Shape, key: str, value: str) -> None:
    choices = shape.metadata.get("enum")
    if choices and value not in choices:
        raise invalid_argument(f"Invalid value for {key}: it is one of {', '.join(choices)}", key, value)


def _scalar(shape: Shape, name: str, text: str) -> JSON:
    if shape.type_name == "boolean":
        return text.strip().lower() == "true"
    if shape.type_name in ("integer", "long"):
        # int() takes more: blanks, underscores, digits of other scripts.
        if text.isascii() and text.removeprefix("-").isdigit() and len(text) < len(str(2**63)):
            return int(text)
        raise invalid_argument(f"Provided {name} not an integer or within integer range", name, text)
    return text


def _read(shape: Shape, element: ElementTree.Element) -> JSON:
    if isinstance(shape, StructureShape):
        return _read_structure(shape, element)
    if isinstance(shape, ListShape):
        return [_read(shape.member, item) for item in element]
    try:
        return _scalar(shape, local_name(element), element.text or "")
    except ValueError:
        raise malformed_xml(f"{local_name(element)} is no {shape.type_name}") from None


def _read_structure(shape: StructureShape, element: ElementTree.Element) -> JSON:
    members = {member.serialization.get("name", name): name for name, member in shape.members.items()}
    found: dict[str, JSON] = {}
    for child in element:
        name = members.get(local_name(child))
        if name is None:
            raise malformed_xml(f"{local_name(element)} has no element {local_name(child)}")
        member = shape.members[name]
        if isinstance(member, ListShape) and member.serialization.get("flattened"):
            items = found.setdefault(name, [])
            if isinstance(items, list):
                items.append(_read(member.member, child))
        else:
            found[name] = _read(member, child)
    missing = [name for name in shape.required_members if name not in found]
    if missing:
        raise malformed_xml(f"{local_name(element)} lacks {', '.join(missing)}")
    return found
