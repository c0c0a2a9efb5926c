"""The updates of a network's weights by one of MXNet's optimizers, which can be stopped and gone on with."""

from collections.abc import Callable, Mapping

from algorithms.engine import mx
from algorithms.weights import Array


class Updates:
    """Changes parameters along their gradients, one update after the other.

    Args:
        optimizer: MXNet's name of the optimizer.
        options: its options, without the learning rate.
        parameters: the arrays to change, by name.
        gradients: an array of the same shape for each, in which its gradient is found at every update.
        learning_rate: the rate of each update, counted from 0.
    """

    def __init__(
        self,
        optimizer: str,
        options: Mapping[str, float],
        *,
        parameters: Mapping[str, Array],
        gradients: Mapping[str, Array],
        learning_rate: Callable[[int], float],
    ) -> None:
        self._name, self._options = optimizer, options
        self._parameters, self._learning_rate = parameters, learning_rate
        self._gradients = [gradients[name] for name in parameters]
        self.count = 0
        self.resume(0, {})

    def update(self) -> None:
        """Make the next update."""
        self._optimizer.set_learning_rate(self._learning_rate(self.count))
        self._updater(list(range(len(self._parameters))), self._gradients, list(self._parameters.values()))
        self.count += 1

    def state(self) -> dict[str, Array]:
        """The optimizer's memory, such as momentum: `parameter/number` -> array."""
        names = list(self._parameters)
        return {
            f"{names[index]}/{number}": array
            for index, state in self._updater.states.items()
            for number, array in enumerate(_as_tuple(state))
        }

    def resume(self, count: int, state: Mapping[str, Array]) -> None:
        """Go on as if `count` updates had left this memory of the optimizer; none at all if it is empty."""
        self.count = count
        self._optimizer = mx.optimizer.create(
            self._name,
            param_idx2name=dict(enumerate(self._parameters)),  # by name it exempts biases from weight decay
            begin_num_update=count,
            rescale_grad=1.0,  # the gradients are of a mean already
            **self._options,
        )
        self._updater = mx.optimizer.get_updater(self._optimizer)
        if not state:
            return
        for index, (name, parameter) in enumerate(self._parameters.items()):
            fresh = self._optimizer.create_state_multi_precision(index, parameter)
            for number, array in enumerate(_as_tuple(fresh)):
                array[:] = state[f"{name}/{number}"]
            self._updater.states[index] = fresh
            self._updater.states_synced[index] = True


def _as_tuple(state: Array) -> tuple[Array, ...]:
    if state is None:
        return ()
    return tuple(state) if isinstance(state, list | tuple) else (state,)
