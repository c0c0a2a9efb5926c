"""Follows an execution to its end by asking how far it is."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from botocore.exceptions import BotoCoreError, ClientError

from workflows.aws import executions
from workflows.aws.clients import Clients
from workflows.aws.errors import Unreachable, is_passing
from workflows.aws.logs import StepLog
from workflows.aws.metrics import Patterns
from workflows.definition.errors import Failed
from workflows.definition.records import Record, last_part, source_of

_WORKING = ("Starting", "Executing", "Stopping")
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
    _logs: dict[str, StepLog] = field(default_factory=dict)  # by step
    _patterns: dict[str, Patterns] = field(default_factory=dict)  # by the job's ARN
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
            left_s = wait_s if self.limit_s is None else self.limit_s - (self.clock() - started)
            if left_s <= 0:
                raise StillGoing(
                    f"execution {last_part(self.arn)} has not ended within {self.limit_s:g} s; it goes on"
                )
            self.sleep(min(wait_s, left_s))

    def _look_in_peace(self) -> tuple[Record | None, bool]:
        try:
            looked = self._look()
        except (ClientError, BotoCoreError) as error:
            if not is_passing(error):
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
        # Of a step that was retried with its execution, the latest run counts.
        latest = {str(step["StepName"]): step for step in steps}
        changes = [self._tell_of(name, step) for name, step in latest.items()]
        return any(changes)

    def _tell_of(self, name: str, step: Record) -> bool:
        before, ended = self._seen.get(name), _has_ended(step)
        if before and _is_same_run(before, step) and _has_ended(before):
            return False
        step_type = self.step_types.get(name, "")
        is_new = before is None or not _is_same_run(before, step)
        if is_new:
            self.listener.step_started(step, step_type)
        if _attempts(step) > (1 if is_new or before is None else _attempts(before)):
            self.listener.step_tried_again(step)
        if self.follow_logs:
            self._tell_lines(name, step_type, step)
        self._seen[name] = step
        if ended:
            self.listener.step_ended(step, step_type)
        return is_new or ended

    def skip_what_was(self) -> None:
        """Leave out what steps have come to so far: before an execution goes on."""
        for step in executions.steps(self.clients, self.arn):
            self._seen[str(step["StepName"])] = step

    def _tell_lines(self, name: str, step_type: str, step: Record) -> None:
        if source_of(step):
            return  # its job is an earlier one
        log = self._logs.setdefault(name, StepLog(self.clients))
        for line in log.read(step, last=_has_ended(step)):
            self.listener.log_line(name, step_type, line.text)
            for metric, value in self._patterns_of(log.job, step).find(line.text):
                self.listener.metric(name, metric, value)

    def _patterns_of(self, job: str | None, step: Record) -> Patterns:
        key = job or ""
        if key not in self._patterns:
            described = executions.described(self.clients, step, "TrainingJob")
            self._patterns[key] = Patterns(described or {})
        return self._patterns[key]


def _attempts(step: Record) -> int:
    count = step.get("AttemptCount")
    return count if isinstance(count, int) else 1


def _has_ended(step: Record) -> bool:
    return step["StepStatus"] not in _WORKING


def _is_same_run(before: Record, step: Record) -> bool:
    """Whether a step has not been begun again, as it is when its execution is retried."""
    begun_again = before.get("StartTime") != step.get("StartTime")
    return not (_has_ended(before) and (begun_again or not _has_ended(step)))
