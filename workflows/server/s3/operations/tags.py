"""Tags of objects."""

from collections.abc import Mapping
from dataclasses import replace

from workflows.server.s3.call import Call, Operation, structures
from workflows.server.s3.details import check_tags
from workflows.server.s3.errors import s3_error
from workflows.server.shapes import Output


def get_object_tagging(call: Call) -> Output:
    """GetObjectTagging."""
    tags = call.storage.look(call.bucket, call.key).details.tags
    return {"TagSet": [{"Key": name, "Value": value} for name, value in tags.items()]}


def put_object_tagging(call: Call) -> Output:
    """PutObjectTagging."""
    given = structures(call.structure("Tagging").get("TagSet"))
    tags = {str(tag["Key"]): str(tag["Value"]) for tag in given}
    if len(tags) != len(given):
        raise s3_error("InvalidTag", "Cannot provide multiple Tags with the same key")
    _write(call, check_tags(tags))
    return {}


def delete_object_tagging(call: Call) -> Output:
    """DeleteObjectTagging."""
    _write(call, {})
    return {}


def _write(call: Call, tags: Mapping[str, str]) -> None:
    with call.storage.database.alone():
        stored = call.storage.look(call.bucket, call.key)
        details = replace(stored.details, tags=tags)
        call.storage.catalog.remember(call.bucket, call.key, stored.identity, details)


OPERATIONS: Mapping[str, Operation] = {
    "GetObjectTagging": get_object_tagging,
    "PutObjectTagging": put_object_tagging,
    "DeleteObjectTagging": delete_object_tagging,
}
