"""Times as S3 writes them: to the second."""

from datetime import UTC, datetime
from email.utils import format_datetime


def iso(time: datetime) -> str:
    """As in lists."""
    return time.strftime("%Y-%m-%dT%H:%M:%S.000Z")


def now() -> str:
    """The same of this moment."""
    return iso(datetime.now(UTC))


def http_date(text: str) -> str:
    """The same as in headers."""
    return format_datetime(datetime.fromisoformat(text), usegmt=True)
