"""What clients ask of a bucket, or an object, that has no settings: the truth, in S3's words."""

from collections.abc import Mapping

from workflows.definition.model import JSON
from workflows.server.errors import AwsError
from workflows.server.s3.call import Call, Operation
from workflows.server.s3.errors import s3_error
from workflows.server.shapes import Output

# Operation -> code and message of "there is none".
_NONE: Mapping[str, tuple[str, str]] = {
    "GetBucketCors": ("NoSuchCORSConfiguration", "The CORS configuration does not exist"),
    "GetBucketEncryption": (
        "ServerSideEncryptionConfigurationNotFoundError",
        "The server side encryption configuration was not found",
    ),
    "GetBucketLifecycleConfiguration": (
        "NoSuchLifecycleConfiguration",
        "The lifecycle configuration does not exist",
    ),
    "GetBucketPolicy": ("NoSuchBucketPolicy", "The bucket policy does not exist"),
    "GetBucketPolicyStatus": ("NoSuchBucketPolicy", "The bucket policy does not exist"),
    "GetBucketReplication": (
        "ReplicationConfigurationNotFoundError",
        "The replication configuration was not found",
    ),
    "GetBucketTagging": ("NoSuchTagSet", "The TagSet does not exist"),
    "GetBucketWebsite": (
        "NoSuchWebsiteConfiguration",
        "The specified bucket does not have a website configuration",
    ),
    "GetObjectLockConfiguration": (
        "ObjectLockConfigurationNotFoundError",
        "Object Lock configuration does not exist for this bucket",
    ),
    "GetPublicAccessBlock": (
        "NoSuchPublicAccessBlockConfiguration",
        "The public access block configuration was not found",
    ),
}
# Operation -> what a bucket has that nobody has changed.
_DEFAULTS: Mapping[str, Output] = {
    "GetBucketAccelerateConfiguration": {},
    "GetBucketLogging": {},
    "GetBucketNotificationConfiguration": {},
    "GetBucketOwnershipControls": {
        "OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    },
    "GetBucketRequestPayment": {"Payer": "BucketOwner"},
    "GetBucketVersioning": {},
}


def get_bucket_acl(call: Call) -> Output:
    """GetBucketAcl: everything belongs to this account."""
    call.storage.folder(call.bucket)
    return _all_to_owner(call)


def get_object_acl(call: Call) -> Output:
    """GetObjectAcl: the same."""
    call.storage.look(call.bucket, call.key)
    return _all_to_owner(call)


def put_acl(call: Call) -> Output:
    """PutBucketAcl, PutObjectAcl: as in buckets that S3 makes since 2023."""
    call.storage.folder(call.bucket)
    raise s3_error("AccessControlListNotSupported", "The bucket does not allow ACLs")


def _all_to_owner(call: Call) -> Output:
    grantee: dict[str, JSON] = {**call.account.owner, "Type": "CanonicalUser"}
    return {
        "Owner": call.account.owner,
        "Grants": [{"Grantee": grantee, "Permission": "FULL_CONTROL"}],
    }


def _none(call: Call) -> Output:
    call.storage.folder(call.bucket)
    code, message = _NONE[call.operation.name]
    raise AwsError(code, message, status=404, BucketName=call.bucket)


def _default(call: Call) -> Output:
    call.storage.folder(call.bucket)
    return _DEFAULTS[call.operation.name]


OPERATIONS: Mapping[str, Operation] = {
    **dict.fromkeys(_NONE, _none),
    **dict.fromkeys(_DEFAULTS, _default),
    "GetBucketAcl": get_bucket_acl,
    "GetObjectAcl": get_object_acl,
    "PutBucketAcl": put_acl,
    "PutObjectAcl": put_acl,
}
