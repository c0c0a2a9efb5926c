"""Which steps can start next, and which never will.

A step waits until all that it needs has ended. It runs if each of those has ended as it wants: well, unless
its DependsOn names another outcome (a run condition). After a failure nothing new starts, as on SageMaker,
except what answers the failure by a run condition, and what hangs on that.
"""

from collections import deque
from collections.abc import Mapping
from graphlib import TopologicalSorter

from workflows.definition.model import Step
from workflows.local.journal import FAILED, STOPPED, SUCCEEDED
from workflows.local.planner import Plan
from workflows.local.steps import Progress

# Trigger of a DependsOn entry -> the outcomes that let the step run.
_OUTCOMES: Mapping[str, tuple[str, ...]] = {
    "Completed": (SUCCEEDED,),
    "Failed": (FAILED,),
    "Stopped": (STOPPED,),
    "Any": (SUCCEEDED, FAILED, STOPPED),
}


class Upcoming:
    """The steps of a plan that have not started yet; used by one thread."""

    def __init__(self, plan: Plan, progress: Progress) -> None:
        self._steps, self._needs, self._progress = plan.definition.steps, plan.definition.needs, progress
        self._chosen = frozenset(plan.order)
        self._position = {name: index for index, name in enumerate(self._steps)}
        self._ready: deque[str] = deque()
        self._answers: set[str] = set()  # steps that run because another has failed, and what hangs on them
        self._sorter = TopologicalSorter(self._needs)
        self._sorter.prepare()

    def take(self) -> Step | None:
        """The next step that can start now, or None."""
        self._look()
        if self._failures():
            self._ready = deque(name for name in self._ready if name in self._answers)
        return self._steps[self._ready.popleft()] if self._ready else None

    def done(self, step: Step) -> None:
        """A step that was taken has ended."""
        self._sorter.done(step.name)

    def unanswered_failures(self) -> list[str]:
        """The steps that have failed without another one that ran for that reason."""
        answered = {
            need for name in self._answers for need in self._steps[name].triggers if self._has_ended(name)
        }
        return [name for name in self._failures() if name not in answered]

    def _look(self) -> None:
        """Sort what may be next into what is ready and what never runs, in document order."""
        while fresh := self._sorter.get_ready():
            for name in sorted(fresh, key=self._position.__getitem__):
                if self._runs(name):
                    self._ready.append(name)
                else:
                    self._sorter.done(name)

    def _runs(self, name: str) -> bool:
        """Whether a step runs at all, now that all that it needs is settled."""
        if self._has_ended(name) or name not in self._chosen:
            return False
        step = self._steps[name]
        branch = step.branch
        if branch is not None and self._progress.outcomes.get(branch.condition) is (not branch.outcome):
            return False
        if not all(self._is_as_wanted(step, need) for need in self._needs[name]):
            return False
        if any(
            self._progress.statuses[need] == FAILED or need in self._answers for need in self._needs[name]
        ):
            self._answers.add(name)
        return True

    def _is_as_wanted(self, step: Step, need: str) -> bool:
        trigger = step.triggers.get(need, "Completed")
        return self._progress.statuses.get(need) in _OUTCOMES[trigger]

    def _has_ended(self, name: str) -> bool:
        return name in self._progress.statuses

    def _failures(self) -> list[str]:
        return [name for name, status in self._progress.statuses.items() if status == FAILED]
