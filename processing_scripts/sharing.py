"""One preparation on several instances: every instance packs its share of the pictures.

The instances run side by side and cannot speak with one another, yet together they must leave what one
instance would have left. What the tables and the pictures' headers say, each finds out by itself. What only
decoding tells, whether a picture has to be left out, the first instance must know of all pictures, because it
describes the data set. docs/decisions/0007 has the figures behind how it finds out.
"""

import contextlib
import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Generic, Protocol, TypeVar

from processing_scripts.contract import Host
from processing_scripts.packing import Encoded, Encoding, Request, Work, encode_pictures
from processing_scripts.progress import with_progress
from processing_scripts.unreadable import Unreadable


class Packable(Protocol):
    """A picture of a data set."""

    @property
    def index(self) -> int:
        """A number that no other picture has."""

    @property
    def path(self) -> str:
        """Its name in lists and messages."""

    @property
    def is_training(self) -> bool:
        """Whether it is for training or held out."""


P = TypeVar("P", bound=Packable)
Item = TypeVar("Item")


@dataclass(frozen=True, kw_only=True)
class Split(Generic[P]):
    """Pictures for training and held-out ones, each in the order of the data set."""

    training: list[P]
    validation: list[P]


@dataclass(frozen=True, kw_only=True)
class Packing:
    """How the pictures of a data set are packed, and by which instance."""

    host: Host
    encoding: Encoding
    workers: int  # threads
    unreadable: Unreadable  # takes the pictures that have to be left out


@dataclass(frozen=True, kw_only=True)
class Packed(Generic[P]):
    """What became of the pictures, without those that were left out."""

    here: Split[P]  # packed by this instance
    known: Split[P]  # by the first instance: of all instances; by the others: packed here
    sources_sha256: str  # over the lines "sha256 path" of the source files that this instance has read


def share_of(items: Sequence[Item], host: Host) -> Sequence[Item]:
    """A host's share; the shares of all hosts, one after the other, are the items."""
    count = len(items)
    return items[count * host.index // host.count : count * (host.index + 1) // host.count]


def split(pictures: Iterable[P]) -> Split[P]:
    """The pictures by what they are for."""
    pictures = list(pictures)
    return Split(
        training=[picture for picture in pictures if picture.is_training],
        validation=[picture for picture in pictures if not picture.is_training],
    )


def pack_share(
    pictures: Sequence[P],
    request: Callable[[P], Request],
    write: Callable[[P, Encoded], None],
    packing: Packing,
) -> Packed[P]:
    """Decode and encode this instance's share of the pictures.

    Args:
        pictures: all pictures, the same ones on every instance.
        request: what becomes of a picture.
        write: takes the pictures of the share that can be used, in their order.
        packing: how.

    Raises:
        JobError: too many pictures have to be left out.
    """
    mine = _share(pictures, packing.host)
    looked_at = [picture for picture in pictures if packing.host.is_first or picture.index in mine]
    # Where no further picture may be left out, whichever instance meets one ends the job for all.
    for_others = Work.CHECK if packing.unreadable.has_room else Work.DIGEST
    requests = [
        request(picture) if picture.index in mine else replace(request(picture), work=for_others)
        for picture in looked_at
    ]
    known: list[P] = []
    sources = hashlib.sha256()
    with contextlib.closing(encode_pictures(requests, packing.encoding, workers=packing.workers)) as results:
        progress = with_progress(results, phase="pack", total=len(requests))
        for picture, encoded in zip(looked_at, progress, strict=True):
            sources.update(f"{encoded.source_sha256} {picture.path}\n".encode())
            if encoded.fault:
                packing.unreadable.add(picture.path, encoded.fault)
                continue
            if picture.index in mine:
                write(picture, encoded)
            known.append(picture)
    here = split(picture for picture in known if picture.index in mine)
    return Packed(here=here, known=split(known), sources_sha256=sources.hexdigest())


def _share(pictures: Sequence[P], host: Host) -> set[int]:
    """The indices of a host's share: as many for training and as many held out as of any other's."""
    every = split(pictures)
    return {picture.index for part in (every.training, every.validation) for picture in share_of(part, host)}
