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
from typing import TypeVar

import cv2

CHUNK = 8
# Chunks waiting per worker: enough to keep it busy, few enough to hold the results in memory.
CHUNKS_AHEAD = 3

# From malloc.h; a picture of ten million pixels is a block of 30 MB.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_KEPT_BLOCK_BYTES, _KEPT_BYTES = 32 << 20, 256 << 20

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_in_order(
    function: Callable[[Item], Result], items: Iterable[Item], *, workers: int
) -> Generator[Result, None, None]:
    """The function's results, in the order of the items; with one worker no thread is started.

    The function should spend its time in libraries that release the interpreter, and share nothing.

    Raises:
        Exception: what the function raises, at the item's place.
    """
    cv2.setNumThreads(1)  # the workers are all there shall be
    _keep_freed_memory()
    if workers == 1:
        yield from map(function, items)
        return
    do_chunk = partial(_do_chunk, function)
    with ThreadPoolExecutor(workers) as pool:
        waiting: deque[Future[list[Result]]] = deque()
        try:
            for chunk in _chunks(items):
                waiting.append(pool.submit(do_chunk, chunk))
                if len(waiting) > workers * CHUNKS_AHEAD:
                    yield from waiting.popleft().result()
            while waiting:
                yield from waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)


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


def _do_chunk(function: Callable[[Item], Result], chunk: list[Item]) -> list[Result]:
    return [function(item) for item in chunk]
