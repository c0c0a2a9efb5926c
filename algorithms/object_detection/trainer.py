"""One SSD network in training: its weights, its optimizer and its losses."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from algorithms.engine import mx
from algorithms.object_detection.data import Batch
from algorithms.object_detection.graph import input_names, training_heads
from algorithms.object_detection.network import Symbol
from algorithms.object_detection.weights import Array, Weights

# Keeps the logarithm of a probability finite.
_SMALLEST_PROBABILITY = 1e-8


@dataclass(frozen=True, kw_only=True)
class OptimizerOptions:
    """What the hyperparameters say; each optimizer takes the options that the guide gives it."""

    name: str  # sgd, adam, rmsprop or adadelta
    momentum: float  # sgd only
    weight_decay: float  # sgd and rmsprop only

    def create(self, names: list[str], first_update: int) -> mx.optimizer.Optimizer:
        """MXNet's optimizer for the parameters of these names."""
        options: dict[str, float] = {}
        if self.name == "sgd":
            options["momentum"] = self.momentum
        if self.name in ("sgd", "rmsprop"):
            options["wd"] = self.weight_decay
        return mx.optimizer.create(
            self.name,
            param_idx2name=dict(enumerate(names)),  # by name it exempts biases from weight decay
            begin_num_update=first_update,
            rescale_grad=1.0,  # the losses are already divided by the anchors that take part
            **options,
        )


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
        self._trained = [name for name in parameters if not (frozen and frozen.match(name))]
        self._executor = heads.simple_bind(
            mx.cpu(),
            grad_req={name: "write" if name in self._trained else "null" for name in heads.list_arguments()},
            **{data: (batch_size, 3, image_shape, image_shape), label: (batch_size, *label_shape)},
        )
        arrays = self._executor.arg_dict
        self._inputs = (arrays[data], arrays[label])
        self.weights = Weights({name: arrays[name] for name in parameters}, dict(self._executor.aux_dict))
        self.frozen = sorted(set(parameters) - set(self._trained))
        _initialize(heads, self.weights, weights)
        self._optimizer_options = optimizer
        self._learning_rate = learning_rate
        self._continue(0, {})
        self._sums = mx.nd.zeros(3)

    def step(self, batch: Batch) -> None:
        """Update the weights once."""
        data, label = self._inputs
        data[:] = batch.data
        label[:] = batch.label
        cls_prob, loc_loss, cls_label = self._executor.forward(is_train=True)
        self._executor.backward()
        arguments, gradients = self._executor.arg_dict, self._executor.grad_dict
        self._optimizer.set_learning_rate(self._learning_rate(self.updates))
        self._updater(
            list(range(len(self._trained))),
            [gradients[name] for name in self._trained],
            [arguments[name] for name in self._trained],
        )
        self.updates += 1
        # MXNet runs behind; waiting for the batch before keeps it from queueing up batches without limit.
        self._sums.wait_to_read()
        self._sums = self._sums + _loss_sums(cls_prob, loc_loss, cls_label)

    def take_losses(self) -> tuple[float, float]:
        """Mean cross-entropy and smooth L1 loss of an anchor that takes part, since the last call."""
        cross_entropy, smooth_l1, anchors = (float(value) for value in self._sums.asnumpy())
        self._sums = mx.nd.zeros(3)
        return cross_entropy / max(anchors, 1.0), smooth_l1 / max(anchors, 1.0)

    def optimizer_state(self) -> dict[str, Array]:
        """The optimizer's memory, such as momentum: `parameter/number` -> array."""
        return {
            f"{self._trained[index]}/{number}": array
            for index, state in self._updater.states.items()
            for number, array in enumerate(_as_tuple(state))
        }

    def resume(self, weights: Weights, updates: int, state: Mapping[str, Array]) -> None:
        """Go on as if `updates` updates had left these weights and this memory of the optimizer."""
        _initialize(self._heads, self.weights, weights)
        self._continue(updates, state)

    def _continue(self, updates: int, state: Mapping[str, Array]) -> None:
        self.updates = updates
        self._optimizer = self._optimizer_options.create(self._trained, updates)
        self._updater = mx.optimizer.get_updater(self._optimizer)
        if not state:
            return
        for index, name in enumerate(self._trained):
            fresh = self._optimizer.create_state_multi_precision(index, self._executor.arg_dict[name])
            for number, array in enumerate(_as_tuple(fresh)):
                array[:] = state[f"{name}/{number}"]
            self._updater.states[index] = fresh
            self._updater.states_synced[index] = True


def _initialize(graph: Symbol, target: Weights, given: Weights) -> None:
    """Fill `target` from `given` by name, the rest by MXNet's usual initialiser."""
    attributes = graph.attr_dict()
    initializer = mx.init.Xavier()
    for name, array in target.args.items():
        if name in given.args:
            array[:] = given.args[name]
        else:
            initializer(mx.init.InitDesc(name, attributes.get(name)), array)
    for name, array in target.aux.items():
        if name in given.aux:
            array[:] = given.aux[name]
        else:
            initializer(mx.init.InitDesc(name, attributes.get(name)), array)


def _loss_sums(cls_prob: Array, loc_loss: Array, cls_label: Array) -> Array:
    """[3]: cross-entropy, smooth L1 loss, and anchors that take part (their class label is not -1)."""
    takes_part = cls_label >= 0
    probability = mx.nd.pick(cls_prob, mx.nd.relu(cls_label), axis=1)
    cross_entropy = -(mx.nd.log(probability + _SMALLEST_PROBABILITY) * takes_part).sum()
    return mx.nd.concat(cross_entropy, loc_loss.sum(), takes_part.sum(), dim=0)


def _as_tuple(state: Array) -> tuple[Array, ...]:
    if state is None:
        return ()
    return tuple(state) if isinstance(state, list | tuple) else (state,)
