"""Small Object Detection jobs: drawn pictures, a job's folder tree, the algorithm as a process."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from processing_scripts.vision.recordio import RecordWriter, pack_image_record

# Blue, green, red; a class differs from the others in colour alone, so that few pictures teach it.
COLOURS = ((40, 40, 220), (40, 200, 40))
NUM_CLASSES = len(COLOURS)

RECIPE = {
    "num_classes": str(NUM_CLASSES),
    "num_training_samples": "48",
    "base_network": "resnet-18-half",
    "image_shape": "64",
    "epochs": "6",
    "mini_batch_size": "8",
    "optimizer": "adam",
    "learning_rate": "0.002",
    "lr_scheduler_step": "4",
    "lr_scheduler_factor": "0.2",
    "use_pretrained_model": "0",
}


def draw_picture(rng: np.random.Generator, kind: int, side: int = 96) -> tuple[bytes, list[float]]:
    """A JPEG with one coloured rectangle, and its box as fractions (xmin, ymin, xmax, ymax)."""
    pixels = rng.integers(90, 150, (side, side, 3)).astype(np.uint8)
    width, height = rng.integers(side // 3, side * 2 // 3, 2)
    left, top = rng.integers(0, side - width), rng.integers(0, side - height)
    cv2.rectangle(pixels, (int(left), int(top)), (int(left + width), int(top + height)), COLOURS[kind], -1)
    _, encoded = cv2.imencode(".jpg", pixels)
    return encoded.tobytes(), [left / side, top / side, (left + width) / side, (top + height) / side]


def write_records(path: Path, labels_and_images: Sequence[tuple[Sequence[float] | float, bytes]]) -> Path:
    with RecordWriter(path) as writer:
        for number, (label, image) in enumerate(labels_and_images):
            writer.write(pack_image_record(label, number, image))
    return path


def drawn_examples(count: int, seed: int) -> list[tuple[list[float], bytes]]:
    """Labels [2, 5, class, box] and pictures; the classes take turns."""
    rng = np.random.default_rng(seed)
    examples = []
    for number in range(count):
        kind = number % NUM_CLASSES
        image, box = draw_picture(rng, kind)
        examples.append(([2, 5, kind, *box], image))
    return examples


@dataclass(frozen=True)
class Job:
    """A training job's tree in place of /opt/ml."""

    root: Path

    @property
    def model(self) -> Path:
        return self.root / "model"

    @property
    def failure(self) -> str:
        return (self.root / "output" / "failure").read_text()

    def command(self, argument: str) -> list[str]:
        return [sys.executable, "-m", "algorithms.object_detection", argument]

    def environment(self, **more: str) -> dict[str, str]:
        # One thread whatever the machine: sums in another order give other last digits, and on a busy machine
        # the threads of so small a network spend their time waiting.
        return {**os.environ, "OPT_ML": str(self.root), "OMP_NUM_THREADS": "1", **more}

    def train(self, **environment: str) -> "Finished":
        done = subprocess.run(
            self.command("train"),
            env=self.environment(**environment),
            capture_output=True,
            text=True,
            timeout=120,
        )
        return Finished(done.returncode, done.stdout, done.stderr)


@dataclass(frozen=True)
class Finished:
    code: int
    log: str
    errors: str

    @property
    def scores(self) -> list[float]:
        """The validation mAP of every epoch, read as the service reads it."""
        pattern = r"#quality_metric: host=(\S+), epoch=(\d+), validation mAP <score>=\(([-+0-9.eE]+)\)"
        return [float(match[2]) for match in re.findall(pattern, self.log)]


def make_job(
    root: Path,
    channels: Mapping[str, Path],
    hyperparameters: Mapping[str, str],
    *,
    hosts: Sequence[str] = ("algo-1",),
) -> Job:
    """Lay out a job; `channels` name a file or a folder each, which are linked and not copied."""
    config = root / "input" / "config"
    config.mkdir(parents=True)
    for folder in (root / "model", root / "output", root / "input" / "data"):
        folder.mkdir(parents=True)
    for name, source in channels.items():
        target = root / "input" / "data" / name
        if source.is_dir():
            target.symlink_to(source)
        else:
            target.mkdir()
            (target / source.name).hardlink_to(source)
    types = {"model": "application/x-sagemaker-model"}
    entries = {
        name: {"ContentType": types.get(name, "application/x-recordio"), "TrainingInputMode": "File"}
        for name in channels
    }
    (config / "hyperparameters.json").write_text(json.dumps(dict(hyperparameters)))
    (config / "inputdataconfig.json").write_text(json.dumps(entries))
    (config / "resourceconfig.json").write_text(json.dumps({"current_host": hosts[0], "hosts": list(hosts)}))
    return Job(root)


def stop(process: subprocess.Popen[str], timeout_s: float = 15) -> int:
    """Stop a process as SageMaker does and return its exit code."""
    process.send_signal(signal.SIGTERM)
    return process.wait(timeout=timeout_s)
