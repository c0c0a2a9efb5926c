"""Bayesian search, by Optuna's tree-structured Parzen estimator.

SageMaker's own is not public; what both have in common is that they learn from the results so far. Optuna
keeps its study in memory and is never allowed to write anything.
"""

import hashlib
import logging
from collections import deque

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import Trial, TrialState

from workflows.local.tuning.ranges import LOGARITHMIC, REVERSE_LOGARITHMIC, Categorical, Integer, Range
from workflows.local.tuning.space import SearchSpace, Untried, Values

# Drawn evenly before anything is learnt. Optuna's own 10 would be half of a typical tuning job.
_STARTUP_TRIALS = 5
# When this many proposals in a row were tried before, the space is nearly exhausted or the estimator sure.
_ASKS = 25
# The estimator gives every integer a weight of its own; from about 10^13 integers on, that weight is zero.
_MAX_INTEGERS = 2**32

optuna.logging.disable_default_handler()
# Without any handler Python would write warnings to stderr after all.
logging.getLogger("optuna").addHandler(logging.NullHandler())


class BayesianSearch:
    """Values near those that gave good results, and away from those that gave bad ones."""

    def __init__(self, space: SearchSpace, seed: str) -> None:
        self._space, self._untried = space, Untried(space)
        self._distributions = {entry.name: _distribution(entry) for entry in space.ranges}
        self._waiting: deque[Trial] = deque()
        sampler = optuna.samplers.TPESampler(
            n_startup_trials=_STARTUP_TRIALS,
            # Proposals of one batch keep their distance from each other.
            constant_liar=True,
            seed=int.from_bytes(hashlib.sha256(seed.encode()).digest()[:4]),
        )
        self._study = optuna.create_study(direction="maximize", sampler=sampler)

    def propose(self) -> Values | None:
        """What to try next; None when everything was tried."""
        if self._untried.none_left:
            return None
        for _ in range(_ASKS):
            trial = self._study.ask(self._distributions)
            values = {entry.name: _text(entry, trial) for entry in self._space.ranges}
            if self._untried.take(values):
                self._waiting.append(trial)
                return values
            self._study.tell(trial, state=TrialState.FAIL)
        return self._first_left()

    def _first_left(self) -> Values:
        values = self._untried.take_first()
        # Only spaces without continuous ranges run out of combinations.
        self._study.enqueue_trial(
            {
                entry.name: int(values[entry.name]) if isinstance(entry, Integer) else values[entry.name]
                for entry in self._space.ranges
            }
        )
        self._waiting.append(self._study.ask(self._distributions))
        return values

    def learn(self, score: float | None) -> None:
        """Take the result of the oldest proposal that has none yet."""
        trial = self._waiting.popleft()
        if score is None:
            self._study.tell(trial, state=TrialState.FAIL)
        else:
            self._study.tell(trial, score)


def _distribution(entry: Range) -> BaseDistribution:
    if isinstance(entry, Categorical):
        return CategoricalDistribution(entry.values)
    if isinstance(entry, Integer) and entry.count > _MAX_INTEGERS:
        return FloatDistribution(entry.low, entry.high, log=entry.scaling == LOGARITHMIC)
    if isinstance(entry, Integer):
        return IntDistribution(entry.low, entry.high, log=entry.scaling == LOGARITHMIC)
    if entry.scaling == REVERSE_LOGARITHMIC:
        return FloatDistribution(1 - entry.high, 1 - entry.low, log=True)
    return FloatDistribution(entry.low, entry.high, log=entry.scaling == LOGARITHMIC)


def _text(entry: Range, trial: Trial) -> str:
    value = trial.params[entry.name]
    if isinstance(entry, Categorical):
        return str(value)
    if isinstance(entry, Integer):
        return entry.text(value)
    return entry.text(1 - value if entry.scaling == REVERSE_LOGARITHMIC else value)
