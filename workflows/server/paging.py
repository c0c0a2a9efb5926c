"""Lists as AWS gives them: filtered, sorted, in pages."""

import base64
from collections.abc import Mapping, Sequence
from typing import TypeVar

from workflows.definition.model import JSON
from workflows.server.errors import validation
from workflows.server.shapes import Input

DEFAULT_PAGE = 10
_Record = TypeVar("_Record", bound=Mapping[str, JSON])


def page(
    records: Sequence[_Record], given: Input, *, default_size: int = DEFAULT_PAGE
) -> tuple[list[_Record], str | None]:
    """The page that a request asks for by MaxResults and NextToken; and the token of the next one.

    Raises:
        AwsError: the token is none of ours.
    """
    start = _start(given.get("NextToken"))
    wanted = given.get("MaxResults")
    size = wanted if isinstance(wanted, int) else default_size
    following = start + size
    return list(records[start:following]), _token(following) if following < len(records) else None


def _token(start: int) -> str:
    return base64.urlsafe_b64encode(str(start).encode()).decode()


def _start(token: JSON) -> int:
    if token is None:
        return 0
    try:
        start = int(base64.urlsafe_b64decode(str(token).encode()))
    except ValueError:
        start = -1
    if start < 0:
        raise validation("The provided NextToken is invalid")
    return start


def chosen(
    records: Sequence[_Record],
    given: Input,
    *,
    time: str = "CreationTime",
    name: str | None = None,
    sort_by: Mapping[str, str] | None = None,
    default_order: str = "Descending",
) -> list[_Record]:
    """Records filtered and sorted by the members that most List calls share.

    Args:
        records: in the order of their creation.
        given: CreationTimeAfter, CreationTimeBefore, LastModifiedTimeAfter and -Before, NameContains,
            SortBy and SortOrder, as far as the call has them.
        time: the field with the time of creation.
        name: the field that NameContains looks into.
        sort_by: value of SortBy -> field; CreationTime if not given.
        default_order: of the call.
    """
    found = [record for record in records if _in_time(record, given, time)]
    part = given.get("NameContains")
    if name and isinstance(part, str):
        found = [record for record in found if part.lower() in str(record.get(name, "")).lower()]
    field = (sort_by or {}).get(str(given.get("SortBy", "")), time)
    # Stable: what is equal stays in the order of creation.
    found.sort(key=lambda record: str(record.get(field, "")))
    if given.get("SortOrder", default_order) == "Descending":
        found.reverse()
    return found


def _in_time(record: Mapping[str, JSON], given: Input, time: str) -> bool:
    for prefix, field in (("CreationTime", time), ("LastModifiedTime", "LastModifiedTime")):
        value = str(record.get(field, record.get(time, "")))
        after, before = given.get(f"{prefix}After"), given.get(f"{prefix}Before")
        if (isinstance(after, str) and value <= after) or (isinstance(before, str) and value >= before):
            return False
    return True
