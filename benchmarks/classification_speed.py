"""How much of bare MXNet's training speed the Image Classification stand-in keeps.

python -m benchmarks.classification_speed [--rounds 5] [--pictures 480] [--augmentation crop]

Both sides train the same network on the same pictures in this process, in turns, so that a busy machine slows
both: ours is the algorithm's own epoch (fresh iterator, schedule, accuracy, log lines), the bare one is
MXNet's Module with its iterator and nothing else: forward, backward, update. Validation is left out on both
sides.
"""

import argparse
import itertools
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from algorithms.engine import mx
from algorithms.image_classification.data import Records, TrainingData, scan
from algorithms.image_classification.network import classification_graph
from algorithms.image_classification.pictures import iterator_options
from algorithms.image_classification.report import EpochReport
from algorithms.image_classification.settings import Settings, parse_settings
from algorithms.image_classification.trainer import Trainer
from algorithms.image_classification.training import learning_rate
from algorithms.weights import NOTHING
from benchmarks.turns import measure, verdict
from processing_scripts.vision.recordio import RecordWriter, pack_image_record

SIDE, BATCH, CLASSES = 64, 32, 8


def draw(path: Path, count: int) -> None:
    """A .rec file of pictures with one rectangle each."""
    rng = np.random.default_rng(0)
    with RecordWriter(path) as writer:
        for number in range(count):
            pixels = rng.integers(0, 255, (72, 96, 3)).astype(np.uint8)
            cv2.rectangle(pixels, (10, 10), (60, 50), (40, 40, 30 * (number % CLASSES)), -1)
            encoded = cv2.imencode(".jpg", pixels)[1].tobytes()
            writer.write(pack_image_record(float(number % CLASSES), number, encoded))


def ours(graph: object, data: TrainingData, settings: Settings) -> Callable[[], int]:
    """An epoch of the stand-in; returns the pictures it trained."""
    rate = learning_rate(settings)
    trainer = Trainer(graph, NOTHING, settings, class_weights=None, learning_rate=rate.at)
    numbers = itertools.count()

    def epoch() -> int:
        lines = EpochReport(0, settings)
        trainer.begin_epoch()
        count = 0
        for count, batch in enumerate(data.epoch(next(numbers)), start=1):
            trainer.step(batch)
            if lines.is_due(count - 1):
                lines.batch_done(count - 1, trainer.tally())
        trainer.tally()
        return count * BATCH

    return epoch


def bare(graph: object, records: Records, settings: Settings) -> Callable[[], int]:
    """An epoch of MXNet's Module over MXNet's iterator; returns the pictures it trained."""
    iterator = mx.io.ImageRecordIter(
        path_imgrec=str(records.path),
        batch_size=BATCH,
        data_shape=(3, SIDE, SIDE),
        shuffle=True,
        verbose=False,
        **iterator_options(settings.augmentation_type, settings.resize),
    )
    module = mx.mod.Module(graph, context=mx.cpu())
    module.bind(iterator.provide_data, iterator.provide_label)
    module.init_params(mx.init.Xavier())
    module.init_optimizer(
        kvstore=None,
        optimizer="sgd",
        optimizer_params={"learning_rate": 0.1, "momentum": 0.9, "wd": 1e-4},
    )

    def epoch() -> int:
        pictures = 0
        for batch in iterator:
            module.forward_backward(batch)
            module.update()
            pictures += BATCH
        mx.nd.waitall()
        iterator.reset()
        return pictures

    return epoch


def main() -> int:
    """Print the speeds as JSON and in one line; exit code 1 below the target."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--pictures", type=int, default=480, help="a multiple of 32")
    parser.add_argument("--num-layers", default="18")
    parser.add_argument("--augmentation", default="crop")
    arguments = parser.parse_args()
    settings = parse_settings(
        {
            "num_classes": str(CLASSES),
            "num_training_samples": str(arguments.pictures),
            "mini_batch_size": str(BATCH),
            "num_layers": arguments.num_layers,
            "image_shape": f"3,{SIDE},{SIDE}",
            "augmentation_type": arguments.augmentation,
            "top_k": "2",
            "epochs": "1000",
        }
    )
    graph = classification_graph(
        settings.num_layers, num_classes=CLASSES, image_shape=settings.image_shape, multi_label=False
    )
    with tempfile.TemporaryDirectory() as folder:
        channel = Path(folder) / "input" / "data" / "train"
        draw(channel / "train.rec", arguments.pictures)
        os.environ["OPT_ML"] = folder
        records = scan("train", settings, Path(folder), images=False)
        with TrainingData(records, settings, seed=0) as data:
            sides = {"ours": ours(graph, data, settings), "bare": bare(graph, records, settings)}
            speeds = measure(sides, arguments.rounds)
    return verdict(speeds)


if __name__ == "__main__":
    sys.exit(main())
