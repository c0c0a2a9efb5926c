"""How a tuning job chooses what to try: Random, Grid and Bayesian.

All are deterministic: the same space, seed and results lead to the same proposals, so that a tuning job that
is resumed proposes what it had proposed before.
"""

import hashlib
from typing import Protocol

from workflows.local.tuning.space import SearchSpace, Untried, Values

RANDOM, GRID, BAYESIAN, HYPERBAND = "Random", "Grid", "Bayesian", "Hyperband"
# When this many draws in a row were all tried before, hardly anything is left.
_DRAWS = 1000


class Strategy(Protocol):
    """Proposes combinations, one after the other."""

    def propose(self) -> Values | None:
        """What to try next; None when everything was tried."""

    def learn(self, score: float | None) -> None:
        """Take the result of the oldest proposal that has none yet.

        Args:
            score: its objective, higher is better; None if its training job came to none.
        """


class RandomSearch:
    """Even draws from every range, by its scaling."""

    def __init__(self, space: SearchSpace, seed: str) -> None:
        self._space, self._seed = space, seed
        self._untried = Untried(space)
        self._draws = 0

    def propose(self) -> Values | None:
        """What to try next; None when everything was tried."""
        if self._untried.none_left:
            return None
        for _ in range(_DRAWS):
            values = self._space.draw(self._share)
            self._draws += 1
            if self._untried.take(values):
                return values
        return self._untried.take_first()

    def _share(self, name: str) -> float:
        return even(f"{self._seed}/{self._draws}/{name}")

    def learn(self, score: float | None) -> None:
        """Random search does not."""


class GridSearch:
    """Every combination, in the order of the ranges and their values."""

    def __init__(self, space: SearchSpace) -> None:
        self._untried = Untried(space)

    def propose(self) -> Values | None:
        """What to try next; None when everything was tried."""
        return None if self._untried.none_left else self._untried.take_first()

    def learn(self, score: float | None) -> None:
        """Grid search does not."""


def make_strategy(name: str, space: SearchSpace, seed: str) -> Strategy:
    """The strategy of a name that CreateHyperParameterTuningJob knows; not Hyperband."""
    if name == GRID:
        return GridSearch(space)
    if name == RANDOM:
        return RandomSearch(space, seed)
    # Optuna takes a quarter of a second to import, and every command of ours would wait for it.
    from workflows.local.tuning.bayesian import BayesianSearch

    return BayesianSearch(space, seed)


def even(text: str) -> float:
    """A number in [0, 1) that looks random and is the same for the same text, on every machine."""
    bits = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8]) >> 11
    return bits / 2**53  # a float has 53 bits
