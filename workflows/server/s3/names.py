"""Names of buckets and keys that S3 takes, and what a directory tree adds to that."""

import ipaddress
import re

from workflows.local.object_keys import leaves_the_tree, to_path
from workflows.server.s3.errors import invalid_argument, no_such_bucket, s3_error

_LONGEST_KEY = 1024  # in bytes of UTF-8, as every length here
_LONGEST_PART = 255  # of a file's name, on every file system in use
_MOST_PARTS = 255
# What clients allow; buckets that S3 would not create may exist here all the same, because jobs made them.
_BUCKET = re.compile(r"[A-Za-z0-9._-]{1,255}")
_NEW_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


def check_bucket(bucket: str) -> None:
    """Refuse what can be no bucket.

    Raises:
        AwsError: NoSuchBucket.
    """
    if not _BUCKET.fullmatch(bucket) or leaves_the_tree(bucket):
        raise no_such_bucket(bucket)


def check_new_bucket(bucket: str) -> None:
    """Refuse a name that S3 would not give.

    Raises:
        AwsError: InvalidBucketName.
    """
    if not _NEW_BUCKET.fullmatch(bucket) or ".." in bucket or _is_ip_address(bucket):
        raise s3_error("InvalidBucketName", "The specified bucket is not valid.", BucketName=bucket)


def check_key(key: str) -> None:
    """Refuse a key that S3 or the directory tree cannot hold.

    Raises:
        AwsError: KeyTooLongError, or InvalidArgument.
    """
    if not key:
        raise invalid_argument("A key has at least one character", "Key", key)
    size = len(key.encode())
    if size > _LONGEST_KEY:
        raise s3_error("KeyTooLongError", "Your key is too long", Size=size, MaxSizeAllowed=_LONGEST_KEY)
    if leaves_the_tree(key):
        message = "'.', '..' and NUL cannot be parts of a key on this machine, where objects are files"
        raise invalid_argument(message, "Key", key)
    parts = to_path(key).parts
    if len(parts) > _MOST_PARTS or any(len(part.encode()) > _LONGEST_PART for part in parts):
        message = (
            f"On this machine, where objects are files, a key has at most {_MOST_PARTS} parts "
            f"between slashes, each of at most {_LONGEST_PART} bytes"
        )
        raise s3_error("KeyTooLongError", message, Size=size, MaxSizeAllowed=_LONGEST_KEY)


def _is_ip_address(text: str) -> bool:
    try:
        ipaddress.IPv4Address(text)
    except ValueError:
        return False
    return True
