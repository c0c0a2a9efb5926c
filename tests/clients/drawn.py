"""What a user of these clients brings along: RecordIO files, pictures to ask about, hyperparameters."""

import json

import cv2
import numpy as np

from tests.algorithms import classification_jobs, detection_jobs
from tests.algorithms.detection_jobs import write_records

_HELD_OUT = 6


def draw_birds(folder, *, epochs="8"):
    """Files of the detection notebook; `truth.json` has [class, xmin, ymin, xmax, ymax] of each picture."""
    recipe = {**detection_jobs.RECIPE, "epochs": epochs, "lr_scheduler_step": "6"}
    originals = detection_jobs.drawn_examples(int(recipe["num_training_samples"]), seed=1)
    with_flips = [*originals, *(_flipped(label, picture) for label, picture in originals)]
    write_records(folder / "flips.rec", with_flips)
    _write(folder, originals, detection_jobs.drawn_examples(16, seed=2), recipe)
    asked = detection_jobs.drawn_examples(_HELD_OUT, seed=3)
    _write_pictures(folder, [picture for _, picture in asked], [label[2:] for label, _ in asked])


def draw_things(folder):
    """Files of the classification notebook; `truth.json` has the class of each picture."""
    recipe = classification_jobs.RECIPE
    count = int(recipe["num_training_samples"])
    _write(
        folder,
        classification_jobs.drawn_examples(count, seed=1),
        classification_jobs.drawn_examples(18, seed=2),
        recipe,
    )
    asked = classification_jobs.drawn_examples(_HELD_OUT, seed=3)
    _write_pictures(folder, [picture for _, picture in asked], [label for label, _ in asked])


def _write(folder, training, validation, recipe):
    write_records(folder / "train.rec", training)
    write_records(folder / "validation.rec", validation)
    (folder / "recipe.json").write_text(json.dumps(recipe))


def _write_pictures(folder, pictures, truth):
    for number, picture in enumerate(pictures):
        (folder / f"{number}.jpg").write_bytes(picture)
    (folder / "truth.json").write_text(json.dumps(truth))


def _flipped(label, picture):
    pixels = cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR)
    header, kind, (xmin, ymin, xmax, ymax) = label[:2], label[2], label[3:]
    mirrored = cv2.imencode(".jpg", cv2.flip(pixels, 1))[1].tobytes()
    return [*header, kind, 1 - xmax, ymin, 1 - xmin, ymax], mirrored
