"""When the learning rate falls and when training stops early. Pure arithmetic, no MXNet."""

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class LearningRate:
    """The learning rate of each update, counted from 0.

    Attributes:
        base: the hyperparameter learning_rate.
        steps: updates from which on the rate is multiplied by `factor` once more, ascending.
        factor: in (0, 1).
        warm_up: the first updates, over which the rate rises evenly to `base`. Not SageMaker's: networks that
            start from random weights diverge or crawl at rates that serve them well a moment later. It is
            short (see `warm_up_updates`) and every later update has exactly the rate that the
            hyperparameters say.
    """

    base: float
    steps: tuple[int, ...] = ()
    factor: float = 0.1
    warm_up: int = 0

    def at(self, update: int) -> float:
        """The rate of one update."""
        rate = self.base * self.factor ** sum(update >= step for step in self.steps)
        return rate * min((update + 1) / (self.warm_up + 1), 1.0)


def warm_up_updates(updates_in_epoch: int, *, from_scratch: bool) -> int:
    """Half an epoch and at most 500 updates from random weights, none when going on from trained ones."""
    return min(updates_in_epoch // 2, 500) if from_scratch else 0


@dataclass(frozen=True, kw_only=True)
class EarlyStopping:
    """SageMaker's rule: stop when the validation score has not risen for `patience` epochs.

    Attributes:
        min_epochs: epochs that are always run.
        patience: epochs to wait for a better score.
        tolerance: relative gain over the best score that counts as better; 0: any gain.
    """

    min_epochs: int
    patience: int
    tolerance: float

    def stops_after(self, scores: Sequence[float]) -> bool:
        """Whether to stop, given the score of every epoch so far."""
        if len(scores) < self.min_epochs:
            return False
        best, best_epoch = -math.inf, 0
        for epoch, score in enumerate(scores):
            if best == -math.inf or score > best * (1 + self.tolerance):
                best, best_epoch = score, epoch
        return len(scores) - 1 - best_epoch >= self.patience
