"""Serves an Image Classification artifact over HTTP."""

import logging
import os

import numpy as np

from algorithms.image_classification import artifact
from algorithms.image_classification.artifact import Artifact
from algorithms.image_classification.classifier import Classifier
from algorithms.image_classification.pictures import whole_input
from algorithms.serving import server
from algorithms.serving.pictures import CONTENT_TYPES, decode_body
from processing_scripts import contract
from processing_scripts.contract import JobError

_log = logging.getLogger(__name__)


class ClassificationPredictor:
    """Answers one picture with the probability of every class.

    An endpoint answers with the bare list, a batch transform with {"prediction": [...]}, as SageMaker's
    image does.
    """

    content_types = CONTENT_TYPES

    def __init__(self, model: Artifact, *, batch: bool) -> None:
        if model.image_shape is None:
            raise JobError(
                f"{contract.model_dir()}: no {artifact.SHAPES_FILE} tells the shape of the model's pictures; "
                'add [{"name": "data", "shape": [1, 3, height, width]}] as the model was trained'
            )
        self._shape, self._batch = model.image_shape, batch
        self._classifier = Classifier(model.graph, model.weights, batch_size=1, image_shape=self._shape)
        # The first pass is thirty times slower than every later one.
        self._classifier.classify(np.zeros((1, *self._shape), dtype=np.float32))

    def predict(self, body: bytes) -> list[float] | dict[str, list[float]]:
        """The probabilities for an encoded picture.

        Raises:
            UnusableRequest: the body is no picture that can be decoded.
        """
        picture = decode_body(body)
        (row,) = self._classifier.classify(whole_input(picture, self._shape)[None])
        probabilities = [float(value) for value in row]
        return {"prediction": probabilities} if self._batch else probabilities


def serve() -> None:
    """Run the server until SIGTERM.

    Raises:
        JobError: the artifact cannot be used, or the port cannot be bound.
    """
    options = server.options_from_environment(os.environ)

    def load() -> ClassificationPredictor:
        model = artifact.load(contract.model_dir())
        predictor = ClassificationPredictor(model, batch=options.batch)
        _log.info("Loaded the model in %s from %s", contract.model_dir(), model.params_file)
        return predictor

    server.serve(load, options)
