"""Puts records into requests: one each, or as many as fit."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from workflows.local.transform.splitting import TOO_LARGE, Record, SplitError


@dataclass(frozen=True)
class Entry:
    """A record of an object, and what of it is sent."""

    original: Record
    sent: Record


@dataclass(frozen=True)
class Batch:
    """One request: its body, and the records in it as they were before any filter."""

    body: bytes
    originals: tuple[bytes, ...]


def one_by_one(entries: Iterable[Entry], limit: int) -> Iterator[Batch]:
    """SingleRecord: a record without what frames it in its object.

    Raises:
        SplitError: a record is too large for any request.
    """
    for entry in entries:
        _check_size(entry.sent.payload, limit)
        yield Batch(entry.sent.payload, (entry.original.payload,))


def together(entries: Iterable[Entry], limit: int) -> Iterator[Batch]:
    """MultiRecord: as many records as fit, as they stand in their object.

    Raises:
        SplitError: a record is too large for any request.
    """
    held: list[Entry] = []
    size = 0
    for entry in entries:
        _check_size(entry.sent.framed, limit)
        if held and size + len(entry.sent.framed) > limit:
            yield _joined(held)
            held, size = [], 0
        held.append(entry)
        size += len(entry.sent.framed)
    if held:
        yield _joined(held)


def _joined(entries: list[Entry]) -> Batch:
    return Batch(
        b"".join(entry.sent.framed for entry in entries),
        tuple(entry.original.payload for entry in entries),
    )


def _check_size(body: bytes, limit: int) -> None:
    if len(body) > limit:
        raise SplitError(f"{TOO_LARGE}: {len(body)} bytes, where MaxPayloadInMB allows {limit}")
