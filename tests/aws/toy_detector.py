"""An inference container in miniature: it answers with the JSON that its model is; no JSON, no container."""

import http.server
import json
import os
import pathlib

TEXT = pathlib.Path(os.environ.get("OPT_ML", "/opt/ml"), "model/model.txt").read_text()
if not TEXT.startswith("{"):
    raise SystemExit("the model cannot be loaded")
MODEL = json.loads(TEXT)


class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.answer(200, b"")

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.answer(MODEL["status"], MODEL["body"].encode())

    def log_message(self, *arguments):
        pass


port = int(os.environ.get("SAGEMAKER_BIND_TO_PORT", "8080"))
http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()
