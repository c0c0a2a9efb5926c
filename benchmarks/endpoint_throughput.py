"""What 8 clients lose who invoke an endpoint through the server, against asking its container directly.

    python -m benchmarks.endpoint_throughput [--seconds N] [--clients N]

Two models of the image-classification stand-in: one for pictures of 224 x 224, as the seed notebook trains it
(ResNet 18), and one for 28 x 28, which takes about a millisecond, so that little but the server is measured.
Both are trained for one step here. The container of the endpoint answers both sides, in turns, in rounds of N
seconds; clients are threads of a process of their own, with connections that stay. Prints a table and JSON;
exit code 1 if the first model loses more than the limit.
"""

import argparse
import http.client
import json
import multiprocessing
import statistics
import sys
import tarfile
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import boto3
import numpy as np
from botocore.config import Config

from tests.algorithms.classification_jobs import RECIPE, draw_picture, make_classification_job
from tests.algorithms.detection_jobs import write_records
from tests.server.conftest import REGION, make_machine
from workflows.local.store import Store
from workflows.server.app import App
from workflows.server.listen import listening, serve

LIMIT = 0.3  # of the bare container's throughput
ROUNDS = 5
IMAGE = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/image-classification:1"
_CONTENT_TYPE = "image/jpeg"


@dataclass(frozen=True)
class Model:
    """What is served, and what it is asked."""

    name: str
    side: int  # of a picture, in pixels
    layers: int
    decides: bool  # whether its loss decides


MODELS = (Model("resnet18-224", 224, 18, decides=True), Model("resnet20-28", 28, 20, decides=False))


def train(model: Model, folder: Path) -> Path:
    """A model.tar.gz, after one epoch on a few pictures."""
    chance = np.random.default_rng(1)
    size = {"width": model.side, "height": model.side}
    examples = [(float(kind), draw_picture(chance, [kind], **size)) for kind in (0, 1, 2) * 6]
    records = write_records(folder / "pictures.rec", examples)
    recipe = RECIPE | {
        "image_shape": f"3,{model.side},{model.side}",
        "num_layers": str(model.layers),
        "num_training_samples": str(len(examples)),
        "epochs": "1",
    }
    job = make_classification_job(folder / "ml", {"train": records, "validation": records}, recipe)
    finished = job.run(OMP_NUM_THREADS="2")
    if finished.code:
        sys.exit(finished.errors)
    archive = folder / "model.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(job.model, arcname=".")
    return archive


def be_server(home: str, port: "multiprocessing.Queue[str]") -> None:
    """The server, as a process."""
    machine = make_machine(Path(home))
    try:
        with listening() as address:
            port.put(address.url)
            serve(App(machine), address)
    finally:
        machine.background.stop_all()
        machine.hosts.close()


@contextmanager
def served(home: Path) -> Iterator[str]:
    """A server over a store; yields its URL."""
    ready: multiprocessing.Queue[str] = multiprocessing.Queue()
    process = multiprocessing.Process(target=be_server, args=(str(home), ready))
    process.start()
    try:
        yield ready.get(timeout=60)
    finally:
        process.terminate()
        process.join()


def deploy(url: str, store: Store, model: Model, archive: Path) -> None:
    """An endpoint with the model's name, by the calls that anybody makes."""
    uri = f"s3://benchmark/{model.name}/model.tar.gz"
    store.objects.adopt_file(archive, uri)
    client = boto3.client(
        "sagemaker",
        endpoint_url=url,
        region_name=REGION,
        aws_access_key_id="none",
        aws_secret_access_key="none",
        config=Config(retries={"total_max_attempts": 1}),
    )
    client.create_model(ModelName=model.name, PrimaryContainer={"Image": IMAGE, "ModelDataUrl": uri})
    variant = {
        "VariantName": "AllTraffic",
        "ModelName": model.name,
        "InitialInstanceCount": 1,
        "InstanceType": "ml.m5.large",
    }
    client.create_endpoint_config(EndpointConfigName=model.name, ProductionVariants=[variant])
    client.create_endpoint(EndpointName=model.name, EndpointConfigName=model.name)
    waiter = client.get_waiter("endpoint_in_service")
    waiter.wait(EndpointName=model.name, WaiterConfig={"Delay": 1, "MaxAttempts": 120})
    client.close()


