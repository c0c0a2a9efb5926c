"""What a person sees while an execution runs: plain lines."""

from collections import Counter
from collections.abc import Callable

from workflows.cli.common import say
from workflows.definition.records import Record, at, seconds_between, source_of

# Training logs say too much to show; these lines matter to a person.
_LOUD = (" WARNING ", " ERROR ", "ERROR ")


class Progress:
    """Prints the events of an execution; one mark for each kind of line."""

    def __init__(
        self,
        *,
        verbose: bool,
        retried_for: Callable[[str], str] = lambda _: "",
        tell: Callable[[str], None] = say,
    ) -> None:
        """Nothing is said before something happens.

        Args:
            verbose: whether to show every line of every job.
            retried_for: why a step is tried again, where that is known.
            tell: is given each line; by default it goes to standard error.
        """
        self._say = tell
        self._verbose = verbose
        self._retried_for = retried_for
        self._epochs: Counter[tuple[str, str]] = Counter()

    def step_started(self, step: Record, step_type: str) -> None:
        """Say that a step begins."""
        if step_type != "Fail" and not at(step, "SelectiveExecutionResult"):
            self._say(f"* {step['StepName']} ({step_type})")

    def step_tried_again(self, step: Record) -> None:
        """Say which try it is."""
        name = str(step["StepName"])
        why = self._retried_for(name)
        self._say(f"* {name} failed, attempt {step['AttemptCount']}{f': {why}' if why else ''}")

    def step_ended(self, step: Record, step_type: str) -> None:
        """Say how a step ended; a failure is told at the end of the run."""
        if at(step, "SelectiveExecutionResult"):
            self._say(f"* {step['StepName']}: result of execution {source_of(step)}")
            return
        name, status = step["StepName"], step["StepStatus"]
        self._say(f"* {name} {status}{_outcome(step, step_type)}{_duration(step)}")

    def log_line(self, step: str, step_type: str, line: str) -> None:
        """Show a job's line, unless it is one of a training's many."""
        quiet = step_type in ("Training", "Tuning") and not line.startswith(_LOUD[-1])
        if self._verbose or not quiet or any(mark in line for mark in _LOUD):
            self._say(f"< {step}  {line}")

    def metric(self, step: str, name: str, value: float) -> None:
        """Show a validation metric."""
        if name.startswith("validation:"):
            self._say(f"< {step}  epoch {self._epochs[step, name]}  {name} {value:.4f}")
            # Counted from 0, as the algorithms' own logs do.
            self._epochs[step, name] += 1

    def trouble(self, text: str) -> None:
        """Say that nothing answered, and that it is asked again."""
        self._say(f"* no answer, will ask again: {text}")


def _duration(step: Record) -> str:
    """Of a step that was stopped before it began there is none."""
    if "StartTime" not in step or "EndTime" not in step:
        return ""
    return f" after {seconds_between(step['StartTime'], step['EndTime']):.1f} s"


def _outcome(step: Record, step_type: str) -> str:
    if step["StepStatus"] != "Succeeded":
        return ""
    if at(step, "CacheHitResult"):
        return f": from the cache: execution {source_of(step)}"
    return f": {at(step, 'Metadata', 'Condition', 'Outcome')}" if step_type == "Condition" else ""
