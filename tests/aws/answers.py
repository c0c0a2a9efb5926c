"""A small server that answers in AWS's shapes, whatever a test tells it."""

import http.server
import json
import threading
from contextlib import contextmanager


class Answers:
    """What has been asked, and what is answered next: the last answer comes again and again."""

    def __init__(self):
        self.forget()

    def forget(self):
        self.asked = []
        self._next = []

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

    def take(self, operation):
        self.asked.append(operation)
        return self._next.pop(0) if len(self._next) > 1 else self._next[0]


@contextmanager
def answering():
    """Yields the answers, and the URL at which they are given."""
    answers = Answers()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self):
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            operation = self.headers.get("X-Amz-Target", f"{self.command} {self.path}").rpartition(".")[2]
            status, body, headers = answers.take(operation)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_HEAD = do_DELETE = answer

        def log_message(self, *arguments):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield answers, f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
