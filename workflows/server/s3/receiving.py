"""Bodies of requests, received without ever holding one."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Sequence
from types import TracebackType
from typing import Self

import anyio
import anyio.to_thread
from anyio.lowlevel import RunVar
from starlette.requests import ClientDisconnect, Request

from workflows.server.errors import AwsError
from workflows.server.s3.chunked import ChunkDecoder
from workflows.server.s3.errors import s3_error
from workflows.server.s3.promises import Promises
from workflows.server.s3.sinks import Received, Sums

# Large enough that handing it to a thread costs little beside its checksums.
_BATCH = 2**20
# Of each event loop.
_workers: RunVar[anyio.CapacityLimiter] = RunVar("workers")


async def receive(request: Request, promises: Promises, write: Callable[[Sequence[bytes]], None]) -> Received:
    """Write a body somewhere, in a thread, and verify it.

    Raises:
        AwsError: it is not what was promised, or ends too early.
        OSError: it cannot be written.
    """
    sums, decoder = Sums(promises), ChunkDecoder()

    def take(pieces: Sequence[bytes]) -> None:
        sums.update(pieces)
        write(pieces)

    async with _Batches(take) as batches:
        left = promises.size
        async for piece in _pieces(request):
            for data in decoder.feed(piece) if promises.is_chunked else [piece]:
                left -= len(data)
                if left < 0:
                    raise s3_error("IncompleteBody", "The body is longer than its headers say")
                await batches.add(data)
    if promises.is_chunked:
        decoder.finish()
    return sums.finish(decoder.trailers)


async def receive_small(request: Request, promises: Promises, *, limit: int) -> bytes:
    """A body in memory.

    Raises:
        AwsError: it is over the limit, or not what was promised.
    """
    if promises.size > limit:
        raise s3_error("EntityTooLarge", f"The body is larger than {limit} bytes.")
    body: list[bytes] = []
    await receive(request, promises, body.extend)
    return b"".join(body)


async def _pieces(request: Request) -> AsyncIterator[bytes]:
    try:
        async for piece in request.stream():
            if piece:
                yield piece
    except ClientDisconnect:
        raise _gone() from None


def _gone() -> AwsError:
    return s3_error("RequestTimeout", "The connection was closed before the body had arrived")


class _Batches:
    """Collects data, and hands it on in a thread while more arrives; one batch at a time, in order."""

    def __init__(self, take: Callable[[Sequence[bytes]], None]) -> None:
        self._take = take
        self._pieces: list[bytes] = []
        self._size = 0
        self._running: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            await self._hand_on()
        if self._running is not None:
            await asyncio.wait([self._running])
            failure = self._running.exception()
            if kind is None and failure is not None:
                raise failure

    async def add(self, data: bytes) -> None:
        self._pieces.append(data)
        self._size += len(data)
        if self._size >= _BATCH:
            await self._hand_on()

    async def _hand_on(self) -> None:
        if self._running is not None:
            await asyncio.shield(self._running)
        pieces, self._pieces, self._size = self._pieces, [], 0
        work = anyio.to_thread.run_sync(self._take, pieces, limiter=_limiter())
        self._running = asyncio.ensure_future(work)


def _limiter() -> anyio.CapacityLimiter:
    """Lets as many threads work on bodies as there are processors: more would only be in each other's way."""
    try:
        return _workers.get()
    except LookupError:
        limiter = anyio.CapacityLimiter(os.cpu_count() or 1)
        _workers.set(limiter)
        return limiter
