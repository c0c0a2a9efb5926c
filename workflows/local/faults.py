"""Faults that a run rehearses: what an instance, a quota or the service may do to a step.

`--inject STEP=KIND[:TIMES]` asks for one. Faults of the service end an attempt before its job begins and are
met by the engine (attempts.py); the others happen inside a job and are met by what runs its container.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from workflows.definition.errors import WorkflowError, did_you_mean
from workflows.definition.model import Step

# Kind -> the exception type of retry policies, and the reason in the service's words.
SERVICE_FAULTS: Mapping[str, tuple[str, str]] = {
    "capacity-error": (
        "SageMaker.CAPACITY_ERROR",
        "CapacityError: Unable to provision requested ML compute capacity. Please retry using a different "
        "ML instance type.",
    ),
    "resource-limit": (
        "SageMaker.RESOURCE_LIMIT",
        "ResourceLimitExceeded: The account-level service limit for this instance type is reached. Use AWS "
        "Service Quotas to request an increase.",
    ),
    "throttling": ("Step.THROTTLING", "ThrottlingException: Rate exceeded"),
    "service-fault": ("Step.SERVICE_FAULT", "InternalFailure: The service could not process the request."),
    "internal-error": (
        "SageMaker.JOB_INTERNAL_ERROR",
        "InternalServerError: We encountered an internal error. Please try again.",
    ),
}
JOB_FAULTS = ("spot-interruption", "kill", "timeout", "exit-N")
# Step type -> what can happen inside its job.
_JOB_FAULTS: Mapping[str, tuple[str, ...]] = {
    "Processing": ("exit", "kill", "timeout"),
    "Training": ("exit", "kill", "timeout", "spot-interruption"),
    "Tuning": ("exit", "kill", "timeout", "spot-interruption"),
    "Transform": ("exit", "kill"),
}
_EXIT = re.compile(r"exit-([1-9]\d{0,2})")
_MAX_EXIT_CODE = 255


@dataclass(frozen=True)
class Fault:
    """One rehearsed fault; `code` is that of exit-N."""

    kind: str  # a key of SERVICE_FAULTS, or spot-interruption, kill, timeout, exit
    times: int = 1  # how many attempts meet it
    code: int = 0


def parse_faults(texts: Iterable[str], *, steps: Mapping[str, Step]) -> dict[str, Fault]:
    """["TrainBase=capacity-error:2"] -> step name and fault.

    Raises:
        WorkflowError: not of this form, an unknown step or kind, two faults for one step, or one that the
            step cannot meet.
    """
    found: dict[str, Fault] = {}
    for text in texts:
        step, equals, fault = text.partition("=")
        if not equals:
            raise WorkflowError(f"--inject {text}: write STEP=KIND or STEP=KIND:TIMES")
        if step not in steps:
            raise WorkflowError(
                f"--inject {text}: no step is named '{step}'{did_you_mean(step, list(steps))}"
            )
        if step in found:
            raise WorkflowError(f"--inject {text}: step '{step}' has a fault already")
        found[step] = _parse(fault, text)
        _refuse_what_cannot_happen(found[step], steps[step], text)
    return found


def _refuse_what_cannot_happen(fault: Fault, step: Step, text: str) -> None:
    if fault.kind not in SERVICE_FAULTS and fault.kind not in _JOB_FAULTS.get(step.type, ()):
        raise WorkflowError(
            f"--inject {text}: this does not happen to {step.name}, a {step.type} step; choose one of "
            f"{', '.join(SERVICE_FAULTS)}"
        )
    # A tuning job's definitions say so for each of its training jobs.
    is_spot = step.type == "Tuning" or step.arguments.get("EnableManagedSpotTraining")
    if fault.kind == "spot-interruption" and not is_spot:
        raise WorkflowError(
            f"--inject {text}: only managed spot training is interrupted, and {step.name} is none; compile "
            "the pipeline with spot training, or choose another fault"
        )


def _parse(text: str, whole: str) -> Fault:
    kind, colon, count = text.partition(":")
    if colon and not (count.isascii() and count.isdigit() and int(count) > 0):
        raise WorkflowError(f"--inject {whole}: '{count}' is not how many times; write a number above 0")
    times = int(count) if colon else 1
    if (code := _EXIT.fullmatch(kind)) and int(code[1]) <= _MAX_EXIT_CODE:
        return Fault("exit", times, int(code[1]))
    if kind in SERVICE_FAULTS or kind in JOB_FAULTS[:-1]:
        return Fault(kind, times)
    known = (*SERVICE_FAULTS, *JOB_FAULTS)
    hint = did_you_mean(kind, known) or f"; known: {', '.join(known)}"
    raise WorkflowError(f"--inject {whole}: '{kind}' is no fault{hint}")
