"""What a request that writes an object says of it beside its content."""

from collections.abc import Mapping
from urllib.parse import parse_qsl

from workflows.server.s3.call import Call
from workflows.server.s3.catalog import Details
from workflows.server.s3.errors import invalid_request, not_implemented, s3_error
from workflows.server.s3.promises import encodings
from workflows.server.shapes import service_model

# Members that are kept, and given back with the object.
KEPT = (
    "CacheControl",
    "ContentDisposition",
    "ContentEncoding",
    "ContentLanguage",
    "ContentType",
    "Expires",
    "StorageClass",
    "WebsiteRedirectLocation",
)
# Members whose promise this machine would break: keys of the client's own, locks, appending.
_NOT_HERE = {
    "SSECustomerAlgorithm": "encryption with keys of the customer",
    "CopySourceSSECustomerAlgorithm": "encryption with keys of the customer",
    "ObjectLockMode": "object lock",
    "ObjectLockLegalHoldStatus": "object lock",
    "ObjectLockRetainUntilDate": "object lock",
    "WriteOffsetBytes": "appending to an object",
}
_GRANTS = ("GrantFullControl", "GrantRead", "GrantReadACP", "GrantWriteACP")
_OWNERS_ACLS = (None, "private", "bucket-owner-full-control")
_MOST_METADATA = 2048  # bytes, names and values
_MOST_TAGS, _LONGEST_TAG, _LONGEST_TAG_VALUE = 10, 128, 256


def read_details(call: Call) -> Details:
    """What will be known of the object; the ETag is still to come.

    Raises:
        AwsError: it is too much, or not possible here.
    """
    check_features(call)
    metadata = call.texts("Metadata")
    size = sum(len(name) + len(value) for name, value in metadata.items())
    if size > _MOST_METADATA:
        message = "Your metadata headers exceed the maximum allowed metadata size"
        raise s3_error("MetadataTooLarge", message, Size=size, MaxSizeAllowed=_MOST_METADATA)
    headers = {name: text for name in KEPT if (text := call.text(name)) is not None}
    # It is how the request was sent, not what the object is.
    coding = ",".join(part for part in encodings(call.headers) if part != "aws-chunked")
    headers = {name: coding if name == "ContentEncoding" else text for name, text in headers.items()}
    return Details(
        etag="",
        headers={name: text for name, text in headers.items() if text},
        metadata=metadata,
        tags=read_tag_header(call.text("Tagging")),
    )


def check_features(call: Call) -> None:
    """Refuse what this machine cannot keep.

    Raises:
        AwsError: NotImplemented, AccessControlListNotSupported, InvalidStorageClass.
    """
    for name, feature in _NOT_HERE.items():
        if call.text(name) is not None:
            raise not_implemented(feature)
    if call.text("ACL") not in _OWNERS_ACLS or any(call.text(name) for name in _GRANTS):
        raise s3_error("AccessControlListNotSupported", "The bucket does not allow ACLs")
    known = service_model("s3").shape_for("StorageClass").metadata["enum"]
    if call.text("StorageClass") not in (None, *known):
        raise s3_error("InvalidStorageClass", "The storage class you specified is not valid")


def read_tag_header(header: str | None) -> dict[str, str]:
    """The tags in a header, which is encoded as a query.

    Raises:
        AwsError: InvalidArgument, InvalidTag.
    """
    if not header:
        return {}
    try:
        pairs = parse_qsl(header, keep_blank_values=True, strict_parsing=True, errors="strict")
    except ValueError:
        raise invalid_request(
            "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded"
        ) from None
    if len(dict(pairs)) != len(pairs):
        raise s3_error("InvalidTag", "Cannot provide multiple Tags with the same key")
    return check_tags(dict(pairs))


def check_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """The same tags, if S3 takes them.

    Raises:
        AwsError: BadRequest, InvalidTag.
    """
    if len(tags) > _MOST_TAGS:
        raise s3_error("BadRequest", f"Object tags cannot be greater than {_MOST_TAGS}")
    for name, value in tags.items():
        if not 0 < len(name) <= _LONGEST_TAG or name.startswith("aws:"):
            raise s3_error("InvalidTag", "The TagKey you have provided is invalid", TagKey=name)
        if len(value) > _LONGEST_TAG_VALUE:
            raise s3_error("InvalidTag", "The TagValue you have provided is invalid", TagKey=name)
    return dict(tags)
