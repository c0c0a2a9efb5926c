"""Pages of lists that are too long to be read whole: each goes on behind the last record of the one before.

What is made or removed between two pages neither repeats nor hides any other record.
"""

import base64
import json
from collections.abc import Callable
from dataclasses import replace

from workflows.definition.model import JSON
from workflows.definition.records import Record
from workflows.local.store import Store
from workflows.local.windows import Place, Window
from workflows.server.errors import validation
from workflows.server.paging import DEFAULT_PAGE
from workflows.server.shapes import Input

# How many records are read at once while few of them are wanted.
_CHUNK = 200
_LARGEST_NUMBER = 2**63 - 1  # that SQLite takes


def walk(
    store: Store, window: Window, given: Input, *, wanted: Callable[[Record], bool] = lambda _: True
) -> tuple[list[Record], str | None]:
    """The page that a request asks for by MaxResults and NextToken; and the token of the next one.

    Args:
        store: where the records are.
        window: kind and order; its limit and beginning are those of the request.
        given: the request.
        wanted: whether a record belongs to the list.

    Raises:
        AwsError: the token is none of ours.
    """
    size = _size(given)
    window = replace(window, beyond=_place(given.get("NextToken")), limit=size + 1)
    found: list[tuple[Place, Record]] = []
    while len(found) <= size:
        rows = store.page(window)
        found += [row for row in rows if wanted(row[1])]
        if len(rows) < window.limit:
            break
        window = replace(window, beyond=rows[-1][0], limit=_CHUNK)
    records = [record for _, record in found[:size]]
    return records, _token(found[size - 1][0]) if len(found) > size else None


def window_of(given: Input, kind: str, *, parent: str | None = None, name: str) -> Window:
    """The order and the times of creation that a list of pipelines, versions or executions asks for.

    Args:
        given: CreatedAfter, CreatedBefore, SortBy and SortOrder, as far as the call has them.
        kind: of record.
        parent: of the records.
        name: value of SortBy that stands for the records' names; they come by creation otherwise.
    """
    return Window(
        kind=kind,
        parent=parent,
        limit=DEFAULT_PAGE,
        order="name" if given.get("SortBy") == name else "creation",
        descending=given.get("SortOrder", "Descending") == "Descending",
        after=_text(given.get("CreatedAfter")),
        before=_text(given.get("CreatedBefore")),
    )


def _size(given: Input) -> int:
    wanted = given.get("MaxResults")
    return wanted if isinstance(wanted, int) else DEFAULT_PAGE


def _text(value: JSON) -> str | None:
    return value if isinstance(value, str) else None


def _token(place: Place) -> str:
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode()


def _place(token: JSON) -> Place | None:
    if token is None:
        return None
    try:
        key, number = json.loads(base64.urlsafe_b64decode(str(token)))
        str(key).encode()
    except (ValueError, TypeError, RecursionError):
        raise validation("The provided NextToken is invalid") from None
    if not isinstance(key, str) or type(number) is not int or not 0 <= number <= _LARGEST_NUMBER:
        raise validation("The provided NextToken is invalid")
    return key, number
