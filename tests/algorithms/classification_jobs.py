"""Small Image Classification jobs: drawn pictures, a job's folder tree, the algorithm as a process."""

import json
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from tests.algorithms.detection_jobs import Job, make_job

# Blue, green, red; a class differs from the others in colour alone, so that few pictures teach it.
COLOURS = ((40, 40, 220), (40, 200, 40), (220, 60, 40))
NUM_CLASSES = len(COLOURS)

RECIPE = {
    "num_classes": str(NUM_CLASSES),
    "num_training_samples": "64",
    "num_layers": "20",
    "image_shape": "3,28,28",
    "epochs": "5",
    "mini_batch_size": "16",
    "optimizer": "adam",
    "learning_rate": "0.01",
    "lr_scheduler_step": "4",
    "lr_scheduler_factor": "0.2",
    "top_k": "2",
    "augmentation_type": "crop",
}

Label = Sequence[float] | float


def draw_picture(
    rng: np.random.Generator, kinds: Sequence[int], *, width: int = 36, height: int = 32
) -> bytes:
    """A JPEG with a coloured rectangle for each of the classes, on a grey ground."""
    pixels = rng.integers(90, 150, (height, width, 3)).astype(np.uint8)
    for kind in kinds:
        sides = rng.integers(height // 2, height * 3 // 4, 2)
        corner = [
            int(rng.integers(0, limit - side)) for limit, side in zip((width, height), sides, strict=True)
        ]
        end = [start + int(side) for start, side in zip(corner, sides, strict=True)]
        cv2.rectangle(pixels, corner, end, COLOURS[kind], -1)
    return cv2.imencode(".jpg", pixels)[1].tobytes()


def drawn_examples(count: int, seed: int) -> list[tuple[float, bytes]]:
    """Class numbers and pictures, sorted by class as an unshuffled list is."""
    rng = np.random.default_rng(seed)
    kinds = [number * NUM_CLASSES // count for number in range(count)]
    return [(float(kind), draw_picture(rng, [kind])) for kind in kinds]


def multi_label_examples(count: int, seed: int) -> list[tuple[list[float], bytes]]:
    """Multi-hot labels and pictures: the third class is in every sixth picture only."""
    rng = np.random.default_rng(seed)
    examples = []
    for number in range(count):
        label = [float(number % 2), float(number // 2 % 2), float(number % 6 == 0)]
        kinds = [kind for kind, there in enumerate(label) if there]
        examples.append((label, draw_picture(rng, kinds, width=48, height=48)))
    return examples


@dataclass(frozen=True)
class Finished:
    code: int
    log: str
    errors: str

    @property
    def accuracies(self) -> list[float]:
        """The validation accuracy of every epoch, read as the service reads it."""
        return [
            float(text) for text in re.findall(r"Epoch\[\d+\] Validation-accuracy=([-+0-9.eE]+)", self.log)
        ]


@dataclass(frozen=True)
class ClassificationJob(Job):
    def command(self, argument: str) -> list[str]:
        return [sys.executable, "-m", "algorithms.image_classification", argument]

    def run(self, **environment: str) -> Finished:
        done = self.train(**environment)
        return Finished(done.code, done.log, done.errors)


def make_classification_job(
    root: Path,
    channels: Mapping[str, Path],
    hyperparameters: Mapping[str, str],
    *,
    hosts: Sequence[str] = ("algo-1",),
    content_type: str = "application/x-recordio",
) -> ClassificationJob:
    job = ClassificationJob(make_job(root, channels, hyperparameters, hosts=hosts).root)
    entries = {name: {"ContentType": content_type, "TrainingInputMode": "File"} for name in channels}
    (root / "input" / "config" / "inputdataconfig.json").write_text(json.dumps(entries))
    return job
