"""What the engine itself costs: a pipeline of every step type with empty jobs, against those jobs alone.

    python -m benchmarks.engine_overhead

Prints one line and JSON. The jobs are the shell scripts of tests/toys.py; "alone" is the same number of the
same processes started one after the other without an engine.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.toys import (
    TOY_IMAGES,
    at_least,
    condition,
    definition,
    endpoint,
    endpoint_config,
    get,
    model,
    output_of,
    processing,
    register,
    training,
    transform,
)
from workflows.definition.loader import load
from workflows.definition.parameters import bind
from workflows.local.executor import Execution, Place
from workflows.local.images import ImageTable
from workflows.local.planner import plan
from workflows.local.runners.table import RUNNERS
from workflows.local.store import Store


class _Silent:
    """A listener that ignores everything."""

    def __getattr__(self, _: str) -> Callable[..., None]:
        return lambda *_, **__: None


def pipeline() -> str:
    """The shape of birds-detection: twelve steps of every type but Fail."""
    write = "echo x > /opt/ml/processing/output/out/x"
    metric = get("Steps.Again.FinalMetricDataList['validation:mAP'].Value")
    data = output_of("Prepare", "out")
    return definition(
        processing("Prepare", write),
        training("Train", channels={"train": data}),
        training(
            "Again", channels={"train": data, "model": get("Steps.Train.ModelArtifacts.S3ModelArtifacts")}
        ),
        model("Model", "Again"),
        transform("Score", "Model", data),
        processing("Evaluate", write, inputs={"scores": get("Steps.Score.TransformOutput.S3OutputPath")}),
        condition("Gate", at_least(metric, 0.5), if_steps=[register("Register", "toys", "Again")]),
        condition(
            "Approval",
            at_least(metric, 0.5),
            if_steps=[endpoint_config("Config", "Model"), endpoint("Deploy", "Config", "toys")],
        ),
    )


def run_pipeline(home: Path) -> float:
    """Seconds for the whole execution."""
    loaded = load(pipeline())
    images = ImageTable(TOY_IMAGES)
    started = time.perf_counter()
    planned = plan(loaded, bind(loaded, {}), images=images, functions={}, step_types=frozenset(RUNNERS))
    place = Place(region="us-east-1", account="000000000000", images=images)
    execution = Execution(
        planned, pipeline_name="toys", store=Store(home), runners=RUNNERS, place=place, listener=_Silent()
    )
    record = execution.run()
    if record["PipelineExecutionStatus"] != "Succeeded":
        sys.exit(f"the pipeline failed: {record.get('FailureReason')}")
    return time.perf_counter() - started


def run_alone(folder: Path) -> float:
    """Seconds for the four jobs and two servers, without an engine."""
    root = folder / "alone"
    for name in ("input/config", "input/data/train", "model", "output"):
        (root / name).mkdir(parents=True)
    (root / "input/config/hyperparameters.json").write_text("{}")
    (root / "input/config/inputdataconfig.json").write_text("{}")
    (root / "input/data/train/x").write_text("x")
    environment = {**os.environ, "OPT_ML": str(root)}
    algorithm = TOY_IMAGES["toy-trainer"]["command"]
    started = time.perf_counter()
    for _ in range(2):
        subprocess.run(["sh", "-c", f"echo x > {root}/x"], check=True)
        subprocess.run([*algorithm, "train"], env=environment, check=True, stdout=subprocess.DEVNULL)
    for _ in range(2):
        # The least that a server costs: its interpreter and its imports.
        subprocess.run([sys.executable, "-c", "import http.server"], check=True)
    return time.perf_counter() - started


def main() -> None:
    """Run both, print both and their difference."""
    with tempfile.TemporaryDirectory() as name:
        alone, whole = run_alone(Path(name)), run_pipeline(Path(name) / "home")
    result = {
        "whole_s": round(whole, 2),
        "jobs_alone_s": round(alone, 2),
        "engine_s": round(whole - alone, 2),
    }
    print(f"engine {whole - alone:.2f} s over 11 steps (whole {whole:.2f} s, jobs alone {alone:.2f} s)")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
