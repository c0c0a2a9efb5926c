"""Connections to a container, against servers that keep, drop and misuse them."""

import contextlib
import http.client
import socket
import threading
import time

import pytest

from workflows.local import ports
from workflows.local.connections import Connections

KEPT = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: text/plain\r\nX-Seen: yes\r\n\r\nhi"


HEAD_OF_40 = b"HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n"


class Server:
    """Accepts connections, and answers each request on one by the next of its answers."""

    def __init__(self, *answers):
        self.answers, self.connections = list(answers), 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        while self.answers:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            with connection, contextlib.suppress(OSError):  # a client that is tired of waiting goes
                while self.answers and self.take_request(connection):
                    if not self.answer(connection, self.answers.pop(0)):
                        break

    def take_request(self, connection):
        received = b""
        while not received.endswith(b"\r\n\r\nx"):
            part = connection.recv(65536)
            if not part:
                return False
            received += part
        return True

    def answer(self, connection, parts):
        """Send bytes, wait for seconds, or close where it says None; says whether the connection stays."""
        for part in parts:
            if part is None:
                return False
            if isinstance(part, bytes):
                connection.sendall(part)
            else:
                time.sleep(part)
        return True

    def close(self):
        self.listener.close()
        self.thread.join(5)


@pytest.fixture
def serve():
    servers = []

    def start(*answers):
        servers.append(Server(*answers))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def ask(connections, *, timeout_s=5):
    return connections.request("POST", "/invocations", b"x", {}, timeout_s=timeout_s)


def test_a_connection_is_used_again(serve):
    server = serve([KEPT], [KEPT], [KEPT])
    connections = Connections("127.0.0.1", server.port)
    answers = [ask(connections) for _ in range(3)]
    assert {answer.body for answer in answers} == {b"hi"}
    assert (answers[0].status, answers[0].content_type, answers[0].headers["x-seen"]) == (
        200,
        "text/plain",
        "yes",
    )
    assert server.connections == 1
    connections.close()


def test_a_connection_that_the_server_closed_meanwhile_is_not_used_again(serve):
    server = serve([KEPT, None], [KEPT])
    connections = Connections("127.0.0.1", server.port)
    assert ask(connections).body == b"hi"
    time.sleep(0.05)
    assert ask(connections).body == b"hi"
    assert server.connections == 2
    connections.close()


def test_a_server_that_keeps_no_connections_is_asked_over_new_ones(serve):
    once = b"HTTP/1.0 200 OK\r\n\r\nuntil the end"
    server = serve([once, None], [once, None])
    connections = Connections("127.0.0.1", server.port)
    assert [ask(connections).body, ask(connections).body] == [b"until the end"] * 2
    assert server.connections == 2


def test_a_chunked_answer_is_read_whole(serve):
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    server = serve([head, b"3\r\nabc\r\n", 0.02, b"2\r\nde\r\n0\r\n\r\n"], [KEPT])
    connections = Connections("127.0.0.1", server.port)
    assert [ask(connections).body, ask(connections).body] == [b"abcde", b"hi"]
    assert server.connections == 1
    connections.close()


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param([0.6, KEPT], id="before-the-first-byte"),
        pytest.param(
            [b"HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n", *([b"x", 0.1] * 10)], id="drop-by-drop"
        ),
    ],
)
def test_the_time_limit_is_for_the_whole_answer(serve, answer):
    connections = Connections("127.0.0.1", serve(answer).port)
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        ask(connections, timeout_s=0.3)
    assert time.monotonic() - began < 2


def test_an_answer_that_breaks_off_is_no_answer(serve):
    connections = Connections("127.0.0.1", serve([HEAD_OF_40, b"half", None]).port)
    with pytest.raises(http.client.IncompleteRead):
        ask(connections)


def test_ports_are_given_once_until_they_are_released():
    given = [ports.reserve() for _ in range(50)]
    assert len(set(given)) == 50
    for port in given:
        ports.release(port)
