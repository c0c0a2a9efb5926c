"""Answers in the form that the service model gives them: headers, and XML."""

from collections.abc import Iterator, Mapping

from botocore.model import ListShape, OperationModel, Shape, StructureShape
from starlette.responses import Response

from workflows.definition.model import JSON
from workflows.server.s3.times import http_date
from workflows.server.s3.xml import document, element, escape
from workflows.server.shapes import Output

XML = "application/xml"
# The names of the documents are not in the model: its clients do not look at them, others do.
_ROOTS: Mapping[str, str] = {
    "CompleteMultipartUpload": "CompleteMultipartUploadResult",
    "CreateMultipartUpload": "InitiateMultipartUploadResult",
    "DeleteObjects": "DeleteResult",
    "GetBucketAcl": "AccessControlPolicy",
    "GetBucketRequestPayment": "RequestPaymentConfiguration",
    "GetBucketVersioning": "VersioningConfiguration",
    "GetObjectAcl": "AccessControlPolicy",
    "GetObjectAttributes": "GetObjectAttributesResponse",
    "GetObjectTagging": "Tagging",
    "ListBuckets": "ListAllMyBucketsResult",
    "ListMultipartUploads": "ListMultipartUploadsResult",
    "ListObjectVersions": "ListVersionsResult",
    "ListObjects": "ListBucketResult",
    "ListObjectsV2": "ListBucketResult",
    "ListParts": "ListPartsResult",
}


def answer(operation: OperationModel, record: Output) -> Response:
    """The response to a request, from what an operation returns."""
    status = int(operation.http.get("responseCode", 200))
    shape = operation.output_shape
    headers = headers_of(operation, record)
    body = _body(operation.name, shape, record) if shape else b""
    return Response(body, status, headers=headers, media_type=XML if body else None)


def headers_of(operation: OperationModel, record: Output) -> dict[str, str]:
    """The members of an answer that are headers."""
    return dict(_headers(operation.output_shape, record)) if operation.output_shape else {}


def _headers(shape: StructureShape, record: Output) -> Iterator[tuple[str, str]]:
    for name, member in shape.members.items():
        location, key = member.serialization.get("location"), member.serialization.get("name", "")
        value = record.get(name)
        if location == "header" and value is not None:
            is_http_date = member.type_name == "timestamp" and "timestampFormat" not in member.serialization
            yield key, http_date(str(value)) if is_http_date and name != "Expires" else _text(value)
        elif location == "headers" and isinstance(value, dict):
            yield from ((f"{key}{part}", str(text)) for part, text in value.items())


def _body(operation: str, shape: StructureShape, record: Output) -> bytes:
    payload = shape.serialization.get("payload")
    if payload is not None:
        member, content = shape.members[payload], record.get(payload)
        if not isinstance(member, StructureShape) or not isinstance(content, dict):
            return b""
        return document(member.serialization.get("name", member.name), _members(member, content))
    if operation == "GetBucketLocation":
        # The one document that is a text.
        return document("LocationConstraint", [escape(str(record.get("LocationConstraint", "")))])
    if operation not in _ROOTS:
        return b""
    return document(_ROOTS[operation], _members(shape, record))


def _members(shape: StructureShape, record: Output) -> Iterator[str]:
    for name, member in shape.members.items():
        value = record.get(name)
        serialization = member.serialization
        if value is None or "location" in serialization or serialization.get("xmlAttribute"):
            continue
        tag = serialization.get("name", name)
        if isinstance(member, ListShape) and isinstance(value, list):
            yield from _list(member, tag, value)
        else:
            yield _element(member, tag, value)


def _list(shape: ListShape, tag: str, items: list[JSON]) -> Iterator[str]:
    if shape.serialization.get("flattened"):
        yield from (_element(shape.member, tag, item) for item in items)
    else:
        inner = shape.member.serialization.get("name", "member")
        yield element(tag, (_element(shape.member, inner, item) for item in items))


def _element(shape: Shape, tag: str, value: JSON) -> str:
    if isinstance(shape, StructureShape) and isinstance(value, dict):
        return element(tag, _members(shape, value), _attributes(shape, value))
    return element(tag, [escape(_text(value))])


def _attributes(shape: StructureShape, record: Output) -> str:
    space = shape.serialization.get("xmlNamespace", {})
    declared = f' xmlns:{space["prefix"]}="{escape(space["uri"])}"' if "prefix" in space else ""
    found = [
        f' {member.serialization["name"]}="{escape(_text(record[name]))}"'
        for name, member in shape.members.items()
        if member.serialization.get("xmlAttribute") and name in record
    ]
    return declared + "".join(found)


def _text(value: JSON) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
