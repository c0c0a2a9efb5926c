"""Removing objects."""

from collections.abc import Mapping

from workflows.definition.model import JSON
from workflows.server.errors import AwsError
from workflows.server.s3.call import Call, Operation, structures
from workflows.server.s3.conditions import Conditions
from workflows.server.s3.errors import malformed_xml, not_implemented
from workflows.server.s3.names import check_key
from workflows.server.s3.versions import check_version
from workflows.server.shapes import Output

_MOST_KEYS = 1000
# Conditions that only directory buckets have.
_NOT_HERE = ("LastModifiedTime", "Size")


def delete_object(call: Call) -> Output:
    """DeleteObject: also of what is not there."""
    if any(call.text(f"IfMatch{name}") is not None for name in _NOT_HERE):
        raise not_implemented("x-amz-if-match-last-modified-time and -size")
    check_version(call.text("VersionId"))
    call.storage.remove(call.bucket, call.key, Conditions(if_match=call.text("IfMatch")))
    return {}


def delete_objects(call: Call) -> Output:
    """DeleteObjects: each for itself."""
    call.storage.folder(call.bucket)
    request = call.structure("Delete")
    objects = structures(request.get("Objects"))
    if not 0 < len(objects) <= _MOST_KEYS:
        raise malformed_xml(f"it is about {len(objects)} objects, not 1 to {_MOST_KEYS}")
    answers = [(each, _delete_one(call, each)) for each in objects]
    deleted: list[JSON] = [{"Key": each["Key"]} for each, error in answers if error is None]
    errors: list[JSON] = [
        {"Key": each["Key"], "Code": error.code, "Message": error.message}
        for each, error in answers
        if error is not None
    ]
    return {"Deleted": [] if request.get("Quiet") is True else deleted, "Errors": errors}


def _delete_one(call: Call, wanted: Mapping[str, JSON]) -> AwsError | None:
    key, etag, version = str(wanted["Key"]), wanted.get("ETag"), wanted.get("VersionId")
    try:
        if any(name in wanted for name in _NOT_HERE):
            raise not_implemented("LastModifiedTime and Size of objects to delete")
        check_key(key)
        check_version(version if isinstance(version, str) else None)
        call.storage.remove(call.bucket, key, Conditions(if_match=etag if isinstance(etag, str) else None))
    except AwsError as error:
        return error
    return None


OPERATIONS: Mapping[str, Operation] = {"DeleteObject": delete_object, "DeleteObjects": delete_objects}
