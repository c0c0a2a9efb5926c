"""One preparation on several instances: every instance packs its share of the pictures.

The instances run side by side and cannot speak with one another, yet together they must leave what one
instance would have left. A stable hash of its name says which instance packs a picture, whatever other
pictures there are. What the tables and the pictures' headers say, each finds out by itself. What only
decoding tells, whether a picture has to be left out, the first instance must know of all pictures, because it
describes the data set. docs/decisions/0007 has the figures behind how it finds out.
"""

import contextlib
import hashlib
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Generic, Protocol, TypeVar, overload

from processing_scripts.contract import Host
from processing_scripts.packing import Encoded, Encoding, Request, Work, encode_pictures
from processing_scripts.progress import with_progress
from processing_scripts.room import Room
from processing_scripts.timing import Timings
from processing_scripts.unreadable import Unreadable


class Packable(Protocol):
    """A picture of a data set."""

    @property
    def path(self) -> str:
        """Its name in lists and messages; no other picture has it."""

    @property
    def is_training(self) -> bool:
        """Whether it is for training or held out."""


P = TypeVar("P", bound=Packable)


class Selection(Sequence[P]):
    """Some pictures of a data set, which may make each only when it is asked for."""

    def __init__(self, pictures: Sequence[P], positions: Sequence[int]) -> None:
        self._pictures, self._positions = pictures, positions

    def __len__(self) -> int:
        return len(self._positions)

    @overload
    def __getitem__(self, position: int) -> P: ...

    @overload
    def __getitem__(self, position: slice) -> "Selection[P]": ...

    def __getitem__(self, position: int | slice) -> "P | Selection[P]":
        if isinstance(position, slice):
            return Selection(self._pictures, self._positions[position])
        return self._pictures[self._positions[position]]

    def __iter__(self) -> Iterator[P]:
        return (self._pictures[position] for position in self._positions)


@dataclass(frozen=True, kw_only=True)
class Split(Generic[P]):
    """Pictures for training and held-out ones, each in the order of the data set."""

    training: Sequence[P]
    validation: Sequence[P]


@dataclass(frozen=True, kw_only=True)
class Packing:
    """How the pictures of a data set are packed, and by which instance."""

    host: Host
    encoding: Encoding
    workers: int  # processes
    unreadable: Unreadable  # takes the pictures that have to be left out
    output: Path  # the folder whose disk the records go to
    timings: Path | None = None  # the file that tells where the time went


@dataclass(frozen=True, kw_only=True)
class Packed(Generic[P]):
    """What became of the pictures, without those that were left out."""

    here: Split[P]  # packed by this instance
    known: Split[P]  # by the first instance: of all instances; by the others: packed here
    sources_sha256: str  # over the lines "sha256 path" of the source files that this instance has read


def is_of(host: Host, path: str) -> bool:
    """Whether an instance packs the picture of this name; exactly one of all instances does."""
    digest = hashlib.blake2b(path.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") % host.count == host.index


def pack_share(
    pictures: Sequence[P],
    request: Callable[[P], Request],
    write: Callable[[P, Encoded], int],
    packing: Packing,
) -> Packed[P]:
    """Decode and encode this instance's share of the pictures.

    Args:
        pictures: all pictures, the same ones on every instance.
        request: what becomes of a picture.
        write: takes the pictures of the share that can be used, in their order; returns the bytes written.
        packing: how.

    Raises:
        JobError: too many pictures have to be left out, or the disk has too little room for the rest.
    """
    host = packing.host
    mine = {position for position, picture in enumerate(pictures) if is_of(host, picture.path)}
    looked_at = [position for position in range(len(pictures)) if host.is_first or position in mine]
    # Where no further picture may be left out, whichever instance meets one ends the job for all.
    for_others = Work.CHECK if packing.unreadable.has_room else Work.DIGEST
    requests = (
        request(pictures[position])
        if position in mine
        else replace(request(pictures[position]), work=for_others)
        for position in looked_at
    )
    known: list[int] = []
    sources = hashlib.sha256()
    timings, room = Timings(workers=packing.workers), Room(packing.output, items=len(looked_at))
    with contextlib.closing(encode_pictures(requests, packing.encoding, workers=packing.workers)) as results:
        progress = with_progress(results, phase="pack", total=len(looked_at))
        for position, encoded in zip(looked_at, progress, strict=True):
            picture = pictures[position]
            sources.update(f"{encoded.source_sha256} {picture.path}\n".encode())
            if encoded.fault:
                packing.unreadable.add(picture.path, encoded.fault)
                continue
            start, written = time.perf_counter_ns(), 0
            if position in mine:
                written = write(picture, encoded)
            known.append(position)
            write_ns = time.perf_counter_ns() - start
            timings.add(encoded.spent_ns, before=encoded.source_bytes, after=written, write_ns=write_ns)
            room.add(written)
    timings.finish()
    timings.save(packing.timings)
    return Packed(
        here=_split(pictures, (position for position in known if position in mine)),
        known=_split(pictures, known),
        sources_sha256=sources.hexdigest(),
    )


def _split(pictures: Sequence[P], positions: Iterable[int]) -> Split[P]:
    training: list[int] = []
    validation: list[int] = []
    for position in positions:
        (training if pictures[position].is_training else validation).append(position)
    return Split(training=Selection(pictures, training), validation=Selection(pictures, validation))
