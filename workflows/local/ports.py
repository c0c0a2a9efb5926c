"""Free ports of this machine, none of which two containers of this process are given at once.

Between the choice of a port and the container that listens there, the kernel may give the same port again:
/ping of one container would then be answered by another one.
"""

import socket
import threading

_TAKEN: set[int] = set()
_LOCK = threading.Lock()


def reserve() -> int:
    """A port at which nobody listens; nobody else in this process gets it until it is released."""
    with _LOCK:
        while True:
            port = _free_port()
            if port not in _TAKEN:
                _TAKEN.add(port)
                return port


def release(port: int) -> None:
    """The port is not needed any more."""
    with _LOCK:
        _TAKEN.discard(port)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
