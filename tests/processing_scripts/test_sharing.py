from hypothesis import given
from hypothesis import strategies as st

from processing_scripts.contract import Host
from processing_scripts.sharing import is_of
from processing_scripts.vision.parts import part_name


@given(st.text(min_size=1), st.integers(1, 100))
def test_every_picture_belongs_to_one_instance(path, hosts):
    owners = [index for index in range(hosts) if is_of(Host(index=index, count=hosts), path)]
    assert len(owners) == 1


def test_shares_are_about_equal_and_stay_what_they_are():
    owners = [
        next(index for index in range(4) if is_of(Host(index=index, count=4), f"{number:05}.jpg"))
        for number in range(4_000)
    ]
    # Binomial: 1000 with a standard deviation of 27.
    assert all(abs(owners.count(index) - 1_000) < 110 for index in range(4))
    # Another hash would let two versions of the job, side by side, leave pictures out.
    assert owners[:8] == [1, 1, 2, 1, 3, 1, 3, 0]


@given(st.integers(1, 200))
def test_the_names_of_parts_sort_as_their_numbers(count):
    names = [part_name("train", number, count) for number in range(1, count + 1)]
    assert sorted(set(names)) == names
    assert (names == ["train"]) == (count == 1)