def container_port(store: Store, model: Model) -> int:
    """Where the endpoint's container listens, from its log."""
    log = (store.home / "endpoints" / model.name / "log.txt").read_text(encoding="utf-8")
    return int(log.partition("http://127.0.0.1:")[2].split()[0])


def ask(port: int, path: str, picture: bytes, clients: int, seconds: float) -> list[float]:
    """Seconds of every answer that so many clients get in a time; every failure ends the program."""
    found: list[float] = []
    end = time.monotonic() + seconds

    def client() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port)
        while time.monotonic() < end:
            started = time.perf_counter()
            connection.request("POST", path, picture, {"Content-Type": _CONTENT_TYPE})
            answer = connection.getresponse()
            text = answer.read()
            if answer.status != http.client.OK:
                raise SystemExit(f"{path}: {answer.status} {text.decode()}")
            found.append(time.perf_counter() - started)
        connection.close()

    threads = [threading.Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def measure(
    sides: Mapping[str, tuple[int, str]], model: Model, clients: int, seconds: float
) -> dict[str, list[list[float]]]:
    """The times of every side, in rounds; the sides take turns, each in a fresh process."""
    picture = draw_picture(np.random.default_rng(2), [1], width=model.side, height=model.side)
    found: dict[str, list[list[float]]] = {name: [] for name in sides}
    for _ in range(ROUNDS):
        for name, (port, path) in sides.items():
            with multiprocessing.Pool(1) as pool:
                found[name].append(pool.apply(ask, (port, path, picture, clients, seconds)))
    return found


def row(found: Mapping[str, list[list[float]]], seconds: float) -> dict[str, float]:
    """Throughputs, the loss between them, and the middle time of an answer."""
    rates = {name: [len(times) / seconds for times in rounds] for name, rounds in found.items()}
    # Round by round, since a busy machine changes its speed from one round to the next.
    kept = statistics.median(a / b for a, b in zip(rates["server"], rates["bare"], strict=True))
    middle = {name: statistics.median(t for times in rounds for t in times) for name, rounds in found.items()}
    return {
        "bare_per_s": round(statistics.median(rates["bare"]), 1),
        "server_per_s": round(statistics.median(rates["server"]), 1),
        "loss": round(1 - kept, 3),
        "bare_p50_ms": round(middle["bare"] * 1000, 2),
        "server_p50_ms": round(middle["server"] * 1000, 2),
    }


def main() -> int:
    """Train, serve, ask, report."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--seconds", type=float, default=5)
    arguments.add_argument("--clients", type=int, default=8)
    given = arguments.parse_args()
    rows: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder, "home"))
        with served(store.home) as url:
            for model in MODELS:
                own = Path(folder, model.name)
                own.mkdir()
                deploy(url, store, model, train(model, own))
                sides = {
                    "bare": (container_port(store, model), "/invocations"),
                    "server": (int(url.rpartition(":")[2]), f"/endpoints/{model.name}/invocations"),
                }
                rows[model.name] = row(measure(sides, model, given.clients, given.seconds), given.seconds)
    print(f"{'MODEL':14}{'BARE/S':>10}{'SERVER/S':>10}{'LOSS':>8}{'BARE MS':>10}{'SERVER MS':>11}")
    for name, values in rows.items():
        numbers = "{bare_per_s:10}{server_per_s:10}{loss:8}{bare_p50_ms:10}{server_p50_ms:11}"
        print(f"{name:14}" + numbers.format(**values))
    print(json.dumps({"clients": given.clients, "limit": LIMIT, "models": rows}))
    return 0 if all(rows[model.name]["loss"] <= LIMIT for model in MODELS if model.decides) else 1


if __name__ == "__main__":
    sys.exit(main())
