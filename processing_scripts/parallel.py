"""One function over many items on several cores, in order and in bounded memory.

Threads, not processes: OpenCV lets go of the interpreter while it decodes, scales and encodes, and what a
thread has made need not be copied to another process. On two cores that is worth 8 to 10 %.
"""

import contextlib
import ctypes
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from itertools import islice
from queue import SimpleQueue
from typing import TypeVar

import cv2

CHUNK = 8
# Threads for each core: one works, the others load what comes next.
THREADS_PER_WORKER = 3
# Chunks waiting per worker: enough to keep it busy, few enough to hold the results in memory.
CHUNKS_AHEAD = 4

# From malloc.h; a picture of ten million pixels is a block of 30 MB.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_KEPT_BLOCK_BYTES, _KEPT_BYTES = 32 << 20, 256 << 20

Item = TypeVar("Item")
Loaded = TypeVar("Loaded")
Result = TypeVar("Result")


def map_in_order(
    work: Callable[[Item], Result], items: Iterable[Item], *, workers: int
) -> Generator[Result, None, None]:
    """The results of `work`, in the order of the items; with one worker no thread is started.

    It should spend its time in libraries that release the interpreter, and share nothing.

    Raises:
        Exception: what the function raises, at the item's place.
    """
    _prepare()
    if workers == 1:
        yield from map(work, items)
    else:
        yield from _in_threads(work, items, threads=workers, ahead=workers * CHUNKS_AHEAD)


def load_and_map_in_order(
    load: Callable[[Item], Loaded], work: Callable[[Loaded], Result], items: Iterable[Item], *, workers: int
) -> Generator[Result, None, None]:
    """The results of `work(load(item))`, in the order of the items.

    While at most `workers` items are worked on, others are loaded, so that no core waits for a disk.

    Raises:
        Exception: what a function raises, at the item's place.
    """
    _prepare()
    cores: SimpleQueue[None] = SimpleQueue()
    for _ in range(workers):
        cores.put(None)
    both = partial(_load_and_work, load, work, cores)
    return _in_threads(both, items, threads=workers * THREADS_PER_WORKER, ahead=workers * CHUNKS_AHEAD)


def _load_and_work(
    load: Callable[[Item], Loaded], work: Callable[[Loaded], Result], cores: "SimpleQueue[None]", item: Item
) -> Result:
    loaded = load(item)
    cores.get()
    try:
        return work(loaded)
    finally:
        cores.put(None)


def _in_threads(
    work: Callable[[Item], Result], items: Iterable[Item], *, threads: int, ahead: int
) -> Generator[Result, None, None]:
    with ThreadPoolExecutor(threads) as pool:
        waiting: deque[Future[list[Result]]] = deque()
        try:
            for chunk in _chunks(items):
                waiting.append(pool.submit(_do_chunk, work, chunk))
                if len(waiting) > ahead:
                    yield from waiting.popleft().result()
            while waiting:
                yield from waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)


def _prepare() -> None:
    cv2.setNumThreads(1)  # the workers are all there shall be
    _keep_freed_memory()


def _keep_freed_memory() -> None:
    """Have the C library keep the memory of one picture for the next, instead of returning it to the kernel.

    Without that every decoded picture comes in fresh pages, which the kernel has to fill with zeros: a tenth
    of the time of packing. Other C libraries than glibc do not know the settings.
    """
    with contextlib.suppress(AttributeError):
        library = ctypes.CDLL(None)
        library.mallopt(_M_MMAP_THRESHOLD, _KEPT_BLOCK_BYTES)
        library.mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)


def _chunks(items: Iterable[Item]) -> Iterator[list[Item]]:
    rest = iter(items)
    while chunk := list(islice(rest, CHUNK)):
        yield chunk


def _do_chunk(work: Callable[[Item], Result], chunk: list[Item]) -> list[Result]:
    return [work(item) for item in chunk]
