"""Everything that `workflows` refuses, as one tree.

WorkflowError
├── DefinitionError          the definition itself is wrong
│   ├── DanglingReference    an expression leads nowhere
│   └── DependencyCycle      steps wait for each other
├── ParameterError           a value given for a parameter cannot be taken
├── UnresolvedValue          an expression has no value although the steps before it ended well
├── Failed                   what was asked for was tried, and has not succeeded
└── RefusedByPlan            the definition is right, but this machine cannot run it
"""

from collections.abc import Collection, Iterable
from difflib import get_close_matches


class WorkflowError(Exception):
    """A fault that the user can remove; the message says what, where and how."""


class DefinitionError(WorkflowError):
    """The definition is not one that SageMaker would accept."""


class DanglingReference(DefinitionError):
    """An expression names something that the definition does not contain."""

    def __init__(self, *, where: str, kind: str, name: str, known: Collection[str]) -> None:
        super().__init__(f"{where}: no {kind} is named '{name}'{did_you_mean(name, known)}")
        self.where, self.kind, self.name = where, kind, name


class DependencyCycle(DefinitionError):
    """Steps wait for each other."""

    def __init__(self, steps: Iterable[str]) -> None:
        self.steps = tuple(steps)
        super().__init__(
            f"these steps wait for each other: {' → '.join(self.steps)}; remove one of the references"
        )


class ParameterError(WorkflowError):
    """A value given for a parameter is of the wrong type, not among its choices, missing or unknown."""


class UnresolvedValue(WorkflowError):
    """An expression has no value, although the steps it waits for have ended well."""


class Failed(WorkflowError):
    """What was asked for was tried, and has not succeeded: no wrong use."""


class RefusedByPlan(WorkflowError):
    """This machine cannot run the definition; every reason is in the message."""

    def __init__(self, reasons: Iterable[str]) -> None:
        self.reasons = tuple(reasons)
        super().__init__("cannot run here:\n" + "\n".join(f"  {reason}" for reason in self.reasons))


def did_you_mean(name: str, known: Collection[str]) -> str:
    """A half-sentence to put behind 'X is unknown'."""
    near = get_close_matches(name, known, n=1)
    if near:
        return f"; did you mean '{near[0]}'?"
    return f"; known: {', '.join(sorted(known))}" if 0 < len(known) <= 12 else ""
