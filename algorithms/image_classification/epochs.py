"""Epoch after epoch from MXNet's record iterators, the next one opened while the present one runs."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Self

DataIter = Any  # mxnet.io.DataIter and its batches; MXNet has no type information
DataBatch = Any


class Epochs:
    """A new iterator for every epoch, and the thread that opens the next one in time.

    New ones, because after reset() MXNet's iterators leave out the pictures that filled up the last batch,
    and because a resumed training could not know how far the shuffling of an old one had come. In time,
    because MXNet decodes megabytes before it hands out the first batch.

    Use it as a context manager: leaving it ends the thread.

    Args:
        open_epoch: opens the epoch of a number, counted from 0.
        epochs: how many there are; none is opened beyond them.
        batches: about how many batches an epoch has.
    """

    def __init__(self, open_epoch: Callable[[int], DataIter], *, epochs: int, batches: int) -> None:
        self._open_epoch, self._epochs, self._halfway = open_epoch, epochs, batches // 2
        self._opener = ThreadPoolExecutor(max_workers=1, thread_name_prefix="next-epoch")
        self._opening: dict[int, Future[DataIter]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._opener.shutdown(cancel_futures=True)

    def epoch(self, number: int) -> Iterator[DataBatch]:
        """The batches of one epoch."""
        self._open(number)
        for index, batch in enumerate(self._opening.pop(number).result()):
            if index == self._halfway and number + 1 < self._epochs:
                self._open(number + 1)
            yield batch

    def _open(self, number: int) -> None:
        if number not in self._opening:
            self._opening[number] = self._opener.submit(self._open_epoch, number)
