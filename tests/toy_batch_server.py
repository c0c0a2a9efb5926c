"""An inference container in miniature, which notes what it is asked: python toy_batch_server.py serve

Environment: SEEN, a file that gets a line of JSON for each request; WISHES, the answer to GET
/execution-parameters; ANSWER, what a request is answered with: `upper` (the default) the body in capitals,
`lengths` a line with its length for each line, `total` one line with the length of all, `fields` {"n": number
of fields} for each line of JSON.
"""

import collections
import http.server
import json
import os
import threading
import time

SEEN = os.environ.get("SEEN", os.devnull)
lock = threading.Lock()
failures = collections.Counter()
under_way = set()


def note(**entry):
    with lock, open(SEEN, "a") as file:
        file.write(json.dumps(entry) + "\n")


def answer_to(body):
    kind = os.environ.get("ANSWER", "upper")
    if kind == "lengths":
        return b"".join(b"%d\n" % len(line) for line in body.splitlines())
    if kind == "total":
        return b"%d\n" % len(body)
    if kind == "fields":
        return "\n".join(json.dumps({"n": len(json.loads(line))}) for line in body.splitlines()).encode()
    return body.upper()


def respond(body):
    """Status and body of the answer to a request; words in it ask for faults."""
    if b"die" in body:
        os._exit(9)
    if b"slow" in body:
        time.sleep(float(body.split()[1]))
    if b"bad" in body:
        return 400, b"not a picture"
    if b"flaky" in body:
        with lock:
            failures[body] += 1
        if failures[body] <= int(body.split()[1]):
            return 503, b"come again"
    return 200, answer_to(body)


class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        wishes = os.environ.get("WISHES")
        if self.path == "/ping":
            self.answer(200, b"")
        elif self.path == "/execution-parameters" and wishes is not None:
            self.answer(200, wishes.encode())
        else:
            self.answer(404, b"")

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with lock:
            under_way.add(self)
            side_by_side = len(under_way)
        note(
            body=body.decode("latin-1"),
            side_by_side=side_by_side,
            content_type=self.headers["Content-Type"],
            accept=self.headers["Accept"],
        )
        answer = respond(body)
        # Before the answer: its reader sends the next request at once.
        with lock:
            under_way.remove(self)
        self.answer(*answer)

    def log_message(self, *arguments):
        pass


note(environment={name: value for name, value in os.environ.items() if name.startswith("SAGEMAKER_")})
port = int(os.environ.get("SAGEMAKER_BIND_TO_PORT", "8080"))
http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()
