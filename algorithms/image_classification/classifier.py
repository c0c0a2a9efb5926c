"""Probabilities from a trained graph; validation during training and the server both take them from here."""

import numpy as np
from numpy.typing import NDArray

from algorithms.engine import mx
from algorithms.graphs import Symbol, data_name
from algorithms.image_classification.network import inference_graph
from algorithms.image_classification.settings import ImageShape
from algorithms.weights import Weights, check_fit

Floats = NDArray[np.float32]


class Classifier:
    """A classification network for inference.

    The arrays of `weights` are used as they are and not copied, so the classifier of a network in training
    always sees its newest weights.

    Raises:
        JobError: a parameter of the graph is missing in `weights` or has another shape.
    """

    def __init__(self, graph: Symbol, weights: Weights, *, batch_size: int, image_shape: ImageShape) -> None:
        symbol = inference_graph(graph)
        data = data_name(symbol)
        shape = (batch_size, *image_shape)
        check_fit(symbol, weights, {data: shape})
        self._input = mx.nd.zeros(shape)
        args = {name: weights.args[name] for name in symbol.list_arguments() if name != data}
        aux = {name: weights.aux[name] for name in symbol.list_auxiliary_states()}
        self._executor = symbol.bind(
            mx.cpu(), args={**args, data: self._input}, grad_req="null", aux_states=aux
        )

    def classify(self, inputs: Floats) -> Floats:
        """float32 [N, num_classes] for inputs [N, 3, H, W], N at most the batch size."""
        # A smaller last batch leaves old pictures in the rest of the input; what they give is not read.
        self._input[: len(inputs)] = inputs
        (found,) = self._executor.forward(is_train=False)
        probabilities: Floats = found[: len(inputs)].asnumpy()
        return probabilities
