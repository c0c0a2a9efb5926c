"""One function over many items in several processes, in order and in bounded memory."""

import multiprocessing
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from itertools import islice
from typing import TypeVar

import cv2

from processing_scripts.contract import JobError

CHUNK = 8
# Chunks waiting per process: enough to keep it busy, few enough to hold the results in memory.
CHUNKS_AHEAD = 3

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_in_order(
    function: Callable[[Item], Result], items: Iterable[Item], *, workers: int
) -> Generator[Result, None, None]:
    """The function's results, in the order of the items; with one worker no process is started.

    Raises:
        JobError: the system ended a worker process.
        Exception: what the function raises, at the item's place.
    """
    if workers == 1:
        yield from map(function, items)
        return
    do_chunk = partial(_do_chunk, function)
    # Forked before the executor starts its thread: a new interpreter would import pandas for nothing.
    context = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(workers, context, cv2.setNumThreads, (1,)) as pool:
        waiting: deque[Future[list[Result]]] = deque()
        try:
            for chunk in _chunks(items):
                waiting.append(pool.submit(do_chunk, chunk))
                if len(waiting) > workers * CHUNKS_AHEAD:
                    yield from waiting.popleft().result()
            while waiting:
                yield from waiting.popleft().result()
        except BrokenProcessPool:
            raise JobError(
                "the system ended a worker process, probably because memory ran out; "
                f"use fewer than {workers} --workers or a larger instance"
            ) from None
        finally:
            pool.shutdown(cancel_futures=True)


def _chunks(items: Iterable[Item]) -> Iterator[list[Item]]:
    rest = iter(items)
    while chunk := list(islice(rest, CHUNK)):
        yield chunk


def _do_chunk(function: Callable[[Item], Result], chunk: list[Item]) -> list[Result]:
    return [function(item) for item in chunk]
