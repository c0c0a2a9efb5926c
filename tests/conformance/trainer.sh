#!/bin/sh
# An algorithm image in miniature: trainer.sh PYTHON train|serve
# train: logs each value of the hyperparameter `map` as a metric. The model is the text of channel `train`,
# behind that of the model in channel `model`, where there is one; beside it, the hyperparameters.
# serve: answers /ping, and /invocations with the model's text and the request's body.
set -eu
root=${OPT_ML:-/opt/ml}
case $2 in
train)
    values=$(sed -n 's/.*"map": *"\([^"]*\)".*/\1/p' "$root/input/config/hyperparameters.json")
    for value in $(echo "$values" | tr , ' '); do
        echo "validation mAP=($value)"
    done
    cd "$root/input/data"
    if [ -d model ]; then
        tar xzf model/model.tar.gz -C "$root/model" model.txt
    fi
    cat train/* >>"$root/model/model.txt"
    cp "$root/input/config/hyperparameters.json" "$root/model"
    ;;
serve)
    exec "$1" - <<'PYTHON'
import http.server, os, pathlib

model = (pathlib.Path(os.environ.get("OPT_ML", "/opt/ml")) / "model/model.txt").read_bytes()

class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self, body):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.answer(b"")

    def do_POST(self):
        self.answer(model.strip() + b" says " + self.rfile.read(int(self.headers["Content-Length"])))

    def log_message(self, *arguments):
        pass

port = int(os.environ.get("SAGEMAKER_BIND_TO_PORT", "8080"))
http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()
PYTHON
    ;;
esac
