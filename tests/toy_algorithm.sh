#!/bin/sh
# An algorithm image in miniature. train: copies the channel into the model and logs a metric for each epoch;
# with the hyperparameter `epochs` it counts so far, with a checkpoint after each, and goes on from its last one;
# after the second it waits while the file `wait_while` is there.
# serve: answers /ping, and /invocations with the model's text and the request's body.
python=$1
case $2 in
train)
    exec "$python" - <<'PYTHON'
import json, os, pathlib, signal, sys, time
root = pathlib.Path(os.environ.get("OPT_ML", "/opt/ml"))
settings = json.loads((root / "input/config/hyperparameters.json").read_text())
if "fail" in settings:
    (root / "output/failure").write_text(settings["fail"])
    sys.exit(3)
checkpoints = root / "checkpoints"

def end(*_):
    (checkpoints / "notice").write_text("SIGTERM")
    sys.exit(143)

def count(epochs):
    signal.signal(signal.SIGTERM, end)
    latest, state = checkpoints / "latest.json", {"epoch": 0, "sum": 0}
    if latest.exists():
        state = json.loads(latest.read_text())
    started = state["epoch"]
    while state["epoch"] < epochs:
        time.sleep(float(settings.get("pause", "0")))
        epoch = state["epoch"] + 1
        state = {"epoch": epoch, "sum": state["sum"] * 31 + epoch}
        partial = checkpoints / "partial"
        partial.write_text(json.dumps(state))
        partial.replace(latest)
        print(f"counted {epoch}, started after {started}")
        while epoch == 2 and pathlib.Path(settings.get("wait_while", "")).is_file():
            time.sleep(0.02)
    (root / "model/count.json").write_text(json.dumps(state))

if "epochs" in settings:
    count(int(settings["epochs"]))
for epoch, value in enumerate(settings.get("map", "0.1,0.9").split(",")):
    print(f"epoch {epoch}: validation mAP=({value})")
text = "".join(path.read_text() for path in sorted((root / "input/data/train").iterdir()))
(root / "model/model.txt").write_text(text)
(root / "model/config.json").write_text(
    json.dumps({"channels": json.loads((root / "input/config/inputdataconfig.json").read_text()), "settings": settings})
)
PYTHON
    ;;
serve)
    exec "$python" - <<'PYTHON'
import http.server, os, pathlib
root = pathlib.Path(os.environ.get("OPT_ML", "/opt/ml"))
model = (root / "model/model.txt").read_bytes()
if model.startswith(b"broken"):
    raise SystemExit("the model cannot be loaded")

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
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if body == b"die":
            os._exit(9)
        if body == b"bad":
            self.answer(400, b"not a picture")
        else:
            self.answer(200, model.strip() + b" says " + body)

    def log_message(self, *arguments):
        pass

port = int(os.environ.get("SAGEMAKER_BIND_TO_PORT", "8080"))
http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()
PYTHON
    ;;
esac
