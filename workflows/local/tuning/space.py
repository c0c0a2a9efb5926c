"""The space of all combinations of the values of some ranges."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from workflows.local.tuning.ranges import Continuous, Range

Values: TypeAlias = Mapping[str, str]  # hyperparameter -> value


@dataclass(frozen=True)
class SearchSpace:
    """What one training job definition may be given."""

    ranges: tuple[Range, ...]

    @property
    def combinations(self) -> int | None:
        """How many there are; None with a continuous range, which has no number of values."""
        counts = [entry.count for entry in self.ranges if entry.count is not None]
        return math.prod(counts) if len(counts) == len(self.ranges) else None

    def draw(self, share: Callable[[str], float]) -> Values:
        """The combination at some share of each range, by its name."""
        return {entry.name: entry.at(share(entry.name)) for entry in self.ranges}

    def nth(self, index: int) -> Values:
        """The combination at a place in their order, in which the last range varies fastest.

        Only for a space that has a number of combinations.
        """
        values: dict[str, str] = {}
        for entry in reversed(self.ranges):
            if isinstance(entry, Continuous):
                raise TypeError(f"range '{entry.name}' is continuous: its values cannot be counted")
            index, place = divmod(index, entry.count)
            values[entry.name] = entry.nth(place)
        return dict(reversed(values.items()))


class Untried:
    """The combinations of a space that have not been proposed yet.

    SageMaker demands as many combinations as training jobs (where they can be counted), so it never tries
    one twice; nor is that done here.
    """

    def __init__(self, space: SearchSpace) -> None:
        self._space, self._combinations = space, space.combinations
        self._tried: set[tuple[tuple[str, str], ...]] = set()
        self._next = 0  # every combination before this place is tried

    @property
    def none_left(self) -> bool:
        """Whether everything has been proposed."""
        return self._combinations is not None and len(self._tried) >= self._combinations

    def take(self, values: Values) -> bool:
        """Mark a combination as tried; False if it was."""
        key = tuple(sorted(values.items()))
        if self._combinations is None:
            return True
        if key in self._tried:
            return False
        self._tried.add(key)
        return True

    def take_first(self) -> Values:
        """Mark the first one that is left as tried, and return it."""
        while True:
            values = self._space.nth(self._next)
            self._next += 1
            if self.take(values):
                return values
