"""How fast prepare_detection packs pictures, against MXNet's own tools/im2rec.py in the same run.

    python benchmarks/preparation_speed.py [--images-per-species 200] [--processes 2] [--repeats 3]

Both read the same drawn pictures from a warm cache. im2rec packs the originals by ready lists;
prepare_detection makes the lists, packs the originals and the mirror images of the training pictures, copies
the held-out files and writes its report. Counted are different records written, over whole processes with
their start-up; medians.
"""

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

# MXNet 1.9.1 uses a name that numpy 1.24 removed.
IM2REC = """
import numpy, runpy, sys
numpy.bool = bool
runpy.run_path(sys.argv.pop(1), run_name="__main__")
"""


class Cost(NamedTuple):
    """What a process took; processor time tells more on a machine that others use too."""

    seconds: float
    cpu_seconds: float


def timed(command: Sequence[str | Path | int], environment: dict[str, str]) -> Cost:
    """The cost of a process and its children; its output goes nowhere unless it fails."""
    start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    argv = [str(part) for part in command]
    done = subprocess.run(argv, check=False, capture_output=True, text=True, env=environment)
    seconds, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise SystemExit(f"{command}: exit {done.returncode}\n{done.stderr}")
    cpu_seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(seconds=seconds, cpu_seconds=cpu_seconds)


def im2rec_path() -> Path:
    """The tool in the MXNet wheel, found without importing MXNet."""
    for folder in map(Path, sys.path):
        tool = folder / "mxnet" / "tools" / "im2rec.py"
        if tool.is_file():
            return tool
    raise SystemExit("MXNet is not installed here")


def measure(images_per_species: int, processes: int, repeats: int, scratch: Path) -> dict[str, object]:
    """Draw, then time both tools in turn, so that a noisy neighbour meets both."""
    environment = {**os.environ, "OPT_ML": str(scratch / "opt-ml")}
    count = 5 * images_per_species
    birds, ours, theirs = scratch / "birds", scratch / "ours", scratch / "theirs"
    draw = ["-m", "samples.birds", "--output", birds, "--images-per-species", images_per_species]
    timed([sys.executable, *draw], environment)
    prepare = [sys.executable, "-m", "processing_scripts.jobs.prepare_detection", "--input", birds]
    prepare += ["--output", ours, "--workers", processes]
    pack = [
        sys.executable,
        "-c",
        IM2REC,
        im2rec_path(),
        "--resize",
        256,
        "--pack-label",
        "--num-thread",
        processes,
    ]
    pack += [theirs, f"{birds}/CUB_200_2011/images/"]
    timed(prepare, environment)
    theirs.mkdir()
    for name in ("train", "validation"):
        shutil.copy(ours / "lists" / f"{name}.lst", theirs)
    costs: dict[str, list[Cost]] = {"prepare_detection": [], "im2rec": []}
    for _ in range(repeats):
        costs["im2rec"].append(timed(pack, environment))
        costs["prepare_detection"].append(timed(prepare, environment))
    report = json.loads((ours / "report" / "report.json").read_text())
    written = count + report["num_training_samples"]
    ours_cost, theirs_cost = _median(costs["prepare_detection"]), _median(costs["im2rec"])
    return {
        "pictures": count,
        "processes": processes,
        "seconds": {name: [cost.seconds for cost in each] for name, each in costs.items()},
        "cpu_seconds": {name: [cost.cpu_seconds for cost in each] for name, each in costs.items()},
        "prepare_detection_records_per_s": written / ours_cost.seconds,
        "im2rec_records_per_s": count / theirs_cost.seconds,
        "records_per_s_ratio": (written / ours_cost.seconds) / (count / theirs_cost.seconds),
        "records_per_cpu_s_ratio": (written / ours_cost.cpu_seconds) / (count / theirs_cost.cpu_seconds),
    }


def _median(costs: Sequence[Cost]) -> Cost:
    return Cost(*(statistics.median(column) for column in zip(*costs, strict=True)))


def main() -> None:
    """Print the figures as JSON, then one line for people."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images-per-species", type=int, default=200)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        result = measure(options.images_per_species, options.processes, options.repeats, Path(scratch))
    print(json.dumps(result, indent=2))
    print(
        f"prepare_detection writes {result['prepare_detection_records_per_s']:.0f} records/s, "
        f"im2rec {result['im2rec_records_per_s']:.0f}: {result['records_per_s_ratio']:.2f} times as many, "
        f"{result['records_per_cpu_s_ratio']:.2f} times as many in the same processor time"
    )


if __name__ == "__main__":
    main()
