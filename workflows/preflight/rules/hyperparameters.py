"""Hyperparameters of the built-in algorithms, each by itself: names and values."""

from collections.abc import Iterator
from dataclasses import replace

from workflows.definition.errors import did_you_mean
from workflows.preflight.builtin.algorithm import Algorithm
from workflows.preflight.checks import Check
from workflows.preflight.context import Context
from workflows.preflight.findings import Finding, Path, Rule, Severity
from workflows.preflight.trainings import Training, trainings

_SOURCE = (
    "SageMaker Developer Guide, Object Detection Hyperparameters and Image Classification Hyperparameters"
)
_FAILS = "The training fails when it starts, after its instance was paid for."

UNKNOWN = Rule(
    identifier="unknown-hyperparameter",
    severity=Severity.ERROR,
    title="The built-in algorithm has no such hyperparameter",
    why=_FAILS,
    source=_SOURCE,
    refused_here=True,
)
MISSING = Rule(
    identifier="missing-hyperparameter",
    severity=Severity.ERROR,
    title="A hyperparameter that the built-in algorithm must have is absent",
    why=_FAILS,
    source=_SOURCE,
    refused_here=True,
)
WRONG = Rule(
    identifier="wrong-hyperparameter",
    severity=Severity.ERROR,
    title="A hyperparameter has a value that the built-in algorithm does not take",
    why=_FAILS,
    source=_SOURCE,
)


def _find(context: Context) -> Iterator[Finding]:
    for training in trainings(context):
        algorithm = training.algorithm
        if algorithm is not None:
            yield from _names(training, algorithm)
            yield from _values(training, algorithm)


CHECK = Check(rules=(UNKNOWN, MISSING, WRONG), find=_find)


def _names(training: Training, algorithm: Algorithm) -> Iterator[Finding]:
    known = algorithm.hyperparameters
    given = {name: training.place(name) for name in training.hyperparameters}
    given |= {each.name: (*each.path, "Name") for each in training.tuned}
    for name, path in given.items():
        if name not in known:
            yield UNKNOWN.at(
                path,
                f"{algorithm.title} has no hyperparameter '{name}'{did_you_mean(name, list(known))}",
                "remove or rename it",
            )
    for name, entry in known.items():
        if entry.required and name not in given:
            yield MISSING.at(
                training.hyperparameters_path,
                f"{algorithm.title} needs {name}",
                f"add {name}: {entry.allowed}",
            )


def _values(training: Training, algorithm: Algorithm) -> Iterator[Finding]:
    texts: dict[Path, tuple[str, str]] = {
        training.place(name): (name, value.text)
        for name, value in training.hyperparameters.items()
        if value.text is not None
    }
    for each in training.tuned:
        texts |= {path: (each.name, text) for path, text in each.values.items()}
    for path, (name, text) in texts.items():
        entry = algorithm.hyperparameters.get(name)
        fault = entry.fault(text) if entry else None
        if entry and fault:
            finding = WRONG.at(path, fault, f"write {entry.allowed}")
            yield replace(finding, refused_here=not entry.is_taken_here(text))
