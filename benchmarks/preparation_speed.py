"""How fast pictures become records: im2rec against MXNet's, and the whole preparation against the notebook's.

    python -m benchmarks.preparation_speed [--images-per-species 300] [--processes 2] [--repeats 3]

All read the same drawn pictures of five species from a warm cache, 500 pixels wide, and scale the shorter
side to 256 at quality 95. Figures are medians of whole processes, start-up included, which take turns so
that a noisy neighbour meets all. Steady state is what a list of four times the length adds. Prints JSON, then
the table of docs/im2rec.md.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

# MXNet 1.9.1 uses a name that numpy 1.24 removed.
IM2REC = """
import numpy, runpy, sys
numpy.bool = bool
runpy.run_path(sys.argv.pop(1), run_name="__main__")
"""
RESIZE = 256
LONGER = 4  # times the list, for the steady state

# What is divided by what, and what it shall be at least.
TARGETS = {
    "im2rec against MXNet's, as many processes": 1.9,
    "im2rec against MXNet's default, one process": 2.8,
    "steady state against MXNet's": 1.4,
    "steady state against the codec alone": 0.85,
    "all processes against one": 1.85,
    "whole preparation against the notebook's cells": 6.0,
}


def run(command: Sequence[object], environment: Mapping[str, str] | None = None) -> str:
    """What a process prints; what it complains about only if it fails."""
    argv = [str(part) for part in command]
    done = subprocess.run(
        argv, check=False, capture_output=True, text=True, env={**os.environ, **(environment or {})}
    )
    if done.returncode:
        raise SystemExit(f"{argv}: exit {done.returncode}\n{done.stderr}")
    return done.stdout


def im2rec_path() -> Path:
    """The tool in the MXNet wheel, found without importing MXNet."""
    for folder in map(Path, sys.path):
        tool = folder / "mxnet" / "tools" / "im2rec.py"
        if tool.is_file():
            return tool
    raise SystemExit("MXNet is not installed here")


@dataclass(kw_only=True)
class Bench:
    """The pictures, the lists, and what was measured."""

    scratch: Path
    processes: int
    pictures: int = 0
    seconds: dict[str, list[float]] = field(default_factory=dict)
    floors: list[dict[str, float]] = field(default_factory=list)

    @property
    def birds(self) -> Path:
        """The drawn data set."""
        return self.scratch / "birds"

    @property
    def images(self) -> Path:
        """Its pictures."""
        return self.birds / "CUB_200_2011" / "images"

    def draw(self, images_per_species: int) -> None:
        """Draw the pictures and make a list of them, and one that has it several times."""
        self.pictures = 5 * images_per_species
        draw = ["samples.birds", "--output", self.birds, "--images-per-species", images_per_species]
        run([sys.executable, "-m", *draw])
        for name in ("ours", "theirs"):
            (self.scratch / name).mkdir()
        once = self.scratch / "ours" / "once.lst"
        ours = [sys.executable, "-m", "processing_scripts.jobs.im2rec"]
        run([*ours, "--list", "--recursive", once.with_suffix(""), self.images])
        (self.scratch / "ours" / "often.lst").write_text(once.read_text() * LONGER)
        for path in (self.scratch / "ours").glob("*.lst"):
            shutil.copy(path, self.scratch / "theirs")

    def time(self, name: str, work: Callable[[], object]) -> None:
        """Note how long this takes; what an earlier run has left is not written over, which takes longer."""
        for path in (*self.scratch.glob("ours/*.*"), *self.scratch.glob("theirs/*.*")):
            if path.suffix != ".lst":
                path.unlink()
        start = time.perf_counter()
        work()
        self.seconds.setdefault(name, []).append(time.perf_counter() - start)

    def ours(self, stem: str, processes: int) -> None:
        """Pack with this project's tool."""
        command = [sys.executable, "-m", "processing_scripts.jobs.im2rec", "--resize", RESIZE]
        run([*command, "--num-thread", processes, self.scratch / "ours" / stem, self.images])

    def theirs(self, stem: str, processes: int) -> None:
        """Pack with MXNet's tool."""
        command = [sys.executable, "-c", IM2REC, im2rec_path(), "--resize", RESIZE]
        run([*command, "--num-thread", processes, self.scratch / "theirs" / stem, f"{self.images}/"])

    def floor(self) -> None:
        """Measure the codec alone."""
        command = [sys.executable, "-m", "benchmarks.codec_floor", "--threads", self.processes]
        found = run([*command, "--resize", RESIZE, self.scratch / "ours" / "once.lst", self.images])
        self.floors.append(json.loads(found))

    def preparation(self) -> None:
        """Everything that the pipeline's first step does for birds."""
        command = [sys.executable, "-m", "processing_scripts.jobs.prepare_detection", "--input", self.birds]
        run(
            [*command, "--output", self.scratch / "prepared", "--workers", self.processes],
            {"OPT_ML": str(self.scratch / "opt-ml")},
        )

    def notebook(self) -> None:
        """Everything that the notebook's cells do for birds."""
        run([sys.executable, "-m", "benchmarks.notebook_cells", self.birds, self.scratch / "notebook"])
        for path in self.images.rglob("*_flip.jpg"):
            path.unlink()

    def round(self) -> None:
        """Measure everything once."""
        many = self.processes
        self.time("ours", lambda: self.ours("once", many))
        self.time("theirs", lambda: self.theirs("once", many))
        self.time("ours with one", lambda: self.ours("once", 1))
        self.time("theirs with one", lambda: self.theirs("once", 1))
        self.floor()
        self.time("ours, longer", lambda: self.ours("often", many))
        self.time("theirs, longer", lambda: self.theirs("often", many))
        self.time("ours with one, longer", lambda: self.ours("often", 1))
        self.time("preparation", self.preparation)
        self.time("notebook", self.notebook)

    def result(self) -> dict[str, object]:
        """Speeds in pictures per second, and their ratios."""
        median = {name: statistics.median(values) for name, values in self.seconds.items()}
        speeds = {
            name: (LONGER if "longer" in name else 1) * self.pictures / value
            for name, value in median.items()
        }
        more = (LONGER - 1) * self.pictures
        steady = {
            name: more / (median[f"{name}, longer"] - median[name])
            for name in ("ours", "theirs", "ours with one")
        }
        codec = statistics.median(floor["codec"] for floor in self.floors)
        ratios = dict(
            zip(
                TARGETS,
                (
                    median["theirs"] / median["ours"],
                    median["theirs with one"] / median["ours"],
                    steady["ours"] / steady["theirs"],
                    steady["ours"] / codec,
                    steady["ours"] / steady["ours with one"],
                    median["notebook"] / median["preparation"],
                ),
                strict=True,
            )
        )
        return {
            "pictures": self.pictures,
            "processes": self.processes,
            "seconds": self.seconds,
            "pictures_per_second": speeds,
            "steady_pictures_per_second": steady,
            "codec_pictures_per_second": self.floors,
            "ratios": ratios,
        }


def table(ratios: Mapping[str, float]) -> str:
    """The ratios for people."""
    rows = [f"| {name} | {ratio:.2f} | {TARGETS[name]:g} |" for name, ratio in ratios.items()]
    return "\n".join(["| | measured | wanted |", "|---|---|---|", *rows])


def main() -> None:
    """Print the figures as JSON and as a table; exit code 1 below a target."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images-per-species", type=int, default=300)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        bench = Bench(scratch=Path(scratch), processes=options.processes)
        bench.draw(options.images_per_species)
        bench.ours("once", options.processes)  # warms the cache
        for _ in range(options.repeats):
            bench.round()
        result = bench.result()
    print(json.dumps(result, indent=2))
    ratios = result["ratios"]
    print(table(ratios))
    sys.exit(any(ratio < TARGETS[name] for name, ratio in ratios.items()))


if __name__ == "__main__":
    main()
