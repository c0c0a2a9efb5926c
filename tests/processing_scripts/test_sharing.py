from hypothesis import given
from hypothesis import strategies as st

from processing_scripts.contract import Host
from processing_scripts.sharing import share_of
from processing_scripts.vision.parts import part_name


@given(st.integers(0, 300), st.integers(1, 100))
def test_shares_are_successive_equal_and_complete(pictures, hosts):
    shares = [share_of(range(pictures), Host(index=index, count=hosts)) for index in range(hosts)]
    assert [item for share in shares for item in share] == list(range(pictures))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


@given(st.integers(1, 200))
def test_the_names_of_parts_sort_as_their_numbers(count):
    names = [part_name("train", number, count) for number in range(1, count + 1)]
    assert sorted(set(names)) == names
    assert (names == ["train"]) == (count == 1)
