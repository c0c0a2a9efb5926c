"""One SSD network in training: its weights, its optimizer and its losses."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from algorithms.engine import mx
from algorithms.graphs import Symbol
from algorithms.object_detection.data import Batch
from algorithms.object_detection.graph import input_names, training_heads
from algorithms.updates import Updates
from algorithms.weights import Array, Weights, fill

# Keeps the logarithm of a probability finite.
_SMALLEST_PROBABILITY = 1e-8


@dataclass(frozen=True, kw_only=True)
class OptimizerOptions:
    """What the hyperparameters say; each optimizer takes the options that the guide gives it."""

    name: str  # sgd, adam, rmsprop or adadelta
    momentum: float  # sgd only
    weight_decay: float  # sgd and rmsprop only

    def options(self) -> dict[str, float]:
        """Those that this optimizer takes, under MXNet's names."""
        options: dict[str, float] = {}
        if self.name == "sgd":
            options["momentum"] = self.momentum
        if self.name in ("sgd", "rmsprop"):
            options["wd"] = self.weight_decay
        return options


class Trainer:
    """Updates the weights of a training graph batch by batch.

    Args:
        graph: a training graph with MultiBoxTarget and MultiBoxDetection, ours or SageMaker's.
        weights: values to start from; parameters without one get random ones.
        batch_size, image_shape: of the inputs [batch_size, 3, image_shape, image_shape].
        label_shape: (M, B), the objects of a picture and the numbers of an object.
        optimizer: which one, with its options.
        learning_rate: the rate of each update, counted from 0.
        frozen: parameters whose names it matches at their beginning keep their values. Running statistics of
            batch normalisation are no parameters and go on changing, as in MXNet.
    """

    def __init__(
        self,
        graph: Symbol,
        weights: Weights,
        *,
        batch_size: int,
        image_shape: int,
        label_shape: tuple[int, int],
        optimizer: OptimizerOptions,
        learning_rate: Callable[[int], float],
        frozen: re.Pattern[str] | None = None,
    ) -> None:
        data, label = input_names(graph)
        self._heads = heads = training_heads(graph)
        parameters = [name for name in heads.list_arguments() if name not in (data, label)]
        trained = [name for name in parameters if not (frozen and frozen.match(name))]
        self._executor = heads.simple_bind(
            mx.cpu(),
            grad_req={name: "write" if name in trained else "null" for name in heads.list_arguments()},
            **{data: (batch_size, 3, image_shape, image_shape), label: (batch_size, *label_shape)},
        )
        arrays = self._executor.arg_dict
        self._inputs = (arrays[data], arrays[label])
        self.weights = Weights({name: arrays[name] for name in parameters}, dict(self._executor.aux_dict))
        self.frozen = sorted(set(parameters) - set(trained))
        fill(heads, self.weights, weights, mx.init.Xavier())
        self.updates = Updates(
            optimizer.name,
            optimizer.options(),
            parameters={name: arrays[name] for name in trained},
            gradients=self._executor.grad_dict,
            learning_rate=learning_rate,
        )
        self._sums = mx.nd.zeros(3)

    def step(self, batch: Batch) -> None:
        """Update the weights once."""
        data, label = self._inputs
        data[:] = batch.data
        label[:] = batch.label
        cls_prob, loc_loss, cls_label = self._executor.forward(is_train=True)
        self._executor.backward()
        self.updates.update()
        # MXNet runs behind; waiting for the batch before keeps it from queueing up batches without limit.
        self._sums.wait_to_read()
        self._sums = self._sums + _loss_sums(cls_prob, loc_loss, cls_label)

    def take_losses(self) -> tuple[float, float]:
        """Mean cross-entropy and smooth L1 loss of an anchor that takes part, since the last call."""
        cross_entropy, smooth_l1, anchors = (float(value) for value in self._sums.asnumpy())
        self._sums = mx.nd.zeros(3)
        return cross_entropy / max(anchors, 1.0), smooth_l1 / max(anchors, 1.0)

    def resume(self, weights: Weights, updates: int, state: Mapping[str, Array]) -> None:
        """Go on as if `updates` updates had left these weights and this memory of the optimizer."""
        fill(self._heads, self.weights, weights, mx.init.Xavier())
        self.updates.resume(updates, state)


def _loss_sums(cls_prob: Array, loc_loss: Array, cls_label: Array) -> Array:
    """[3]: cross-entropy, smooth L1 loss, and anchors that take part (their class label is not -1)."""
    takes_part = cls_label >= 0
    probability = mx.nd.pick(cls_prob, mx.nd.relu(cls_label), axis=1)
    cross_entropy = -(mx.nd.log(probability + _SMALLEST_PROBABILITY) * takes_part).sum()
    return mx.nd.concat(cross_entropy, loc_loss.sum(), takes_part.sum(), dim=0)
