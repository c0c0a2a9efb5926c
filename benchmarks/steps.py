"""What a step costs: many that do nothing, planning a thousand, and Metaflow's local runner beside ours.

    python -m benchmarks.steps

Every step is a process. The engine's share is what a step costs when its job is replaced by a function that
returns at once. Metaflow is installed, in a fixed version, into a virtual environment of its own under
.benchmarks; where it cannot be installed, that comparison is left out and the output says so.

Prints lines and JSON; exit code 1 where a figure is worse than its limit.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.toys import TOY_IMAGES, definition, processing
from workflows.definition.loader import load
from workflows.definition.model import Definition
from workflows.local.engine import Engine
from workflows.local.executor import Place
from workflows.local.images import ImageTable
from workflows.local.planner import plan
from workflows.local.runners.base import Result, Runner, Site, Task
from workflows.local.runners.table import RUNNERS
from workflows.local.store import Store

METAFLOW = "metaflow==2.19.39"
GRAPH, CHAIN, LARGE, ROUNDS = 50, 30, 1000, 5
LIMITS = {"graph_s": 3.0, "engine_ms_per_step": 10.0, "planning_s": 1.0}
RATIO = 5.0

_WORKFLOWS = str(Path(sys.executable).with_name("workflows"))
_VENV = Path(".benchmarks/metaflow")


class _Silent:
    """A listener that ignores everything."""

    def __getattr__(self, _: str) -> Callable[..., None]:
        return lambda *_, **__: None


def graph(size: int, width: int) -> str:
    """Chains beside each other, of steps that do nothing."""
    steps = []
    for number in range(size):
        before = [f"Step{number - width}"] if number >= width else []
        steps.append(processing(f"Step{number}", "true", outputs=(), DependsOn=before))
    return definition(*steps)


def nothing(task: Task, site: Site) -> Result:
    """A runner without a job."""
    return Result(kind=None, name=task.name, description={"Created": site.now()}, metadata={})


def run(text: str, runners: Mapping[str, Runner]) -> float:
    """Seconds for an execution inside this process."""
    with tempfile.TemporaryDirectory() as home:
        place = Place(region="us-east-1", account="000000000000", images=ImageTable(TOY_IMAGES))
        engine = Engine(store=Store(Path(home)), place=place, runners=runners)
        loaded, started = load(text), time.perf_counter()
        record = engine.start("steps", loaded, {}, listener=_Silent()).run()
        if record["PipelineExecutionStatus"] != "Succeeded":
            sys.exit(f"the pipeline failed: {record.get('FailureReason')}")
        return time.perf_counter() - started


def planning() -> float:
    """Seconds to read, check and plan a large definition."""
    text, started = graph(LARGE, 20), time.perf_counter()
    loaded: Definition = load(text)
    plan(loaded, {}, images=ImageTable(TOY_IMAGES), functions={}, step_types=frozenset(RUNNERS))
    return time.perf_counter() - started


def ours(folder: Path) -> float:
    """Seconds a step, through the installed command: a long chain less a short one."""
    (folder / "workflows.toml").write_text("[images.toy-processor]\n")
    for size in (1, CHAIN):
        (folder / f"chain-{size}.json").write_text(graph(size, 1))
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder)}
    return per_step(lambda size: [_WORKFLOWS, "run", f"chain-{size}.json"], folder, environment)


def metaflows(folder: Path) -> float | None:
    """The same with Metaflow; None where it cannot be installed."""
    python = _VENV / "bin" / "python"
    if not python.is_file():
        subprocess.run([sys.executable, "-m", "venv", str(_VENV)], check=True)
    installed = subprocess.run(
        [str(python), "-m", "pip", "install", "--quiet", METAFLOW], capture_output=True, check=False
    )
    if installed.returncode != 0:
        return None
    for size in (1, CHAIN):
        (folder / f"flow_{size}.py").write_text(flow(size))
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "USER": "benchmark"}
    executable = str(python.absolute())
    return per_step(lambda size: [executable, f"flow_{size}.py", "--quiet", "run"], folder, environment)


def flow(size: int) -> str:
    """A Metaflow flow of a start, so many steps in a chain, and an end."""
    names = ["start", *(f"step{number}" for number in range(size)), "end"]
    lines = ["from metaflow import FlowSpec, step", "", "class Chain(FlowSpec):"]
    for name, following in zip(names, [*names[1:], None], strict=True):
        body = f"self.next(self.{following})" if following else "pass"
        lines += ["    @step", f"    def {name}(self):", f"        {body}"]
    return "\n".join([*lines, "", "if __name__ == '__main__':", "    Chain()", ""])


def per_step(command: Callable[[int], list[str]], folder: Path, environment: dict[str, str]) -> float:
    """Seconds by which each further step makes a command longer; the median of some rounds."""
    found = []
    for _ in range(ROUNDS):
        seconds = {}
        for size in (1, CHAIN):
            started = time.perf_counter()
            subprocess.run(command(size), cwd=folder, env=environment, check=True, capture_output=True)
            seconds[size] = time.perf_counter() - started
        found.append((seconds[CHAIN] - seconds[1]) / (CHAIN - 1))
    return statistics.median(found)


def main() -> int:
    """Measure, print, compare with the limits."""
    figures = {
        "graph_s": run(graph(GRAPH, 5), RUNNERS),
        "engine_ms_per_step": run(graph(GRAPH, 5), {"Processing": nothing}) / GRAPH * 1000,
        "planning_s": planning(),
    }
    for name, value in figures.items():
        print(f"{name} {value:.3f} (limit {LIMITS[name]:g})")
    with tempfile.TemporaryDirectory() as name:
        mine, its = ours(Path(name)), metaflows(Path(name))
    print(f"a step of ours costs {mine * 1000:.0f} ms")
    if its is None:
        print(f"{METAFLOW} could not be installed: not compared")
    else:
        print(f"a step of Metaflow costs {its * 1000:.0f} ms, {its / mine:.1f} times ours")
    document = {**figures, "step_s": mine, "metaflow_step_s": its}
    print(json.dumps({key: value and round(value, 4) for key, value in document.items()}))
    too_slow = any(figures[name] > limit for name, limit in LIMITS.items())
    return int(too_slow or (its is not None and its / mine < RATIO))


if __name__ == "__main__":
    sys.exit(main())
