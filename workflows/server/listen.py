"""Runs an ASGI application: until the process is told to stop, or beside other work."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import uvicorn
from starlette.types import ASGIApp

from workflows.definition.errors import WorkflowError

# The date in answers is looked at so often.
_TICK_S = 1.0


@dataclass(frozen=True)
class Address:
    """An address that connections are accepted at; they wait until it is served."""

    listener: socket.socket
    url: str


@contextmanager
def listening(host: str = "127.0.0.1", port: int = 0) -> Iterator[Address]:
    """Accept connections while the block runs.

    Args:
        host: address to listen on.
        port: 0 takes a free one.

    Raises:
        WorkflowError: the address cannot be had.
    """
    try:
        listener = _listener(host, port)
    except OSError as error:
        raise WorkflowError(
            f"cannot listen on {host}:{port}: {error.strerror}; choose another --port"
        ) from None
    shown = f"[{host}]" if ":" in host else host
    with listener:
        yield Address(listener, f"http://{shown}:{listener.getsockname()[1]}")


def serve(app: ASGIApp, address: Address) -> None:
    """Serve until SIGINT or SIGTERM."""
    config = uvicorn.Config(app, log_level="warning", lifespan="off", ws="none", timeout_graceful_shutdown=5)
    uvicorn.Server(config).run(sockets=[address.listener])


@contextmanager
def serving(app: ASGIApp, address: Address) -> Iterator[None]:
    """Serve in a thread while the block runs."""
    server = _Beside(uvicorn.Config(app, log_level="warning", lifespan="off", ws="none"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [address.listener]}, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.end()
        thread.join()


@contextmanager
def beside(app: ASGIApp) -> Iterator[str]:
    """Serve on a free loopback port in a thread while the block runs; yields the URL."""
    with listening() as address, serving(app, address):
        yield address.url


class _Beside(uvicorn.Server):
    """Ends at once: whoever ends it waits for no answer any more, and a command should not wait for it."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._woken = asyncio.Event()

    async def main_loop(self) -> None:
        self._loop = asyncio.get_running_loop()
        while not await self.on_tick(0):
            with suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), _TICK_S)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:  # noqa: ARG002 - closed by their owner
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()

    def end(self) -> None:
        self.should_exit = True
        if self._loop is not None:
            with suppress(RuntimeError):  # it has ended by itself
                self._loop.call_soon_threadsafe(self._woken.set)


def _listener(host: str, port: int) -> socket.socket:
    listener = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    # Connections inherit it. asyncio would set it on sockets that name their protocol, which those of
    # create_server do not; without it every other answer waits 40 ms for an acknowledgement of its headers.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener
