"""Metrics out of a job's log, as SageMaker finds them with MetricDefinitions."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from workflows.local.request import Request, RequestError


class MetricPatterns:
    """Metric name -> regular expression whose last group is the value."""

    def __init__(self, request: Request, published: Mapping[str, str]) -> None:
        """`published` are those of the algorithm itself; the request's MetricDefinitions come on top.

        Raises:
            RequestError: a Regex is none.
        """
        own = {
            entry.text("Name"): entry.text("Regex")
            for entry in request.requests("AlgorithmSpecification.MetricDefinitions")
        }
        self._patterns = {
            name: _compile(name, regex, request) for name, regex in {**published, **own}.items()
        }

    def find(self, line: str) -> Iterator[tuple[str, float]]:
        """The metrics in one line; what a Regex finds and is no number is none."""
        for name, pattern in self._patterns.items():
            found = pattern.search(line)
            value = _number(found.groups()[-1]) if found else None
            if value is not None:
                yield name, value

    def series(self, log: Path) -> dict[str, list[float]]:
        """Every value of every metric in a log, in its order."""
        found: dict[str, list[float]] = {}
        with log.open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                for name, value in self.find(line):
                    found.setdefault(name, []).append(value)
        return found


def _number(text: str | None) -> float | None:
    try:
        return float(text or "")
    except ValueError:
        return None


def _compile(name: str, regex: str, request: Request) -> "re.Pattern[str]":
    try:
        pattern = re.compile(regex)
    except re.error as error:
        raise RequestError(f"{request.where}: the Regex of metric '{name}' is none: {error}") from None
    if pattern.groups == 0:
        raise RequestError(f"{request.where}: the Regex of metric '{name}' has no group for the value")
    return pattern
