"""Files to and from S3."""

import json
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from botocore.exceptions import ClientError

from workflows.aws.clients import Clients, pages
from workflows.aws.errors import is_missing
from workflows.definition.errors import WorkflowError
from workflows.definition.model import JSON

_AT_ONCE = 8


def split(uri: str) -> tuple[str, str]:
    """Bucket and key of an S3 URI.

    Raises:
        WorkflowError: it is none.
    """
    scheme, _, rest = uri.partition("://")
    bucket, _, key = rest.partition("/")
    if scheme != "s3" or not bucket:
        raise WorkflowError(f"'{uri}' is no S3 URI: write s3://BUCKET/KEY")
    return bucket, key


def upload(clients: Clients, source: Path, uri: str, *, report: Callable[[int, int], None]) -> int:
    """Bring a file or a folder's files to S3; what has arrived already is not sent again.

    Args:
        clients: where to.
        source: a file becomes URI/NAME, the files of a folder become URI/RELATIVE.
        uri: of the "folder" in S3.
        report: is told how many of how many have been sent.

    Returns:
        How many were sent.

    Raises:
        WorkflowError: there are no files.
    """
    bucket, prefix = split(uri)
    files = dict(_files(source))
    if not files:
        raise WorkflowError(f"{source}: the folder holds no files")
    present = {
        str(entry["Key"]): entry["Size"]
        for entry in pages(clients.s3, "list_objects_v2", "Contents", Bucket=bucket, Prefix=f"{prefix}/")
    }
    missing = [
        (path, f"{prefix}/{name}")
        for name, path in files.items()
        if present.get(f"{prefix}/{name}") != path.stat().st_size
    ]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        sent = pool.map(lambda entry: clients.s3.upload_file(str(entry[0]), bucket, entry[1]), missing)
        for count, _ in enumerate(sent, start=1):
            report(count, len(missing))
    return len(missing)


def ensure_bucket(clients: Clients, name: str) -> None:
    """Make a bucket where there is none."""
    try:
        clients.s3.head_bucket(Bucket=name)
    except ClientError as error:
        if not is_missing(error):
            raise
        where = (
            {}
            if clients.region == "us-east-1"
            else {"CreateBucketConfiguration": {"LocationConstraint": clients.region}}
        )
        clients.s3.create_bucket(Bucket=name, **where)


def read_json(clients: Clients, uri: str) -> JSON:
    """The JSON document in an object.

    Raises:
        ClientError: there is none.
        WorkflowError: it is not JSON.
    """
    bucket, key = split(uri)
    with clients.s3.get_object(Bucket=bucket, Key=key)["Body"] as body:
        content = body.read()
    try:
        document: JSON = json.loads(content)
    except ValueError:
        raise WorkflowError(f"{uri}: not JSON") from None
    return document


def keys(clients: Clients, uri: str) -> Iterator[str]:
    """The URIs of the objects below a "folder"."""
    bucket, prefix = split(uri)
    below = f"{prefix.rstrip('/')}/"
    for entry in pages(clients.s3, "list_objects_v2", "Contents", Bucket=bucket, Prefix=below):
        yield f"s3://{bucket}/{entry['Key']}"


def download(clients: Clients, uri: str, target: Path) -> None:
    """Fetch an object; the file appears whole or not at all."""
    bucket, key = split(uri)
    target.parent.mkdir(parents=True, exist_ok=True)
    clients.s3.download_file(bucket, key, str(target))


def _files(source: Path) -> Iterator[tuple[str, Path]]:
    if source.is_file():
        yield source.name, source
        return
    for base, _, names in os.walk(source):
        for name in names:
            path = Path(base, name)
            if path.is_file():
                yield path.relative_to(source).as_posix(), path
