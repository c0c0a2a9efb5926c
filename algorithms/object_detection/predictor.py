"""Serves an Object Detection artifact over HTTP."""

import logging
import os

import numpy as np

from algorithms.object_detection import artifact
from algorithms.object_detection.artifact import Artifact
from algorithms.object_detection.detector import Detector
from algorithms.object_detection.pictures import to_input
from algorithms.serving import server
from algorithms.serving.pictures import CONTENT_TYPES, decode_body
from processing_scripts import contract
from processing_scripts.contract import JobError

_log = logging.getLogger(__name__)


class DetectionPredictor:
    """Answers one picture with its detections.

    Answers: {"prediction": [[class, score, xmin, ymin, xmax, ymax], ...]}, the class as a float, corners as
    fractions of the picture, highest score first, at most detector.MAX_DETECTIONS rows and no threshold.
    """

    content_types = CONTENT_TYPES

    def __init__(self, model: Artifact) -> None:
        self._side = _image_shape(model)
        self._detector = Detector(model.graph, model.weights, batch_size=1, image_shape=self._side)
        # The first pass is thirty times slower than every later one.
        self._detector.detect(np.zeros((1, 3, self._side, self._side), dtype=np.float32))

    def predict(self, body: bytes) -> dict[str, list[list[float]]]:
        """Detect the objects in an encoded picture.

        Raises:
            UnusableRequest: the body is no picture that can be decoded.
        """
        picture = decode_body(body)
        (rows,) = self._detector.detect(to_input(picture, self._side)[None])
        return {"prediction": [[float(value) for value in row] for row in rows]}


def load_predictor() -> DetectionPredictor:
    """The predictor for the artifact in /opt/ml/model, warmed up."""
    model = artifact.load(contract.model_dir())
    predictor = DetectionPredictor(model)
    _log.info("Loaded the model in %s", contract.model_dir())
    return predictor


def serve() -> None:
    """Run the server until SIGTERM.

    Raises:
        JobError: the artifact cannot be used, or the port cannot be bound.
    """
    server.serve(load_predictor, server.options_from_environment(os.environ))


def _image_shape(model: Artifact) -> int:
    text = model.hyperparameters.get("image_shape", "")
    if not text.isdecimal():
        raise JobError(
            f"{contract.model_dir()}: {artifact.HYPERPARAMETERS_FILE} does not tell the model's image_shape; "
            'add {"image_shape": "..."} as the model was trained'
        )
    return int(text)
