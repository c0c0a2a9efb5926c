"""What the address of a request names: the service, a bucket, or an object."""

import re
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote_to_bytes

from workflows.server.errors import AwsError
from workflows.server.s3.dispatch import Level
from workflows.server.s3.errors import s3_error

# https://BUCKET.s3.REGION.amazonaws.com there, http://BUCKET.localhost:PORT here: browsers and most resolvers
# take every name below localhost for this machine (RFC 6761).
_VIRTUAL_HOST = re.compile(r"(?P<bucket>[A-Za-z0-9._-]{1,255}?)(\.s3)?\.localhost(:\d+)?", re.IGNORECASE)
_MOST_PARAMETERS = 100


@dataclass(frozen=True, kw_only=True)
class Address:
    """A bucket and a key, as far as there are."""

    bucket: str = ""
    key: str = ""

    @property
    def level(self) -> Level:
        """What it names."""
        if self.key:
            return "object"
        return "bucket" if self.bucket else "service"

    def __str__(self) -> str:
        return f"/{self.bucket}/{self.key}" if self.key else f"/{self.bucket}"


def read_address(host: str, raw_path: bytes) -> Address:
    """The address of a request.

    Args:
        host: the header; `BUCKET.localhost` names a bucket.
        raw_path: as it was sent, so that %2F and the like are not decoded twice.

    Raises:
        AwsError: InvalidURI.
    """
    try:
        path = unquote_to_bytes(raw_path.partition(b"?")[0]).decode().removeprefix("/")
    except UnicodeDecodeError:
        raise _invalid_uri() from None
    if virtual := _VIRTUAL_HOST.fullmatch(host):
        return Address(bucket=virtual["bucket"].lower(), key=path)
    bucket, _, key = path.partition("/")
    if not bucket and key:
        raise _invalid_uri()
    return Address(bucket=bucket, key=key)


def read_query(query: bytes) -> dict[str, str]:
    """The parameters of a request; of those that are repeated, the first.

    Raises:
        AwsError: InvalidURI.
    """
    try:
        pairs = parse_qsl(
            query.decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=_MOST_PARAMETERS,
        )
    except ValueError:
        raise _invalid_uri() from None
    return dict(reversed(pairs))


def _invalid_uri() -> AwsError:
    return s3_error("InvalidURI", "Couldn't parse the specified URI.")
