"""Requests that no client would send, and what every answer to them must be."""

import http.client
import json
import os
import re
import socket
from contextlib import closing, suppress
from dataclasses import dataclass
from urllib.parse import urlsplit
from xml.etree import ElementTree

from hypothesis import HealthCheck, settings

# `make fuzz` asks more often, and each time otherwise.
SCALE = int(os.environ.get("FUZZ_SCALE", "1"))
LIMIT_S = 60
_PATIENCE_S = 0.2  # before a server that says nothing is told that no more will come
JSON_TYPE = "application/x-amz-json-1.1"
JSON_TYPES = (JSON_TYPE, "application/json")
S3_SIGNED = "AWS4-HMAC-SHA256 Credential=none/20260101/eu-west-1/s3/aws4_request, Signature=0"
# What Python says of itself. A client's own text may come back in a message, so these are whole phrases.
_PYTHONS = re.compile(
    rb"Traceback|\.py\b|<class '|<function |object at 0x|NoneType|site-packages|"
    rb"(Type|Value|Key|Index|Attribute|Recursion|Unicode\w*|Overflow|Assertion|Runtime|Memory|OS)Error"
)


def fuzzed(examples):
    """The settings of a test with so many examples: the same ones each time, unless it is `make fuzz`."""
    return settings(
        max_examples=examples * SCALE,
        derandomize=SCALE == 1,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


@dataclass(frozen=True)
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def document(self):
        return json.loads(self.body)

    @property
    def code(self):
        """The code of an error of a JSON service."""
        return self.headers["x-amzn-errortype"]


class Connection(http.client.HTTPConnection):
    """One that sends paths as they are."""

    def _validate_path(self, url):
        pass

    def _encode_request(self, request):
        return request.encode("latin-1")


class Target:
    """A served machine."""

    def __init__(self, url, machine):
        self.url, self.machine = url, machine
        self._connection = None

    @property
    def address(self):
        parts = urlsplit(self.url)
        return parts.hostname, parts.port

    def ask(self, method, path, body=b"", headers=()):
        """The answer to a request whose path and headers nobody tidies."""
        for connection in (self._connection, None):
            try:
                self._connection = connection or Connection(*self.address, timeout=LIMIT_S)
                return self._ask(method, path, body, dict(headers))
            except (ConnectionError, http.client.BadStatusLine, http.client.CannotSendRequest):
                self.close()
                if connection is None:
                    raise
        raise AssertionError("unreachable")

    def _ask(self, method, path, body, headers):
        connection = self._connection
        connection.putrequest(method, path, skip_accept_encoding=True, skip_host="host" in headers)
        if not {"content-length", "transfer-encoding"} & headers.keys():
            headers["content-length"] = str(len(body))
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders(body)
        answer = connection.getresponse()
        return Answer(answer.status, answer.headers, answer.read())

    def call(self, target, body, **headers):
        """One request of the JSON protocol; `body` are bytes, or what becomes JSON."""
        sent = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.ask("POST", "/", sent, {"x-amz-target": target, "content-type": JSON_TYPE, **headers})

    def s3(self, method, path, body=b"", **headers):
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.ask(method, path, body, {"authorization": S3_SIGNED, **named})

    def raw(self, sent, *, close_early=False):
        """Everything that comes back for these bytes, which need not be HTTP."""
        with closing(socket.create_connection(self.address, timeout=LIMIT_S)) as connection:
            connection.sendall(sent)
            if close_early:
                return b""
            connection.settimeout(_PATIENCE_S)
            received = bytearray()
            with suppress(ConnectionError):  # what was not read when the server closed resets the connection
                while piece := self._next(connection):
                    received += piece
            return bytes(received)

    @staticmethod
    def _next(connection):
        try:
            return connection.recv(65536)
        except TimeoutError:
            # The server waits for more. It drops what it is about to answer when it learns that none comes.
            connection.shutdown(socket.SHUT_WR)
            connection.settimeout(LIMIT_S)
            return connection.recv(65536)

    def close(self):
        if self._connection is not None:
            self._connection.close()
        self._connection = None


def check_json(answer):
    """An answer of a JSON service: a document, or an error in AWS's shape that is the client's."""
    if is_no_http(answer):
        return
    check(answer)
    if answer.status < 300:
        return
    assert answer.headers.get_content_type() in JSON_TYPES, answer
    document = answer.document
    message = document.get("message", document.get("Message"))
    assert isinstance(message, str), answer
    assert re.fullmatch(r"[A-Za-z]+", answer.code), answer
    assert document.get("__type", answer.code) == answer.code


def check_xml(answer, *, method="GET"):
    """An answer of S3 or STS: content, or an error in AWS's shape that is the client's."""
    if is_no_http(answer):
        return
    check(answer)
    if answer.status < 400 or method == "HEAD":
        return
    assert answer.headers.get_content_type() in ("application/xml", "text/xml"), answer
    root = ElementTree.fromstring(re.sub(rb"&#x?[0-9a-f]+;", b"?", answer.body))
    assert re.search(rb"<Code>[A-Za-z]+</Code>", answer.body), answer
    assert re.search(rb"<RequestId>[-0-9A-Za-z]+</RequestId>", answer.body), answer
    assert root is not None


def check_shape(answer):
    """An answer of any service."""
    is_xml = answer.headers.get_content_type().endswith("xml")
    (check_xml if is_xml else check_json)(answer)


def is_no_http(answer):
    """Whether the bytes of a request were refused before anybody could say which service they are for."""
    is_text = answer.headers.get_content_type() == "text/plain"
    return answer.status == 400 and is_text and answer.body in (b"", b"Invalid HTTP request received.")


def check(answer):
    # 501: an operation that AWS has, and this machine says it has not.
    assert answer.status < 500 or answer.status == 501, answer
    if answer.status >= 400:
        assert not _PYTHONS.search(answer.body), answer
    assert answer.headers["x-amzn-requestid"] or answer.headers["x-amz-request-id"], answer
