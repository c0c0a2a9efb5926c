"""The metrics that training jobs print, epoch by epoch; SageMaker keeps only the last value of each."""

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress

from workflows.aws.clients import Clients
from workflows.aws.executions import described
from workflows.aws.logs import tail_of_step
from workflows.definition.records import Record, at, objects_of


class Patterns:
    """Metric -> regular expression whose last group is the value, as a training job defines them.

    Those of a built-in algorithm are in DescribeTrainingJob's answer, too.
    """

    def __init__(self, job: Record) -> None:
        entries = objects_of(at(job, "AlgorithmSpecification", "MetricDefinitions"))
        self._patterns = {str(entry["Name"]): re.compile(str(entry["Regex"])) for entry in entries}

    def find(self, line: str) -> Iterator[tuple[str, float]]:
        """The metrics in one line of the job's log."""
        for name, pattern in self._patterns.items():
            found = pattern.search(line)
            if found and found.groups():
                with suppress(ValueError, TypeError):  # an expression may match what is no number, or nothing
                    yield name, float(found.groups()[-1])

    def series(self, lines: Iterable[str]) -> dict[str, list[float]]:
        """Every value of every metric, in the order of the log."""
        values: dict[str, list[float]] = {}
        for line in lines:
            for name, value in self.find(line):
                values.setdefault(name, []).append(value)
        return values


def series(clients: Clients, steps: Sequence[Record], *, prefix: str) -> dict[str, dict[str, list[float]]]:
    """Metric -> training step -> its values, from the logs.

    Args:
        clients: where the logs are.
        steps: of an execution.
        prefix: of the metrics' names, such as validation:.
    """
    found: dict[str, dict[str, list[float]]] = {}
    for step in steps:
        job, tail = described(clients, step, "TrainingJob"), tail_of_step(clients, step)
        if job is None or tail is None:
            continue
        lines = (line.text for line in tail.read(last=True))
        for name, values in Patterns(job).series(lines).items():
            if name.startswith(prefix):
                found.setdefault(name, {})[str(step["StepName"])] = values
    return found
