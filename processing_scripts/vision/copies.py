"""Copies of pictures: the same picture again, scaled, encoded or exposed otherwise, or mirrored."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from processing_scripts.vision.fingerprints import MAX_DISTANCE, MIN_CORRELATION, Fingerprints, correlations
from processing_scripts.vision.neighbours import Near, Positions, in_portions, near_pairs, within

# Of pictures with one and the same hash so many are looked at: thousands may have it, as from a camera that
# does not move, and one copy is enough.
_MOST_OF_ONE_HASH = 16
# Pairs whose cells are compared together: 32 MB.
_AT_ONCE = 1 << 14


class Copy(NamedTuple):
    """A picture, and the nearest that it is a copy of."""

    position: int  # among the pictures
    original: int  # among the originals
    distance: int  # bits in which their hashes differ
    correlation: float  # of their cells, MIN_CORRELATION to 1


class _Groups(NamedTuple):
    """Pictures by their hash, plain ones left out."""

    hashes: NDArray[np.uint64]  # different ones
    members: Positions  # those of the first hash, then those of the second ...
    starts: Positions  # where a hash's begin
    counts: Positions  # how many each has


def find_copies(pictures: Fingerprints, originals: Fingerprints, *, mirrored: bool = False) -> list[Copy]:
    """Which pictures are copies of an original, or, if asked for that, of its mirror image.

    Of each picture the nearest original, by distance, then by correlation, then by position; in the order of
    the pictures. Plain pictures are no copies of anything.
    """
    ours = _grouped(pictures.mirrored if mirrored else pictures.hashes, pictures.are_plain())
    theirs = _grouped(originals.hashes, originals.are_plain())
    cells = pictures.cells[:, :, ::-1] if mirrored else pictures.cells
    nearest: dict[int, Copy] = {}
    for near in near_pairs(ours.hashes, theirs.hashes, max_distance=MAX_DISTANCE):
        for mine, others, distances in _pairs(ours, theirs, near):
            alike = correlations(cells[mine], originals.cells[others])
            for index in np.flatnonzero(alike >= MIN_CORRELATION):
                found = Copy(int(mine[index]), int(others[index]), int(distances[index]), float(alike[index]))
                nearest[found.position] = min(nearest.get(found.position, found), found, key=_rank)
    return [nearest[position] for position in sorted(nearest)]


def _pairs(ours: _Groups, theirs: _Groups, near: Near) -> Iterator[Near]:
    """The pictures behind pairs of hashes."""
    others = np.minimum(theirs.counts[near.right], _MOST_OF_ONE_HASH)
    lengths = ours.counts[near.left] * others
    for some in in_portions(lengths, _AT_ONCE):
        left, right = np.divmod(within(lengths[some]), np.repeat(others[some], lengths[some]))
        left += np.repeat(ours.starts[near.left[some]], lengths[some])
        right += np.repeat(theirs.starts[near.right[some]], lengths[some])
        distances = np.repeat(near.distances[some], lengths[some])
        for start in range(0, len(left), _AT_ONCE):  # pictures with one hash may be many
            part = slice(start, start + _AT_ONCE)
            yield Near(ours.members[left[part]], theirs.members[right[part]], distances[part])


def _rank(copy: Copy) -> tuple[int, float, int]:
    return copy.distance, -copy.correlation, copy.original


def _grouped(hashes: NDArray[np.uint64], left_out: NDArray[np.bool_]) -> _Groups:
    places = np.flatnonzero(~left_out)
    order = places[np.argsort(hashes[places], kind="stable")]
    different, starts, counts = np.unique(hashes[order], return_index=True, return_counts=True)
    return _Groups(hashes=different, members=order, starts=starts, counts=counts)
