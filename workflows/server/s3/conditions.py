"""Conditional requests."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from workflows.server.s3.errors import no_such_key, not_implemented, precondition_failed

# Those that, where they fail, tell a reader that nothing is new.
UNCHANGED = {"If-None-Match", "If-Modified-Since"}


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """The headers of a request that make it conditional."""

    if_match: str | None = None
    if_none_match: str | None = None
    if_modified_since: str | None = None
    if_unmodified_since: str | None = None

    def broken(self, etag: str, modified: datetime) -> str | None:
        """The header that an object does not fulfil, by RFC 9110's rules on which counts."""
        if self.if_match is not None:
            if not _matches(self.if_match, etag):
                return "If-Match"
        elif (until := _time(self.if_unmodified_since)) and modified > until:
            return "If-Unmodified-Since"
        if self.if_none_match is not None:
            return "If-None-Match" if _matches(self.if_none_match, etag) else None
        if (since := _time(self.if_modified_since)) and modified <= since:
            return "If-Modified-Since"
        return None

    def check_write(self, key: str, etag: Callable[[], str | None]) -> None:
        """Refuse to replace what a writer does not know of.

        Args:
            key: of the object.
            etag: says what is there, None for nothing.

        Raises:
            AwsError: PreconditionFailed, or NoSuchKey where there is nothing to match.
        """
        if self.if_none_match is not None:
            if self.if_none_match.strip() != "*":
                raise not_implemented("If-None-Match with another value than '*' on writing")
            if etag() is not None:
                raise precondition_failed("If-None-Match")
        if self.if_match is not None:
            found = etag()
            if found is None:
                raise no_such_key(key)
            if not _matches(self.if_match, found):
                raise precondition_failed("If-Match")


def _matches(header: str, etag: str) -> bool:
    given = {part.strip().removeprefix("W/").strip('"') for part in header.split(",")}
    return "*" in given or etag in given


def _time(header: str | None) -> datetime | None:
    """The time in a header; None, so that it does not count, for what is no time."""
    if header is None:
        return None
    try:
        found = parsedate_to_datetime(header)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
