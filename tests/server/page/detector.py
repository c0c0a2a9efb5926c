"""An inference container in miniature, a detector and a classifier in one.

A JPEG is answered with two detections, one of them below the usual threshold; a PNG with the probabilities of
a classifier; a request with the word "bad" in it with status 415, and a text that must be escaped.
"""

import http.server
import json
import os

BOXES = {"prediction": [[1.0, 0.91, 0.1, 0.2, 0.6, 0.8], [0.0, 0.12, 0.0, 0.0, 0.5, 0.5]]}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, document):
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.answer(200, {})

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if b"bad" in body:
            self.answer(415, "<b>no picture</b>")
        elif self.headers["Content-Type"] == "image/png":
            self.answer(200, [0.25, 0.75])
        else:
            self.answer(200, BOXES)

    def log_message(self, *arguments):
        print("request", *arguments[1:], flush=True)


port = int(os.environ.get("SAGEMAKER_BIND_TO_PORT", "8080"))
http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()
