"""Pairs of near hashes, in less time than comparing each with each.

Multi-index hashing: 64 bits are four bands of 16. Where two hashes differ in few bits, they differ in very
few bits of at least one band (pigeonhole principle), and all keys that near a band's can be looked up.

Source: Norouzi, Punjani, Fleet, "Fast Exact Search in Hamming Space with Multi-Index Hashing", 2014.
"""

from collections.abc import Iterator
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_BANDS, _BAND_BITS = 4, 16
_KEYS = 1 << _BAND_BITS
_BIT_COUNTS = np.array([number.bit_count() for number in range(_KEYS)], np.uint8)
# Pairs that are looked at together: 16 MB for their numbers.
_AT_ONCE = 1 << 20

Hashes = NDArray[np.uint64]
Positions = NDArray[np.int64]


class Near(NamedTuple):
    """Some pairs, in no order."""

    left: Positions
    right: Positions
    distances: NDArray[np.uint8]  # bits


def near_pairs(left: Hashes, right: Hashes, *, max_distance: int) -> Iterator[Near]:
    """All pairs of hashes that differ in at most so many bits, each once.

    Args:
        left, right: [N] and [M]; best without repetitions.
        max_distance: 0 to 15 bits. The time grows with it steeply: at 8, 188 keys are looked up for every
            left hash, at 11, 548.
    """
    radii = _radii(max_distance)
    keys_of_left, keys_of_right = _bands(left), _bands(right)
    for band, radius in enumerate(radii):
        order = np.argsort(keys_of_right[band], kind="stable")
        # Where the right hashes with each key begin in that order, and behind the last where they end.
        starts = np.searchsorted(keys_of_right[band][order], np.arange(_KEYS + 1))
        for flips in _flips(radius):
            keys = keys_of_left[band] ^ flips
            for lefts, rights in _same_key(starts[keys], starts[keys + 1]):
                pairs = lefts, order[rights]
                different = _band_distances(keys_of_left, keys_of_right, pairs)
                distances = different.sum(axis=0, dtype=np.uint8)
                is_near = distances <= max_distance
                for earlier in range(band):  # there the pair was found before
                    is_near &= different[earlier] > radii[earlier]
                if is_near.any():
                    yield Near(pairs[0][is_near], pairs[1][is_near], distances[is_near])


def _radii(max_distance: int) -> list[int]:
    """How many bits of each band may differ: one more in every band is one more than the distance."""
    least, rest = divmod(max_distance + 1, _BANDS)
    return [least - 1 + (band < rest) for band in range(_BANDS)]


def _flips(radius: int) -> list[int]:
    """What turns a key into each of those that differ from it in at most so many bits; -1: into none."""
    return [
        sum(1 << bit for bit in bits)
        for count in range(radius + 1)
        for bits in combinations(range(_BAND_BITS), count)
    ]


def _bands(hashes: Hashes) -> NDArray[np.int64]:
    """[4, N], the keys of every band."""
    shifts = np.arange(_BANDS, dtype=np.uint64)[:, None] * np.uint64(_BAND_BITS)
    return np.asarray((hashes[None] >> shifts) & np.uint64(_KEYS - 1), np.int64)


def _band_distances(
    left: NDArray[np.int64], right: NDArray[np.int64], pairs: tuple[Positions, Positions]
) -> NDArray[np.uint8]:
    """[4, pairs], in how many bits of each band they differ."""
    return np.asarray(_BIT_COUNTS[left[:, pairs[0]] ^ right[:, pairs[1]]])


def _same_key(starts: Positions, ends: Positions) -> Iterator[tuple[Positions, Positions]]:
    """Every left hash with each place from its start to its end, about as many as fit together."""
    lengths = ends - starts
    for some in in_portions(lengths, _AT_ONCE):
        places = within(lengths[some]) + np.repeat(starts[some], lengths[some])
        yield np.repeat(some, lengths[some]), places


def in_portions(lengths: Positions, at_once: int) -> Iterator[Positions]:
    """The positions of all lengths that are not 0, as many at once as add up to about `at_once`."""
    found = np.flatnonzero(lengths)
    filled = np.cumsum(lengths[found])
    ends = np.arange(at_once, filled[-1] if len(filled) else 0, at_once)
    for some in np.split(found, np.unique(np.searchsorted(filled, ends))):
        if len(some):
            yield some


def within(lengths: Positions) -> Positions:
    """[2, 3] -> [0, 1, 0, 1, 2]."""
    return np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
