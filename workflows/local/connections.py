"""HTTP to a container, over connections that are used again; safe to use from several threads."""

import http.client
import select
import socket
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

# Servers close idle connections by themselves, many after two seconds: a request must not meet that moment.
_KEPT_S = 1.0
_CHUNK_BYTES = 256 * 1024


@dataclass(frozen=True)
class Answer:
    """What a container said to one request."""

    status: int
    content_type: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)  # names in lower case


class Connections:
    """Connections to one server; those that are idle are kept for further requests."""

    def __init__(self, host: str, port: int) -> None:
        """Nothing is connected before the first request."""
        self._host, self._port = host, port
        self._idle: deque[tuple[float, http.client.HTTPConnection]] = deque()

    def request(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str], *, timeout_s: float
    ) -> Answer:
        """One request, with its whole answer.

        Raises:
            TimeoutError: the answer was not there in time.
            OSError, http.client.HTTPException: there is no connection, or it broke.
        """
        deadline = time.monotonic() + timeout_s
        connection = self._take(timeout_s)
        try:
            connection.request(method, path, body=body, headers=dict(headers))
            connected: socket.socket = connection.sock
            response = connection.getresponse()
            content = _read(response, connected, deadline)
        except BaseException:
            connection.close()
            raise
        response.close()
        if not response.will_close:
            self._idle.append((time.monotonic(), connection))
        return Answer(
            response.status,
            response.headers.get("Content-Type", ""),
            content,
            {name.lower(): value for name, value in response.headers.items()},
        )

    def close(self) -> None:
        """Close those that are idle."""
        while self._idle:
            self._idle.pop()[1].close()

    def _take(self, timeout_s: float) -> http.client.HTTPConnection:
        while self._idle:
            try:
                since, connection = self._idle.pop()
            except IndexError:
                break  # another thread was faster
            if time.monotonic() - since < _KEPT_S and not _has_input(connection.sock):
                connection.sock.settimeout(timeout_s)
                return connection
            connection.close()
        return http.client.HTTPConnection(self._host, self._port, timeout=timeout_s)


def _has_input(connected: socket.socket) -> bool:
    """Whether there is something to read where nothing was asked: mostly that the server has closed."""
    poll = select.poll()
    poll.register(connected, select.POLLIN)
    return bool(poll.poll(0))


def _read(response: http.client.HTTPResponse, connected: socket.socket, deadline: float) -> bytes:
    """The whole body; the time limit is for all of it, not for each part."""
    parts = []
    while True:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        connected.settimeout(left)
        part = response.read1(_CHUNK_BYTES)
        if not part:
            break
        parts.append(part)
    if response.length:
        raise http.client.IncompleteRead(b"".join(parts), response.length)
    return b"".join(parts)
