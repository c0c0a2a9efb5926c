"""Files to and from S3."""

import json
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

from boto3.exceptions import S3UploadFailedError
from botocore.exceptions import ClientError

from workflows.aws.clients import Clients, pages
from workflows.aws.errors import CloudError, is_missing
from workflows.definition.errors import WorkflowError
from workflows.definition.model import JSON
from workflows.definition.records import Record

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

    A file has arrived if an object has its size and is not older than it.

    Args:
        clients: where to.
        source: a file becomes URI/NAME, the files of a folder become URI/RELATIVE.
        uri: of the "folder" in S3.
        report: is told how many of how many have been sent.

    Returns:
        How many were sent.

    Raises:
        WorkflowError: there are no files, or a link leads out of the folder.
        ClientError: the bucket takes nothing.
    """
    bucket, below = _folder(uri)
    local = dict(files(source))
    if not local:
        raise WorkflowError(f"{source}: the folder holds no files")
    listed = pages(clients.s3, "list_objects_v2", "Contents", Bucket=bucket, Prefix=below)
    present = {str(entry["Key"]): entry for entry in listed}
    missing = [
        (path, f"{below}{name}")
        for name, path in local.items()
        if not _has_arrived(path, present.get(f"{below}{name}"))
    ]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        sent = pool.map(lambda entry: _send(clients, entry[0], bucket, entry[1]), missing)
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
    """The URIs of the objects below a "folder"; none where there is no such bucket."""
    bucket, below = _folder(uri)
    try:
        for entry in pages(clients.s3, "list_objects_v2", "Contents", Bucket=bucket, Prefix=below):
            yield f"s3://{bucket}/{entry['Key']}"
    except ClientError as error:
        if not is_missing(error):
            raise


def download(clients: Clients, uri: str, target: Path) -> None:
    """Fetch an object; the file appears whole or not at all."""
    bucket, key = split(uri)
    target.parent.mkdir(parents=True, exist_ok=True)
    clients.s3.download_file(bucket, key, str(target))


def files(source: Path) -> Iterator[tuple[str, Path]]:
    """A file, or the files of a folder, by their names relative to it; links inside of it are followed.

    Raises:
        WorkflowError: a link leads out of the folder, to a folder, or nowhere.
    """
    if source.is_file():
        yield source.name, source
        return
    root = source.resolve()
    for base, folders, names in os.walk(source):
        folders.sort()
        for name in sorted([*names, *(folder for folder in folders if Path(base, folder).is_symlink())]):
            path = Path(base, name)
            if path.is_symlink() and not _leads_to_a_file_in(root, path):
                raise WorkflowError(
                    f"{path}: a link to what is no file in {source}; put the file itself there"
                )
            if path.is_file():
                yield _named(path.relative_to(source)), path


def _send(clients: Clients, path: Path, bucket: str, key: str) -> None:
    try:
        clients.s3.upload_file(str(path), bucket, key)
    except S3UploadFailedError as error:
        # boto3 hides what S3 has said.
        said = error.__context__
        raise said if isinstance(said, ClientError) else CloudError(str(error)) from None


def _named(path: Path) -> str:
    name = path.as_posix()
    try:
        name.encode()
    except UnicodeEncodeError:
        raise WorkflowError(f"{name!r}: the name is not UTF-8, as a key of S3 has to be") from None
    return name


def _leads_to_a_file_in(root: Path, link: Path) -> bool:
    target = link.resolve()
    return target.is_file() and target.is_relative_to(root)


def _has_arrived(path: Path, entry: Record | None) -> bool:
    if entry is None:
        return False
    stat = path.stat()
    # S3 has whole seconds.
    arrived = datetime.fromisoformat(str(entry["LastModified"])).timestamp() + 1
    return entry["Size"] == stat.st_size and stat.st_mtime < arrived


def _folder(uri: str) -> tuple[str, str]:
    """Bucket, and what the keys below a URI begin with."""
    bucket, key = split(uri)
    key = key.rstrip("/")
    return bucket, f"{key}/" if key else ""
