"""Runs an ASGI application: until the process is told to stop, or beside other work."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

from workflows.definition.errors import WorkflowError


def listen(app: ASGIApp, *, host: str, port: int, ready: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM.

    Args:
        app: what to serve.
        host: address to listen on.
        port: 0 takes a free one.
        ready: is called with the URL once connections are accepted.

    Raises:
        WorkflowError: the address cannot be had.
    """
    try:
        listener = _listener(host, port)
    except OSError as error:
        raise WorkflowError(
            f"cannot listen on {host}:{port}: {error.strerror}; choose another --port"
        ) from None
    with listener:
        bound = listener.getsockname()[1]
        shown = f"[{host}]" if ":" in host else host
        ready(f"http://{shown}:{bound}")
        config = uvicorn.Config(app, log_level="warning", lifespan="off", timeout_graceful_shutdown=5)
        uvicorn.Server(config).run(sockets=[listener])


@contextmanager
def beside(app: ASGIApp) -> Iterator[str]:
    """Serve on a free loopback port in a thread while the block runs; yields the URL."""
    with _listener("127.0.0.1", 0) as listener:
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


def _listener(host: str, port: int) -> socket.socket:
    listener = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    # Connections inherit it. asyncio would set it on sockets that name their protocol, which those of
    # create_server do not; without it every other answer waits 40 ms for an acknowledgement of its headers.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener
