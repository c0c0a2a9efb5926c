import os
from itertools import count, islice

import pytest

from processing_scripts import parallel
from processing_scripts.contract import JobError
from processing_scripts.parallel import begin_and_map_in_order, map_in_order


def as_bytes(number):
    """As many bytes as the number says, and the process that has made them."""
    return bytes([number % 256]) * number, os.getpid()


@pytest.mark.parametrize("workers", [1, 2, 3])
@pytest.mark.parametrize("items", [0, 1, 16, 17, 200])
def test_results_come_in_order_from_as_many_processes(workers, items):
    results = list(map_in_order(as_bytes, range(items), workers=workers))
    assert [data for data, _ in results] == [bytes([number % 256]) * number for number in range(items)]
    makers = {process for _, process in results}
    assert len(makers) <= workers
    assert (os.getpid() in makers) == (workers == 1 and items > 0)


def test_results_without_room_in_the_shared_memory_come_as_well(monkeypatch):
    monkeypatch.setattr(parallel, "_SLOT_BYTES", 4096)
    results = list(map_in_order(as_bytes, range(0, 3000, 10), workers=2))
    assert [len(data) for data, _ in results] == list(range(0, 3000, 10))


@pytest.mark.parametrize("workers", [1, 2])
def test_a_chunk_is_begun_before_its_first_item_is_worked_on(workers):
    begun = []

    def begin(item):
        begun.append(item)
        return item, begun

    def work(pair):
        item, together = pair
        return item, len(together)

    results = list(begin_and_map_in_order(begin, work, range(40), workers=workers))
    assert [item for item, _ in results] == list(range(40))
    # Sixteen at a time, of which a process may have had others before.
    assert all(seen % 16 in (0, 8) and seen >= min(16, 40 - item // 16 * 16) for item, seen in results)


@pytest.mark.parametrize("workers", [1, 2])
def test_items_are_taken_as_results_are(workers):
    taken = []

    def items():
        for number in count():
            taken.append(number)
            yield number

    results = map_in_order(as_bytes, items(), workers=workers)
    assert [len(data) for data, _ in islice(results, 100)] == list(range(100))
    results.close()
    assert len(taken) <= 100 + 16 * 8


@pytest.mark.parametrize("workers", [1, 2])
def test_what_the_function_raises_comes_at_its_place(workers):
    def work(number):
        if number == 21:
            raise JobError("twenty-one")
        return number

    results = map_in_order(work, range(50), workers=workers)
    with pytest.raises(JobError, match="twenty-one"):
        list(results)
