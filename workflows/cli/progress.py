"""What a person sees while an execution runs: plain lines on standard error."""

from collections import Counter

from workflows.cli.common import say
from workflows.definition.model import Step
from workflows.local.attempts import Retry

# Training logs say too much to show; these lines matter to a person.
_LOUD = (" WARNING ", " ERROR ", "ERROR ")


class Progress:
    """Prints the events of an execution; one mark for each kind of line."""

    def __init__(self, *, verbose: bool) -> None:
        """With `verbose`, every line of every job is shown."""
        self._verbose = verbose
        self._types: dict[str, str] = {}
        self._epochs: Counter[tuple[str, str]] = Counter()

    def step_started(self, step: Step) -> None:
        """Say that a step begins."""
        self._types[step.name] = step.type
        if step.type != "Fail":
            say(f"* {step.name} ({step.type})")

    def step_retried(self, step: Step, retry: Retry) -> None:
        """Say why a step is tried again, and when."""
        say(f"* {step.name} failed: {retry.reason}")
        say(f"* {step.name} attempt {retry.attempt} in {retry.delay_s:g} s")

    def step_ended(self, step: Step, *, status: str, seconds: float, note: str) -> None:
        """Say how a step ended; a failure is told at the end of the run."""
        telling = step.type == "Condition" or note.startswith("from the cache")
        outcome = f": {note}" if telling and status == "Succeeded" else ""
        say(f"* {step.name} {status}{outcome} after {seconds:.1f} s")

    def log_line(self, step: str, line: str) -> None:
        """Show a job's line, unless it is one of a training's many."""
        quiet = self._types.get(step) == "Training" and not line.startswith(_LOUD[-1])
        if self._verbose or not quiet or any(mark in line for mark in _LOUD):
            say(f"< {step}  {line}")

    def metric(self, step: str, name: str, value: float) -> None:
        """Show a validation metric."""
        if name.startswith("validation:"):
            say(f"< {step}  epoch {self._epochs[step, name]}  {name} {value:.4f}")
            # Counted from 0, as the algorithms' own logs do.
            self._epochs[step, name] += 1
