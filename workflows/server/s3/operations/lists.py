"""Lists of objects."""

from collections.abc import Mapping
from urllib.parse import quote

from workflows.definition.model import JSON
from workflows.server.s3.call import Call, Operation
from workflows.server.s3.errors import invalid_argument
from workflows.server.s3.listing import Page, read_page
from workflows.server.s3.storage import Stored
from workflows.server.s3.times import iso
from workflows.server.s3.tokens import read_token, write_token
from workflows.server.shapes import Output

_MOST_KEYS = 1000
# What encoding-type=url encodes.
_TEXTS = ("Key", "Prefix", "Delimiter", "Marker", "NextMarker", "StartAfter", "KeyMarker", "NextKeyMarker")


def list_objects_v2(call: Call) -> Output:
    """ListObjectsV2."""
    token = read_token(call.text("ContinuationToken"))
    page = _page(call, token or call.text("StartAfter") or "")
    owner: dict[str, JSON] = {"Owner": call.account.owner} if call.given.get("FetchOwner") is True else {}
    return _encoded(
        call,
        {
            **_common(call, page),
            "Contents": _entries(call, page, owner),
            "KeyCount": len(page.files) + len(page.prefixes),
            "StartAfter": call.text("StartAfter"),
            "ContinuationToken": call.text("ContinuationToken"),
            "NextContinuationToken": write_token(page.following) if page.following else None,
        },
    )


def list_objects(call: Call) -> Output:
    """ListObjects, the first version."""
    page = _page(call, call.text("Marker") or "")
    return _encoded(
        call,
        {
            **_common(call, page),
            "Contents": _entries(call, page, {"Owner": call.account.owner}),
            "Marker": call.text("Marker") or "",
            # Without a delimiter, clients go on from the last key.
            "NextMarker": page.following if call.text("Delimiter") else None,
        },
    )


def list_object_versions(call: Call) -> Output:
    """ListObjectVersions: of every object there is one, which is called null, as without versioning."""
    page = _page(call, call.text("KeyMarker") or "")
    extra: dict[str, JSON] = {"IsLatest": True, "VersionId": "null", "Owner": call.account.owner}
    return _encoded(
        call,
        {
            **_common(call, page),
            "Versions": _entries(call, page, extra),
            "KeyMarker": call.text("KeyMarker") or "",
            "VersionIdMarker": call.text("VersionIdMarker") or "",
            "NextKeyMarker": page.following,
            "NextVersionIdMarker": "null" if page.following else None,
        },
    )


def _page(call: Call, after: str) -> Page:
    size = call.number("MaxKeys")
    if size is not None and size < 0:
        message = "Argument maxKeys must be an integer between 0 and 2147483647"
        raise invalid_argument(message, "maxKeys", size)
    return read_page(
        call.storage.folder(call.bucket),
        prefix=call.text("Prefix") or "",
        delimiter=call.text("Delimiter") or "",
        after=after,
        size=_MOST_KEYS if size is None else min(size, _MOST_KEYS),
    )


def _entries(call: Call, page: Page, extra: Mapping[str, JSON]) -> list[JSON]:
    return [{**_entry(stored), **extra} for stored in call.storage.describe(call.bucket, page.files)]


def _common(call: Call, page: Page) -> dict[str, JSON]:
    size = call.number("MaxKeys")
    return {
        "Name": call.bucket,
        "Prefix": call.text("Prefix") or "",
        "Delimiter": call.text("Delimiter"),
        "MaxKeys": _MOST_KEYS if size is None else min(size, _MOST_KEYS),
        "EncodingType": call.text("EncodingType"),
        "IsTruncated": page.following is not None,
        "CommonPrefixes": [{"Prefix": prefix} for prefix in page.prefixes],
    }


def _entry(stored: Stored) -> dict[str, JSON]:
    checksum = stored.details.checksum
    return {
        "Key": stored.key,
        "LastModified": iso(stored.modified),
        "ETag": stored.etag,
        "ChecksumAlgorithm": [checksum.algorithm.upper()] if checksum else [],
        "Size": stored.size,
        "StorageClass": stored.details.headers.get("StorageClass", "STANDARD"),
    }


def _encoded(call: Call, record: dict[str, JSON]) -> Output:
    """With all texts that come from users encoded, if the client wants that."""
    if call.text("EncodingType") != "url":
        return record
    return {name: _encode(name, value) for name, value in record.items()}


def _encode(name: str, value: JSON) -> JSON:
    if name in _TEXTS and isinstance(value, str):
        return quote(value, safe="/")
    if isinstance(value, list):
        return [_encode("", item) for item in value]
    if isinstance(value, dict):
        return {key: _encode(key, item) for key, item in value.items()}
    return value


OPERATIONS: Mapping[str, Operation] = {
    "ListObjectsV2": list_objects_v2,
    "ListObjects": list_objects,
    "ListObjectVersions": list_object_versions,
}
