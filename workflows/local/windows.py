"""A part of the records of one kind, in an order, without reading the others."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

# An expression, so that records of all kinds have it without a column of their own. What is no JSON (SQLite
# knows no NaN, which Python writes) has no time; indexing it must not fail.
CREATED = "CASE WHEN json_valid(body) THEN COALESCE(json_extract(body, '$.CreationTime'), '') ELSE '' END"
# The fields that lists are filtered by; a record has at most one of them.
STATUS_FIELDS = (
    "TrainingJobStatus",
    "ProcessingJobStatus",
    "TransformJobStatus",
    "HyperParameterTuningJobStatus",
    "EndpointStatus",
)
_EXTRACTED = ", ".join(f"json_extract(body, '$.{field}')" for field in STATUS_FIELDS)
STATUS = f"CASE WHEN json_valid(body) THEN COALESCE({_EXTRACTED}) END"
INDEXES = f"""
CREATE INDEX IF NOT EXISTS by_status ON records (kind, {STATUS});
CREATE INDEX IF NOT EXISTS by_creation ON records (kind, {CREATED});
CREATE INDEX IF NOT EXISTS by_parent_and_creation ON records (kind, parent, {CREATED});
"""

# Where a record stands in an order: what it is ordered by, and its number, which no other record has.
Place: TypeAlias = tuple[str, int]
# Answered by indexes alone: no body is read but those that are found. The plus keeps the order's own index in
# use, where a page is full after a few steps if many records are wanted.
_CONTAINING = "+number IN (SELECT number FROM records WHERE kind = ? AND instr(lower(name), ?) > 0)"
_OF_STATUS = f"+number IN (SELECT number FROM records WHERE kind = ? AND {STATUS} = ?)"  # noqa: S608 - no value


@dataclass(frozen=True, kw_only=True)
class Window:
    """Which records, in which order; records that come and go meanwhile move no others."""

    kind: str
    limit: int
    parent: str | None = None  # None: under any
    order: Literal["creation", "name"] = "creation"
    descending: bool = False
    after: str | None = None  # CreationTime; both bounds are outside
    before: str | None = None
    containing: str | None = None  # in small letters, somewhere in the name
    status: str | None = None
    beyond: Place | None = None  # behind this one, in the order; it need not exist any more

    def select(self) -> tuple[str, list[str | int]]:
        """The query for what it is ordered by, number and body; and its values."""
        key = CREATED if self.order == "creation" else "name"
        direction, comparison = ("DESC", "<") if self.descending else ("ASC", ">")
        conditions: list[tuple[str, tuple[str | int, ...] | None]] = [
            ("kind = ?", (self.kind,)),
            ("parent = ?", None if self.parent is None else (self.parent,)),
            (f"{CREATED} > ?", None if self.after is None else (self.after,)),
            (f"{CREATED} < ?", None if self.before is None else (self.before,)),
            (_CONTAINING, None if self.containing is None else (self.kind, self.containing)),
            (_OF_STATUS, None if self.status is None else (self.kind, self.status)),
            (f"({key}, number) {comparison} (?, ?)", self.beyond),
        ]
        wanted = [(text, values) for text, values in conditions if values is not None]
        query = (
            f"SELECT {key}, number, body FROM records WHERE {' AND '.join(text for text, _ in wanted)} "  # noqa: S608 - no value is part of the text
            f"ORDER BY {key} {direction}, number {direction} LIMIT ?"
        )
        return query, [*(value for _, values in wanted for value in values), self.limit]
