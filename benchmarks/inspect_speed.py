"""How fast inspect_records looks at records, against decoding alone of the same records in the same run.

    python -m benchmarks.inspect_speed [--images-per-species 40] [--repetitions 20] [--workers 2]

The records are those of prepare_detection, of drawn pictures, each several times. Each way reads the file and
works on as many threads: `decode` decodes every picture whole, `eighth` at an eighth of each side, in grey,
with nothing before or after, and `inspect` is what the job does with a channel. The ways take turns, so that
a noisy neighbour meets all; medians. Processor time tells more on a machine that others use too. Then the
search for copies, at 100,000 hashes.
"""

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from processing_scripts.jobs import prepare_detection
from processing_scripts.jobs.channel_inspection import inspect_channel
from processing_scripts.parallel import map_in_order
from processing_scripts.vision.copies import find_copies
from processing_scripts.vision.fingerprints import Fingerprints
from processing_scripts.vision.recordio import RecordReader, unpack_image_record
from samples import birds

REPEATS = 5
HASHES, COPIES = 50_000, 500  # on each side, and of these


def draw_records(folder: Path, images_per_species: int, repetitions: int) -> Path:
    """A record file in which every training picture of a drawn data set stands several times."""
    birds.publish(folder / "birds", images_per_species=images_per_species, seed=0)
    arguments = ["--input", str(folder / "birds"), "--output", str(folder / "prepared")]
    if prepare_detection.main(arguments):
        raise SystemExit(1)
    many = folder / "many.rec"
    with many.open("wb") as target:
        for _ in range(repetitions):
            with (folder / "prepared" / "train" / "train.rec").open("rb") as source:
                shutil.copyfileobj(source, target)
    return many


def decode_all(file: Path, mode: int, workers: int) -> int:
    """Decode every record and do nothing with it; returns how many there are."""

    def decode(payload: bytes) -> bool:
        image = unpack_image_record(payload)[2]
        return cv2.imdecode(np.frombuffer(image, np.uint8), mode) is not None

    return sum(map_in_order(decode, RecordReader(file), workers=workers))


class Cost(NamedTuple):
    """What a piece of work takes."""

    seconds: float
    cpu_seconds: float


def cost(work: Callable[[], object]) -> Cost:
    """The time of a piece of work, whose output goes to standard error."""
    start, cpu_start = time.perf_counter(), time.process_time()
    with redirect_stdout(sys.stderr):
        work()
    return Cost(time.perf_counter() - start, time.process_time() - cpu_start)


def median(costs: Sequence[Cost]) -> Cost:
    """Of each column."""
    return Cost(*(statistics.median(column) for column in zip(*costs, strict=True)))


def measure_records(file: Path, workers: int) -> dict[str, object]:
    """Records per second of every way."""
    ways = {
        "decode": lambda: decode_all(file, cv2.IMREAD_COLOR, workers),
        "eighth": lambda: decode_all(file, cv2.IMREAD_REDUCED_GRAYSCALE_8, workers),
        "inspect": lambda: inspect_channel("train", [file], workers=workers),
    }
    records = ways["decode"]()
    costs: dict[str, list[Cost]] = {name: [] for name in ways}
    for _ in range(REPEATS):
        for name, work in ways.items():
            costs[name].append(cost(work))
    medians = {name: median(each) for name, each in costs.items()}
    inspect = medians["inspect"]
    return {
        "records": records,
        "workers": workers,
        "records_per_s": {name: round(records / each.seconds) for name, each in medians.items()},
        "inspect_to_decode": round(medians["decode"].seconds / inspect.seconds, 3),
        "inspect_to_eighth": round(medians["eighth"].seconds / inspect.seconds, 3),
        "inspect_to_decode_by_cpu": round(medians["decode"].cpu_seconds / inspect.cpu_seconds, 3),
        "inspect_to_eighth_by_cpu": round(medians["eighth"].cpu_seconds / inspect.cpu_seconds, 3),
    }


def measure_search() -> dict[str, object]:
    """How long copies are looked for among random hashes, a few of which are each other's copies."""
    rng = np.random.default_rng(0)
    sides = []
    for _ in range(2):
        hashes = rng.integers(0, 2**64, HASHES, dtype=np.uint64)
        cells = rng.integers(0, 256, (HASHES, 16, 16), dtype=np.uint8)
        sides.append(Fingerprints(hashes=hashes, mirrored=hashes, cells=cells))
    training, validation = sides
    validation.hashes[:COPIES] = training.hashes[:COPIES] ^ np.uint64(0b1011)
    validation.cells[:COPIES] = training.cells[:COPIES]
    search = median([cost(lambda: find_copies(validation, training)) for _ in range(REPEATS)])
    return {"hashes": 2 * HASHES, "search_s": round(search.seconds, 2)}


def main() -> None:
    """Print the figures as JSON, then a line for people."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images-per-species", type=int, default=40)
    parser.add_argument("--repetitions", type=int, default=20)
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, redirect_stdout(sys.stderr):
        file = draw_records(Path(folder), options.images_per_species, options.repetitions)
        figures = measure_records(file, options.workers) | measure_search()
    print(json.dumps(figures, indent=2))
    print(
        f"inspect_records looks at {figures['inspect_to_decode']} times as many records per second as are "
        f"decoded whole ({figures['inspect_to_decode_by_cpu']} in the same processor time), and "
        f"{figures['inspect_to_eighth']} times as many as are decoded at an eighth "
        f"({figures['inspect_to_eighth_by_cpu']}); copies among {figures['hashes']} hashes are found in "
        f"{figures['search_s']} s"
    )


if __name__ == "__main__":
    main()
