"""What a tuning job tries next, over all its training job definitions."""

from collections import deque
from dataclasses import dataclass

from workflows.local.tuning.job import TrainingDefinition, TuningJob
from workflows.local.tuning.space import Values
from workflows.local.tuning.strategies import Strategy, make_strategy


@dataclass(frozen=True)
class Proposal:
    """Values that a training job of a definition is to be given."""

    definition: TrainingDefinition
    values: Values


class Search:
    """Takes the definitions in turn; each is searched on its own."""

    def __init__(self, job: TuningJob, seed: str) -> None:
        self._turn = deque(
            (definition, make_strategy(job.strategy, definition.space, f"{seed}/{definition.name or ''}"))
            for definition in job.definitions
        )
        self._waiting: deque[tuple[TrainingDefinition, Strategy]] = deque()

    def propose(self, count: int) -> list[Proposal]:
        """The next proposals; fewer when every combination was tried."""
        proposals: list[Proposal] = []
        while self._turn and len(proposals) < count:
            definition, strategy = self._turn.popleft()
            values = strategy.propose()
            if values is None:
                continue
            self._turn.append((definition, strategy))
            self._waiting.append((definition, strategy))
            proposals.append(Proposal(definition, values))
        return proposals

    def learn(self, value: float | None) -> None:
        """Take the objective of the oldest proposal that has no result yet; None if it came to none."""
        definition, strategy = self._waiting.popleft()
        strategy.learn(None if value is None else definition.objective.score(value))
