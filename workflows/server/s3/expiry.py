"""Whether a request says who it is from, and whether a presigned URL is still good.

Signatures are not verified: this machine knows no secrets, anybody who reaches it may use it.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from workflows.server.errors import AwsError
from workflows.server.s3.errors import s3_error

_LONGEST = timedelta(days=7)
_LATEST = datetime.max.replace(tzinfo=UTC) - _LONGEST
_DATE = "%Y%m%dT%H%M%SZ"
_NUMBER = re.compile("[0-9]{1,12}")


def check_authentication(query: Mapping[str, str], headers: Mapping[str, str], *, now: datetime) -> None:
    """Refuse what S3 would refuse whoever asks.

    Raises:
        AwsError: AccessDenied without any authentication, or after the end of a presigned URL;
            AuthorizationQueryParametersError if that cannot be read.
    """
    if "X-Amz-Signature" in query:
        expires = _version_4(query)
    elif "Signature" in query:
        expires = _version_2(query)
    elif "authorization" in headers:
        return
    else:
        raise s3_error("AccessDenied", "Access Denied")
    if now >= expires:
        raise s3_error("AccessDenied", "Request has expired", Expires=_iso(expires), ServerTime=_iso(now))


def _version_4(query: Mapping[str, str]) -> datetime:
    """The end of a URL that says when it was signed, and for how many seconds."""
    try:
        signed = datetime.strptime(query.get("X-Amz-Date", ""), _DATE).replace(tzinfo=UTC)
    except ValueError:
        raise _unreadable(f'X-Amz-Date must be in the ISO8601 Long Format "{_DATE}"') from None
    text = query.get("X-Amz-Expires", "")
    if not _NUMBER.fullmatch(text):
        raise _unreadable("X-Amz-Expires should be a number")
    if int(text) > _LONGEST.total_seconds():
        raise _unreadable("X-Amz-Expires must be less than a week (in seconds) from the given X-Amz-Date")
    return min(signed, _LATEST) + timedelta(seconds=int(text))


def _version_2(query: Mapping[str, str]) -> datetime:
    """The end of a URL that says it itself, in seconds since 1970."""
    text = query.get("Expires", "")
    if not _NUMBER.fullmatch(text):
        raise s3_error("AccessDenied", f"Invalid date (should be seconds since epoch): {text}")
    try:
        return datetime.fromtimestamp(int(text), UTC)
    except (ValueError, OverflowError, OSError):
        return datetime.max.replace(tzinfo=UTC)  # after the year 9999


def _unreadable(message: str) -> AwsError:
    return s3_error("AuthorizationQueryParametersError", message)


def _iso(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")
