"""Detections from a trained graph; validation during training and the server both take them from here."""

import numpy as np
from numpy.typing import NDArray

from algorithms.engine import mx
from algorithms.graphs import Symbol, data_name
from algorithms.object_detection.graph import inference_graph
from algorithms.weights import Weights, check_fit

# SageMaker's container answers with about this many rows for a picture: 35,964 for 360 in a published run.
MAX_DETECTIONS = 100


class Detector:
    """An SSD network for inference.

    The arrays of `weights` are used as they are and not copied, so the detector of a network in training
    always sees its newest weights.

    Raises:
        JobError: a parameter of the graph is missing in `weights` or has another shape.
    """

    def __init__(self, graph: Symbol, weights: Weights, *, batch_size: int, image_shape: int) -> None:
        symbol = inference_graph(graph)
        data = data_name(symbol)
        shape = (batch_size, 3, image_shape, image_shape)
        check_fit(symbol, weights, {data: shape})
        self._input = mx.nd.zeros(shape)
        args = {name: weights.args[name] for name in symbol.list_arguments() if name != data}
        aux = {name: weights.aux[name] for name in symbol.list_auxiliary_states()}
        self._executor = symbol.bind(
            mx.cpu(), args={**args, data: self._input}, grad_req="null", aux_states=aux
        )

    def detect(self, inputs: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """Find objects.

        Args:
            inputs: [N, 3, S, S] as `pictures.to_input` makes them, N at most the batch size.

        Returns:
            For each picture float32 [K, 6], K at most MAX_DETECTIONS, rows (class, score, xmin, ymin, xmax,
            ymax), highest score first, corners as fractions of the picture.
        """
        # A smaller last batch leaves old pictures in the rest of the input; what they give is not read.
        self._input[: len(inputs)] = inputs
        (found,) = self._executor.forward(is_train=False)
        return [_rows(rows) for rows in found[: len(inputs)].asnumpy()]


def _rows(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Detections proper: class -1 marks a row as empty or suppressed by a stronger one."""
    kept = rows[rows[:, 0] >= 0]
    return kept[np.argsort(-kept[:, 1], kind="stable")][:MAX_DETECTIONS]
