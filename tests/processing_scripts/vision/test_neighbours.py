"""The search for near hashes, against comparing each with each."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from processing_scripts.vision import neighbours
from processing_scripts.vision.neighbours import near_pairs

HASHES = st.integers(0, 2**64 - 1)
# Hashes that are near some others: a few bits of a common one turned.
TURNED = st.tuples(st.sampled_from([0, 0x0123456789ABCDEF]), st.sets(st.integers(0, 63), max_size=10)).map(
    lambda made: made[0] ^ sum(1 << bit for bit in made[1])
)
SIDE = st.lists(st.one_of(TURNED, HASHES), max_size=12)


def by_comparing(left, right, max_distance):
    distances = {
        (i, j): (mine ^ other).bit_count() for i, mine in enumerate(left) for j, other in enumerate(right)
    }
    return sorted((i, j, distance) for (i, j), distance in distances.items() if distance <= max_distance)


def by_searching(left, right, max_distance):
    sides = [np.array(side, np.uint64) for side in (left, right)]
    found = near_pairs(*sides, max_distance=max_distance)
    return sorted(tuple(map(int, pair)) for near in found for pair in zip(*near, strict=True))


@given(left=SIDE, right=SIDE, max_distance=st.integers(0, 11))
def test_every_near_pair_is_found_once_and_no_other(left, right, max_distance):
    assert by_searching(left, right, max_distance) == by_comparing(left, right, max_distance)


def test_pairs_are_found_in_portions_where_they_are_too_many_at_once(monkeypatch):
    monkeypatch.setattr(neighbours, "_AT_ONCE", 7)
    left, right = [5, 5, 6, 7, 2**40], [5, 4, 5, 5, 5, 2**40]
    assert by_searching(left, right, 2) == by_comparing(left, right, 2)


@pytest.mark.parametrize("distance", [8, 9])
def test_the_limit_itself_is_near(distance):
    spread = sum(1 << 7 * bit for bit in range(distance))
    assert len(by_searching([spread], [0], 8)) == (distance <= 8)
