"""A small server that answers in AWS's shapes, whatever a test tells it."""

import http.server
import json
import threading
from contextlib import contextmanager


class NoAnswer(Exception):
    """The connection is closed instead."""


class Answers:
    """What has been asked, and what is answered next: the last answer comes again and again."""

    def __init__(self):
        self.forget()

    def forget(self):
        self.asked = []
        self._next = []
        self._by_operation = {}

    def by(self, operation, answer):
        """What a function makes of the request answers an operation from now on; None: what comes next."""
        self._by_operation[operation] = answer

    def then(self, status, body=b"", **headers):
        self._next.append((status, body, headers))
        return self

    def succeed(self, **document):
        return self.then(200, json.dumps(document).encode())

    def refuse(self, code, message, status=400):
        """As the services refuse that speak JSON."""
        body = json.dumps({"__type": code, "message": message}).encode()
        return self.then(status, body)

    def refuse_as_s3(self, code, message, status=400):
        body = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>".encode()
        return self.then(status, body)

    def take(self, operation, body):
        self.asked.append(operation)
        if answer := self._by_operation.get(operation):
            return 200, json.dumps(answer(json.loads(body))).encode(), {}
        return self._next.pop(0) if len(self._next) > 1 else self._next[0]


@contextmanager
def answering():
    """Yields the answers, and the URL at which they are given."""
    answers = Answers()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # an answer in one piece: two would wait for each other

        def answer(self):
            asked = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            operation = self.headers.get("X-Amz-Target", f"{self.command} {self.path}").rpartition(".")[2]
            try:
                status, body, headers = answers.take(operation, asked)
            except NoAnswer:
                self.close_connection = True
                return
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def log_message(self, *arguments):
            pass

    for verb in ("GET", "POST", "PUT", "HEAD", "DELETE"):
        setattr(Handler, f"do_{verb}", Handler.answer)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield answers, f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
