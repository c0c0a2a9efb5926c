"""One classification network in training: its weights, its gradients and its accuracy."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from algorithms.engine import mx
from algorithms.graphs import Symbol, data_name
from algorithms.image_classification.data import Batch
from algorithms.image_classification.network import logits_graph
from algorithms.image_classification.settings import Settings
from algorithms.updates import Updates
from algorithms.weights import Array, Weights, fill

# Keeps the logarithm of a probability finite.
_SMALLEST_PROBABILITY = 1e-8
# A class with very few pictures must not drown all others.
_LARGEST_CLASS_WEIGHT = 100.0


@dataclass(frozen=True)
class Tally:
    """How a training epoch went so far, over all its pictures."""

    loss: float  # mean cross-entropy
    accuracy: float
    top_k_accuracy: float  # 0 where the job asks for none


class Trainer:
    """Updates the weights of a classification graph batch by batch.

    The gradients are those of the graph's own output operator, SoftmaxOutput or LogisticRegressionOutput,
    averaged over a batch. They are computed here from the last layer's numbers, because use_weighted_loss
    needs gradients that no operator gives.

    Args:
        graph: a classification graph, ours or SageMaker's.
        weights: values to start from; parameters without one get random ones.
        settings: what the job asks for.
        class_weights: [num_classes], the weight of a label 1 of each class in the multi-label loss.
        learning_rate: the rate of each update, counted from 0.
    """

    def __init__(
        self,
        graph: Symbol,
        weights: Weights,
        settings: Settings,
        *,
        class_weights: NDArray[np.float32] | None,
        learning_rate: Callable[[int], float],
    ) -> None:
        self._settings = settings
        symbol = logits_graph(graph)
        data = data_name(symbol)
        parameters = [name for name in symbol.list_arguments() if name != data]
        self._executor = symbol.simple_bind(
            mx.cpu(),
            grad_req={name: "null" if name == data else "write" for name in symbol.list_arguments()},
            **{data: (settings.mini_batch_size, *settings.image_shape)},
        )
        arrays = self._executor.arg_dict
        self._input = arrays[data]
        self._symbol = symbol
        self.weights = Weights({name: arrays[name] for name in parameters}, dict(self._executor.aux_dict))
        self._fill(weights)
        self.updates = Updates(
            settings.optimizer,
            settings.optimizer_options,
            parameters=self.weights.args,
            gradients=self._executor.grad_dict,
            learning_rate=learning_rate,
        )
        self._class_weights = _row(class_weights) if class_weights is not None else None
        self.begin_epoch()

    def begin_epoch(self) -> None:
        """Count from nothing."""
        self._sums, self._counted = mx.nd.zeros(3), 0

    def step(self, batch: Batch) -> None:
        """Update the weights once."""
        self._input[:] = batch.data
        label = batch.label.copy()
        (logits,) = self._executor.forward(is_train=True)
        if self._settings.multi_label:
            sums, gradient = self._multi_label(logits, label)
        else:
            sums, gradient = self._single_label(logits, label)
        self._executor.backward([gradient])
        self.updates.update()
        # MXNet runs behind; waiting for the batch before keeps it from queueing up batches without limit.
        self._sums.wait_to_read()
        self._sums = self._sums + sums
        self._counted += self._settings.mini_batch_size

    def tally(self) -> Tally:
        """What `begin_epoch` began, so far."""
        values = self._sums.asnumpy() / max(self._counted, 1)
        return Tally(*(float(value) for value in values))

    def resume(self, weights: Weights, updates: int, state: Mapping[str, Array]) -> None:
        """Go on as if `updates` updates had left these weights and this memory of the optimizer."""
        self._fill(weights)
        self.updates.resume(updates, state)

    def _fill(self, weights: Weights) -> None:
        initializer = mx.init.Xavier(rnd_type="gaussian", factor_type="in", magnitude=2)
        fill(self._symbol, self.weights, weights, initializer)

    def _single_label(self, logits: Array, label: Array) -> tuple[Array, Array]:
        """Sums [loss, hits, hits among the first k] and the gradient [N, C] of a batch."""
        probabilities = mx.nd.softmax(logits, axis=1)
        truth = mx.nd.one_hot(label, self._settings.num_classes)
        own = mx.nd.pick(probabilities, label, axis=1)
        loss = -mx.nd.log(own + _SMALLEST_PROBABILITY).sum()
        hits = (mx.nd.argmax(probabilities, axis=1) == label).sum()
        top = mx.nd.zeros(1)
        if self._settings.top_k is not None:
            better = mx.nd.broadcast_greater(probabilities, own.expand_dims(1)).sum(axis=1)
            top = (better < self._settings.top_k).sum()
        return mx.nd.concat(loss, hits, top, dim=0), (probabilities - truth) / len(label)

    def _multi_label(self, logits: Array, label: Array) -> tuple[Array, Array]:
        """As for one label; loss and hits are means over the classes."""
        probabilities = mx.nd.sigmoid(logits)
        weight: Any = 1.0
        if self._class_weights is not None:
            weight = 1 + mx.nd.broadcast_mul(label, self._class_weights - 1)
        right = label * probabilities + (1 - label) * (1 - probabilities)
        loss = -(weight * mx.nd.log(right + _SMALLEST_PROBABILITY)).mean(axis=1).sum()
        hits = ((probabilities > 0.5) == label).mean(axis=1).sum()
        gradient = weight * (probabilities - label) / label.size
        return mx.nd.concat(loss, hits, mx.nd.zeros(1), dim=0), gradient


def class_weights(class_counts: NDArray[np.int64], pictures: int) -> NDArray[np.float32]:
    """For each class [num_classes] the pictures without it for each one with it, so that both count alike.

    At most 100; 1 for a class that no picture has.
    """
    positive = np.maximum(class_counts, 1)
    weights = np.clip((pictures - class_counts) / positive, 1 / _LARGEST_CLASS_WEIGHT, _LARGEST_CLASS_WEIGHT)
    return np.where(class_counts > 0, weights, 1.0).astype(np.float32)


def _row(values: NDArray[np.float32]) -> Array:
    # Not mx.nd.array(), which asks SciPy for a name that SciPy is about to drop.
    array = mx.nd.empty((1, len(values)))
    array[:] = values[None]
    return array
