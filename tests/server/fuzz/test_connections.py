"""Bytes that are no HTTP, requests that end early, and bodies that are not what their headers say."""

import socket
import tracemalloc
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.server.fuzz.asking import LIMIT_S, S3_SIGNED, check_json, check_xml, fuzzed
from tests.server.toy_requests import eventually

LIST = b"POST / HTTP/1.1\r\nHost: a\r\nX-Amz-Target: SageMaker.ListPipelines\r\nContent-Length: 2\r\n\r\n{}"
PUT = b"PUT /toys/half HTTP/1.1\r\nHost: a\r\nAuthorization: " + S3_SIGNED.encode() + b"\r\n"
BROKEN = {
    "nothing": b"",
    "zeros": b"\0" * 100,
    "a TLS hello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"a" * 500,
    "a line": b"GET / HTTP/1.1",
    "an old version": b"GET /\r\n\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "a long line": b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\n\r\n",
    "a long header": b"GET / HTTP/1.1\r\nHost: a\r\nX-A: " + b"a" * 200_000 + b"\r\n\r\n",
    "many headers": b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X-A: a\r\n" * 10_000 + b"\r\n",
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "two hosts": b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "two lengths": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    "a length and chunks": LIST.replace(b"Host", b"Transfer-Encoding: chunked\r\nHost"),
    "a negative length": LIST.replace(b"Length: 2", b"Length: -2"),
    "a length of letters": LIST.replace(b"Length: 2", b"Length: two"),
    "a length of 5000 digits": LIST.replace(b"Length: 2", b"Length: " + b"9" * 5000),
    "a body that is too short": LIST.replace(b"Length: 2", b"Length: 20"),
    "an object that is too short": PUT + b"Content-Length: 20\r\n\r\nabc",
    "an object of no length": PUT + b"\r\nabc",
    "an object in broken chunks": PUT + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n",
    "an object in half of its chunks": PUT + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
    "chunks without end": LIST.replace(b"Content-Length: 2", b"Transfer-Encoding: chunked")[:-2]
    + b"ffffffff\r\n{",
    "an unknown encoding": LIST.replace(b"Content-Length: 2", b"Transfer-Encoding: gzip"),
    "a folded header": LIST.replace(b"Host: a", b"Host: a\r\n b"),
    "a blank in a name": LIST.replace(b"Host: a", b"Host : a"),
    "a bare line feed": LIST.replace(b"\r\n", b"\n"),
    "a web socket": b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
    "a tunnel": b"CONNECT control:80 HTTP/1.1\r\nHost: a\r\n\r\n",
    "no method": b" / HTTP/1.1\r\nHost: a\r\n\r\n",
    "an expectation": LIST.replace(b"Host", b"Expect: the worst\r\nHost"),
    "garbage behind a request": LIST + b"\0\xff garbage\r\n\r\n",
    "a request behind a broken one": b"garbage\r\n\r\n" + LIST,
    "a request in the body of another": LIST.replace(b"Length: 2", b"Length: 1") + LIST,
}


@pytest.fixture(scope="module", autouse=True)
def bucket(target):
    assert target.s3("PUT", "/toys").status == 200


@pytest.mark.parametrize("sent", BROKEN.values(), ids=BROKEN.keys())
def test_what_is_no_request_ends_its_connection_only(target, sent):
    received = target.raw(sent)
    assert b"Traceback" not in received
    assert b"HTTP/1.1 5" not in received
    assert target.s3("HEAD", "/toys/half").status == 404


@given(st.lists(st.sampled_from([*sorted(BROKEN.values(), key=len)[:-3], LIST]), min_size=2, max_size=4))
@fuzzed(30)
def test_what_is_sent_in_a_row_ends_its_connection_only(target, sent):
    assert b"HTTP/1.1 5" not in target.raw(b"".join(sent))


@given(sent=st.sampled_from([LIST, PUT + b"Content-Length: 9\r\n\r\nabcdefghi"]), end=st.integers(0, 300))
@fuzzed(40)
def test_a_client_that_goes_away_harms_nobody(target, sent, end):
    target.raw(sent[:end], close_early=True)
    check_json(target.call("SageMaker.ListPipelines", {}))


def test_requests_in_a_row_are_answered_in_a_row(target):
    last = LIST.replace(b"Host", b"Connection: close\r\nHost")
    with closing(socket.create_connection(target.address, timeout=LIMIT_S)) as connection:
        connection.sendall(LIST * 19 + last)
        received = b"".join(iter(lambda: connection.recv(65536), b""))
    assert received.count(b"HTTP/1.1 200") == 20


def test_many_that_only_connect_keep_nobody_out(target):
    connections = [socket.create_connection(target.address, timeout=LIMIT_S) for _ in range(200)]
    for number, connection in enumerate(connections):
        connection.sendall(LIST[: number % len(LIST)])
    check_json(target.call("SageMaker.ListPipelines", {}))
    for connection in connections:
        connection.close()


def pieces(count):
    """A body in chunks of 64 KB."""
    block = b"%x\r\n%s\r\n" % (2**16, b" " * 2**16)
    return block * count + b"0\r\n\r\n"


@pytest.mark.parametrize(
    ("path", "headers", "check"),
    [
        pytest.param("/", {"x-amz-target": "SageMaker.ListPipelines"}, check_json, id="sagemaker"),
        pytest.param("/", {"x-amz-target": "AWSEvents.ListRules"}, check_json, id="events"),
        pytest.param("/schedules/a", {}, check_json, id="scheduler"),
        pytest.param("/endpoints/a/invocations", {}, check_json, id="runtime"),
        pytest.param("/", {"content-type": "application/x-www-form-urlencoded"}, check_xml, id="sts"),
        pytest.param("/toys?delete", {"authorization": S3_SIGNED}, check_xml, id="s3"),
    ],
)
def test_a_body_without_end_is_not_kept(target, path, headers, check):
    """64 MB, of which no service wants more than 25: what was read over that is not in memory."""
    tracemalloc.start()
    try:
        answer = target.ask("POST", path, pieces(1024), {"transfer-encoding": "chunked", **headers})
        _, peak = tracemalloc.get_traced_memory()
    except (BrokenPipeError, ConnectionResetError):
        return  # it was refused while more of it came
    finally:
        tracemalloc.stop()
    check(answer)
    assert 400 <= answer.status < 500
    # The body is made here, too.
    assert peak < 64 * 2**20 * 2 + 64 * 2**20


def test_an_object_that_stops_arriving_leaves_nothing(target):
    with closing(socket.create_connection(target.address, timeout=LIMIT_S)) as connection:
        stopped = PUT.replace(b"half", b"stopped")
        connection.sendall(stopped + b"Content-Length: 5000000\r\n\r\n" + b"a" * 2_000_000)
    folder = target.machine.store.home / "partial"
    assert eventually(lambda: [*folder.glob("*")], []) == []
    assert target.s3("HEAD", "/toys/stopped").status == 404
