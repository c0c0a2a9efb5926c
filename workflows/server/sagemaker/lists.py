"""The List calls of jobs, models and endpoints: filtered and sorted by what most of them share."""

from collections.abc import Callable
from dataclasses import dataclass

from workflows.definition.records import Record
from workflows.local.store import Store
from workflows.local.windows import STATUS_FIELDS, Window
from workflows.server.cursors import walk
from workflows.server.paging import DEFAULT_PAGE, page
from workflows.server.shapes import Input

_CREATION, _NAME = "CreationTime", "Name"


@dataclass(frozen=True, kw_only=True)
class Listing:
    """How the resources of one kind are listed."""

    kind: str  # of the records
    name: str  # field that NameContains looks into
    is_key: bool = True  # whether that is the name of the record itself
    status: str = ""  # field that StatusEquals and SortBy Status mean
    sort_by: str = _CREATION  # where the request says nothing
    order: str = "Descending"

    def page(
        self,
        store: Store,
        given: Input,
        *,
        parent: str | None = None,
        wanted: Callable[[Record], bool] = lambda _: True,
    ) -> tuple[list[Record], str | None]:
        """The page that a request asks for, and the token of the next one.

        Args:
            store: where the records are.
            given: the request.
            parent: of the records, if not all.
            wanted: whether a record belongs to the list, beside the members that most calls share.

        Raises:
            AwsError: the token is none of ours.
        """

        def belongs(record: Record) -> bool:
            return self._matches(record, given) and wanted(record)

        sort_by = given.get("SortBy", self.sort_by)
        descending = given.get("SortOrder", self.order) == "Descending"
        part = _text(given, "NameContains")
        if sort_by in (_CREATION, _NAME):
            window = Window(
                kind=self.kind,
                parent=parent,
                limit=DEFAULT_PAGE,
                # Below a parent names are numbers, which count up with the time.
                order="name" if sort_by == _NAME and parent is None else "creation",
                descending=descending,
                after=_text(given, "CreationTimeAfter"),
                before=_text(given, "CreationTimeBefore"),
                containing=part.lower() if part and self.is_key else None,
                status=_text(given, "StatusEquals") if self.status in STATUS_FIELDS else None,
            )
            return walk(store, window, given, wanted=belongs)
        records = [record for record in store.all(self.kind, parent=parent) if belongs(record)]
        records.sort(key=lambda record: str(record.get(self.status, "")), reverse=descending)
        return page(records, given)

    def _matches(self, record: Record, given: Input) -> bool:
        part, status = given.get("NameContains"), given.get("StatusEquals")
        if isinstance(part, str) and part.lower() not in str(record.get(self.name, "")).lower():
            return False
        if status is not None and record.get(self.status) != status:
            return False
        return _within(record, given, _CREATION) and _within(record, given, "LastModifiedTime")


def _within(record: Record, given: Input, field: str) -> bool:
    time = str(record.get(field, record.get(_CREATION, "")))
    after, before = _text(given, f"{field}After"), _text(given, f"{field}Before")
    return (after is None or time > after) and (before is None or time < before)


def _text(given: Input, name: str) -> str | None:
    value = given.get(name)
    return value if isinstance(value, str) else None
