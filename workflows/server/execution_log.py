"""Lines about executions in the server's log, each one JSON object."""

import json
import logging

from workflows.definition.model import JSON, Step
from workflows.local.attempts import Retry

_LOG = logging.getLogger("workflows.server.executions")


class ExecutionLog:
    """A listener that logs what happens to an execution; what its jobs write is in their own logs."""

    def __init__(self, execution_id: str) -> None:
        self._id = execution_id

    def event(self, event: str, **fields: JSON) -> None:
        """Log one event."""
        _LOG.info("%s", json.dumps({"event": event, "execution": self._id, **fields}))

    def step_started(self, step: Step) -> None:
        """A step's work begins."""
        self.event("step-started", step=step.name, type=step.type)

    def step_retried(self, step: Step, retry: Retry) -> None:
        """A step is tried again."""
        self.event(
            "step-retried",
            step=step.name,
            attempt=retry.attempt,
            delay_s=retry.delay_s,
            reason=retry.reason,
        )

    def step_ended(self, step: Step, *, status: str, seconds: float, note: str) -> None:
        """A step has ended."""
        self.event("step-ended", step=step.name, status=status, seconds=round(seconds, 3), note=note)

    def log_line(self, step: str, line: str) -> None:
        """Nothing: the line is in the job's own log."""

    def metric(self, step: str, name: str, value: float) -> None:
        """Nothing: the metric is in the job's record."""
