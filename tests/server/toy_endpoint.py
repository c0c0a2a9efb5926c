"""An inference container in miniature: python toy_endpoint.py serve

A request's body is a word and what belongs to it: `echo` answers with the request's headers, `wait SECONDS`
answers after that time, `count` with how many requests were with the container at once, `status CODE TEXT`
with that status and text, `die` ends the container. The model says which text it is.
"""

import http.server
import json
import os
import pathlib
import threading
import time

MODEL = pathlib.Path(os.environ.get("OPT_ML", "/opt/ml"), "model/model.txt").read_text().strip()
lock = threading.Lock()


class Load:
    """Requests that are with the container."""

    now, most = 0, 0


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, body, **headers):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.answer(200, b"")

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        with lock:
            Load.now += 1
            Load.most = max(Load.most, Load.now)
        try:
            self.respond(body, *body.partition(" ")[::2])
        finally:
            with lock:
                Load.now -= 1

    def respond(self, body, word, rest):
        if word == "die":
            os._exit(9)
        if word == "status":
            code, _, text = rest.partition(" ")
            self.answer(int(code), text.encode())
        elif word == "wait":
            time.sleep(float(rest))
            self.answer(200, b"waited")
        elif word == "count":
            self.answer(200, str(Load.most).encode())
        elif word == "echo":
            headers = {name.lower(): value for name, value in self.headers.items()}
            answered = {"X_Amzn_SageMaker_Custom_Attributes": "seen=1"}
            self.answer(200, json.dumps(headers).encode(), Content_Type="application/json", **answered)
        else:
            self.answer(200, f"{MODEL} says {body}".encode())

    def log_message(self, *arguments):
        print("request", *arguments[1:], flush=True)


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128


Server(("127.0.0.1", int(os.environ.get("SAGEMAKER_BIND_TO_PORT", "8080"))), Handler).serve_forever()
