"""Files as answers, sent without ever holding one."""

import os
from collections.abc import AsyncIterator, Mapping

from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from workflows.server.s3.ranges import ByteRange

_BLOCK = 2**20


class FileAnswer(StreamingResponse):
    """A part of an open file, which is closed afterwards."""

    def __init__(self, descriptor: int, part: ByteRange, *, status: int, headers: Mapping[str, str]) -> None:
        """Takes the file over; it must be called, as every response is."""
        self._descriptor = descriptor
        super().__init__(_blocks(descriptor, part), status, headers=headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            os.close(self._descriptor)


async def _blocks(descriptor: int, part: ByteRange) -> AsyncIterator[bytes]:
    end = part.start + part.size
    for start in range(part.start, end, _BLOCK):
        # Waits for the thread even when it is cancelled: nobody reads from a file that is closed.
        yield await run_in_threadpool(os.pread, descriptor, min(_BLOCK, end - start), start)
