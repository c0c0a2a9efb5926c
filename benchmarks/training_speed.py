"""How much of bare MXNet's training speed the Object Detection stand-in keeps.

python -m benchmarks.training_speed [--rounds 5] [--pictures 320]

Both sides train the same network on the same pictures in this process, in turns, so that a busy machine slows
both: ours is the algorithm's own epoch (its data, schedule, losses, log lines), the bare one is MXNet's
Module with its iterator and nothing else: forward, backward, update. Validation is left out on both sides.
The bare loop trains the three outputs that have gradients, as ours does; an artifact's full training graph,
with the non-maximum suppression in each step, is measured beside it.
"""

import argparse
import itertools
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from algorithms.engine import mx
from algorithms.object_detection.data import AUGMENTATION, Records, TrainingData, scan
from algorithms.object_detection.graph import training_heads
from algorithms.object_detection.network import training_graph
from algorithms.object_detection.pictures import ITERATOR_OPTIONS
from algorithms.object_detection.report import EpochReport
from algorithms.object_detection.settings import Settings, parse_settings
from algorithms.object_detection.trainer import OptimizerOptions, Trainer
from algorithms.schedule import LearningRate
from algorithms.weights import NOTHING
from benchmarks.turns import measure, verdict
from processing_scripts.vision.recordio import RecordWriter, pack_image_record

SIDE, BATCH, CLASSES = 128, 16, 5


def draw(path: Path, count: int) -> Records:
    """A .rec file of pictures with one rectangle each."""
    rng = np.random.default_rng(0)
    with RecordWriter(path) as writer:
        for number in range(count):
            pixels = rng.integers(0, 255, (256, 320, 3)).astype(np.uint8)
            cv2.rectangle(pixels, (60, 50), (200, 180), (40, 40, 220), -1)
            encoded = cv2.imencode(".jpg", pixels)[1].tobytes()
            label = [2, 5, number % CLASSES, 60 / 320, 50 / 256, 200 / 320, 180 / 256]
            writer.write(pack_image_record(label, number, encoded))
    return scan(path, num_classes=CLASSES, label_width=350)


def ours(graph: object, data: TrainingData, records: Records, settings: Settings) -> Callable[[], int]:
    """An epoch of the stand-in; returns the pictures it trained."""
    trainer = Trainer(
        graph,
        NOTHING,
        batch_size=BATCH,
        image_shape=SIDE,
        label_shape=(records.max_objects, records.object_floats),
        optimizer=OptimizerOptions(name="sgd", momentum=0.9, weight_decay=5e-4),
        learning_rate=LearningRate(base=0.001).at,
    )

    numbers = itertools.count()

    def epoch() -> int:
        lines = EpochReport("algo-1", 0, settings)
        count = 0
        for count, batch in enumerate(data.epoch(next(numbers)), start=1):
            trainer.step(batch)
            lines.batch_done(count)
        trainer.take_losses()
        return count * BATCH

    return epoch


def bare(symbol: object, records: Records) -> Callable[[], int]:
    """An epoch of MXNet's Module over MXNet's iterator; returns the pictures it trained."""
    iterator = mx.io.ImageDetRecordIter(
        path_imgrec=str(records.path),
        batch_size=BATCH,
        data_shape=(3, SIDE, SIDE),
        label_pad_width=records.label_floats,
        shuffle=True,
        ctx="cpu",
        verbose=False,
        **ITERATOR_OPTIONS,
        **AUGMENTATION,
    )
    label_shape = (BATCH, records.max_objects, records.object_floats)
    module = mx.mod.Module(symbol, data_names=["data"], label_names=["label"], context=mx.cpu())
    module.bind([("data", (BATCH, 3, SIDE, SIDE))], [("label", label_shape)])
    module.init_params(mx.init.Xavier())
    module.init_optimizer(
        kvstore=None,
        optimizer="sgd",
        optimizer_params={"learning_rate": 0.001, "momentum": 0.9, "wd": 5e-4, "rescale_grad": 1.0},
    )

    def epoch() -> int:
        pictures = 0
        for batch in iterator:
            label = batch.label[0].slice_axis(axis=1, begin=6, end=None).reshape(label_shape)
            module.forward_backward(mx.io.DataBatch(batch.data, [label]))
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
    parser.add_argument("--pictures", type=int, default=320, help="a multiple of 16")
    parser.add_argument("--base-network", default="resnet-18-half")
    arguments = parser.parse_args()
    graph = training_graph(
        arguments.base_network, num_classes=CLASSES, image_shape=SIDE, nms_threshold=0.45, nms_topk=400
    )
    settings = parse_settings(
        {
            "num_classes": str(CLASSES),
            "num_training_samples": str(arguments.pictures),
            "mini_batch_size": str(BATCH),
        }
    )
    with tempfile.TemporaryDirectory() as folder:
        records = draw(Path(folder) / "train.rec", arguments.pictures)
        data = TrainingData(records, batch_size=BATCH, image_shape=SIDE, seed=0)
        sides = {
            "ours": ours(graph, data, records, settings),
            "bare": bare(training_heads(graph), records),
            "bare_with_detections": bare(graph, records),
        }
        speeds = measure(sides, arguments.rounds)
    return verdict(speeds)


if __name__ == "__main__":
    sys.exit(main())
