"""Follows an execution to its end by asking how far it is."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from botocore.exceptions import BotoCoreError, ClientError

from workflows.aws import executions
from workflows.aws.clients import Clients
from workflows.aws.errors import Unreachable, code_of
from workflows.aws.logs import Tail, tail_of_step
from workflows.aws.metrics import Patterns
from workflows.definition.errors import Failed
from workflows.definition.records import Record, last_part, source_of

_WORKING = ("Starting", "Executing", "Stopping")
_PASSING = (
    "ThrottlingException",
    "Throttling",
    "ServiceUnavailable",
    "InternalFailure",
    "InternalServerError",
)
# So many times in a row nothing may answer before watching ends.
_MOST_TROUBLES = 10


class StillGoing(Failed):
    """The time that somebody wanted to watch is over; the execution goes on."""


class Listener(Protocol):
    """Is told what happens."""

    def step_started(self, step: Record, step_type: str) -> None:
        """A step's work has begun."""

    def step_tried_again(self, step: Record) -> None:
        """A step has failed, and its retry policy answers."""

    def step_ended(self, step: Record, step_type: str) -> None:
        """A step has ended, in whichever way."""

    def log_line(self, step: str, step_type: str, line: str) -> None:
        """A step's job wrote a line."""

    def metric(self, step: str, name: str, value: float) -> None:
        """A step's training published a metric."""

    def trouble(self, text: str) -> None:
        """Nothing answered; it will be asked again."""


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How long to wait between two looks: longer and longer while nothing changes."""

    shortest_s: float
    longest_s: float
    growth: float = 1.5

    def after(self, wait_s: float, *, changed: bool) -> float:
        """The next wait."""
        return self.shortest_s if changed else min(self.longest_s, wait_s * self.growth)


# Nothing is charged for a look, but an account has a rate for all of its calls.
ON_AWS = Pace(shortest_s=5, longest_s=30)
HERE = Pace(shortest_s=0.05, longest_s=0.4)


@dataclass(kw_only=True)
class Watch:
    """One execution that is followed.

    Args:
        clients: where it runs.
        arn: of the execution.
        step_types: step -> type, from its definition.
        listener: is told what happens.
        pace: of looking.
        follow_logs: whether the listener is told what jobs write and publish.
        limit_s: how long to watch; None: to the end.
        sleep: waits so many seconds.
        clock: seconds from anywhere.
    """

    clients: Clients
    arn: str
    step_types: Mapping[str, str]
    listener: Listener
    pace: Pace
    follow_logs: bool = False
    limit_s: float | None = None
    sleep: Callable[[float], object] = time.sleep
    clock: Callable[[], float] = time.monotonic
    _seen: dict[str, Record] = field(default_factory=dict)
    _tails: dict[str, tuple[Tail, Patterns]] = field(default_factory=dict)  # by job
    _troubles: int = 0

    def to_the_end(self) -> Record:
        """Return the execution's description once it has ended.

        Raises:
            StillGoing: the time is over.
            CloudError: nothing has answered for long, or the call is refused.
        """
        started, wait_s = self.clock(), self.pace.shortest_s
        while True:
            ended, changed = self._look_in_peace()
            if ended is not None:
                return ended
            wait_s = self.pace.after(wait_s, changed=changed)
            if self.limit_s is not None and self.clock() - started + wait_s > self.limit_s:
                name = last_part(self.arn)
                raise StillGoing(
                    f"execution {name} has not ended within {self.limit_s:g} s; it goes on: "
                    f"workflows watch {name}"
                )
            self.sleep(wait_s)

    def _look_in_peace(self) -> tuple[Record | None, bool]:
        try:
            looked = self._look()
        except (ClientError, BotoCoreError) as error:
            if isinstance(error, ClientError) and code_of(error) not in _PASSING:
                raise
            self._troubles += 1
            if self._troubles == _MOST_TROUBLES:
                raise Unreachable(
                    f"{error}; asked {_MOST_TROUBLES} times. The execution goes on: {self.arn}"
                ) from None
            self.listener.trouble(str(error))
            return None, False
        self._troubles = 0
        return looked

    def _look(self) -> tuple[Record | None, bool]:
        steps = executions.steps(self.clients, self.arn)
        changed = self._tell(steps)
        if any(step["StepStatus"] in _WORKING for step in steps):
            return None, changed
        record = executions.describe(self.clients, self.arn)
        if record["PipelineExecutionStatus"] in executions.GOING_ON:
            return None, changed
        # The last ones may have come in between.
        self._tell(executions.steps(self.clients, self.arn))
        return record, True

    def _tell(self, steps: list[Record]) -> bool:
        changes = [self._tell_of(step) for step in steps]
        return any(changes)

    def _tell_of(self, step: Record) -> bool:
        name = str(step["StepName"])
        before, step_type = self._seen.get(name), self.step_types.get(name, "")
        ended, had_ended = _has_ended(step), before is not None and _has_ended(before)
        # One that works again after its end is retried with its execution.
        is_new = before is None or (had_ended and not ended)
        if is_new:
            self.listener.step_started(step, step_type)
        if _attempts(step) > (1 if is_new or before is None else _attempts(before)):
            self.listener.step_tried_again(step)
        if self.follow_logs and not (had_ended and ended):
            self._tell_lines(name, step_type, step)
        self._seen[name] = step
        if ended and not had_ended:
            self.listener.step_ended(step, step_type)
        return is_new or ended != had_ended

    def skip_what_was(self) -> None:
        """Leave out what steps and jobs have come to so far: before an execution goes on."""
        for step in executions.steps(self.clients, self.arn):
            self._seen[str(step["StepName"])] = step
            self._lines(step)

    def _tell_lines(self, name: str, step_type: str, step: Record) -> None:
        for line, patterns in self._lines(step):
            self.listener.log_line(name, step_type, line)
            for metric, value in patterns.find(line):
                self.listener.metric(name, metric, value)

    def _lines(self, step: Record) -> list[tuple[str, Patterns]]:
        """New lines of a step's job, with the metrics to look for in them."""
        found = None if source_of(step) else tail_of_step(self.clients, step)
        if found is None:
            return []  # it has no job, or an earlier one
        if found.prefix not in self._tails:
            job = executions.described(self.clients, step, "TrainingJob")
            self._tails[found.prefix] = found, Patterns(job or {})
        tail, patterns = self._tails[found.prefix]
        return [(line.text, patterns) for line in tail.read()]


def _attempts(step: Record) -> int:
    count = step.get("AttemptCount")
    return count if isinstance(count, int) else 1


def _has_ended(step: Record) -> bool:
    return step["StepStatus"] not in _WORKING
