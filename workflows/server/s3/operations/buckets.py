"""Buckets: folders of the tree. Those that jobs have made by writing exist, too."""

from collections.abc import Mapping
from datetime import UTC, datetime

from workflows.definition.model import JSON
from workflows.server.errors import AwsError
from workflows.server.s3.call import Call, Operation
from workflows.server.s3.conflicts import remove_empty_folders
from workflows.server.s3.errors import no_such_bucket, not_implemented, s3_error
from workflows.server.s3.names import check_bucket, check_new_bucket
from workflows.server.s3.times import iso
from workflows.server.s3.tokens import read_token, write_token
from workflows.server.s3.walk import Walk
from workflows.server.shapes import Output

_FIRST_REGION = "us-east-1"
_MOST_BUCKETS = 10_000


def list_buckets(call: Call) -> Output:
    """ListBuckets."""
    after = read_token(call.text("ContinuationToken")) or ""
    prefix = call.text("Prefix") or ""
    found = [name for name in _names(call) if name.startswith(prefix) and name > after]
    if call.text("BucketRegion") not in (None, call.account.region):
        found = []
    size = call.number("MaxBuckets") or _MOST_BUCKETS
    answer: dict[str, JSON] = {
        "Buckets": [_bucket(call, name) for name in found[:size]],
        "Owner": call.account.owner,
        "Prefix": call.text("Prefix"),
    }
    if len(found) > size:
        answer["ContinuationToken"] = write_token(found[size - 1])
    return answer


def create_bucket(call: Call) -> Output:
    """CreateBucket: the region that a client may name is that of this machine."""
    check_new_bucket(call.bucket)
    if str(call.given.get("ObjectLockEnabledForBucket", False)) == "True":
        raise not_implemented("object lock")
    try:
        (call.storage.objects.root / call.bucket).mkdir(parents=True)
    except FileExistsError:
        # As S3 does, which once had only this region.
        if call.account.region != _FIRST_REGION:
            raise _owned_already(call.bucket) from None
    return {"Location": f"/{call.bucket}"}


def head_bucket(call: Call) -> Output:
    """HeadBucket."""
    call.storage.folder(call.bucket)
    return {"BucketRegion": call.account.region, "AccessPointAlias": False}


def delete_bucket(call: Call) -> Output:
    """DeleteBucket: only an empty one."""
    with call.storage.database.alone():
        folder = call.storage.folder(call.bucket)
        if any(True for _ in Walk(folder)):
            raise _not_empty(call.bucket)
        remove_empty_folders(folder)
        # Files whose names are not UTF-8 are no objects, but somebody's all the same.
        if folder.is_dir():
            raise _not_empty(call.bucket)
        for upload in call.uploads.of_bucket(call.bucket):
            call.uploads.end(upload)
        call.storage.catalog.forget_bucket(call.bucket)
    return {}


def get_bucket_location(call: Call) -> Output:
    """GetBucketLocation: the first region has no name there."""
    call.storage.folder(call.bucket)
    region = call.account.region
    return {} if region == _FIRST_REGION else {"LocationConstraint": region}


def _names(call: Call) -> list[str]:
    root = call.storage.objects.root
    if not root.is_dir():
        return []
    return sorted(entry.name for entry in root.iterdir() if entry.is_dir() and _can_be_named(entry.name))


def _can_be_named(name: str) -> bool:
    try:
        check_bucket(name)
    except AwsError:
        return False
    return True


def _bucket(call: Call, name: str) -> dict[str, JSON]:
    try:
        # S3's, too, moves on when a bucket's settings change.
        changed = (call.storage.objects.root / name).stat().st_mtime
    except FileNotFoundError:
        raise no_such_bucket(name) from None
    created = iso(datetime.fromtimestamp(changed, UTC))
    return {"Name": name, "CreationDate": created, "BucketRegion": call.account.region}


def _owned_already(bucket: str) -> AwsError:
    message = "Your previous request to create the named bucket succeeded and you already own it."
    return s3_error("BucketAlreadyOwnedByYou", message, BucketName=bucket)


def _not_empty(bucket: str) -> AwsError:
    return s3_error("BucketNotEmpty", "The bucket you tried to delete is not empty", BucketName=bucket)


OPERATIONS: Mapping[str, Operation] = {
    "ListBuckets": list_buckets,
    "CreateBucket": create_bucket,
    "HeadBucket": head_bucket,
    "DeleteBucket": delete_bucket,
    "GetBucketLocation": get_bucket_location,
}
