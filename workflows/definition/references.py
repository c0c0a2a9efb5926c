"""What a step's expressions lead to: whether it exists, may be used there, and must come first."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from workflows.definition.errors import DanglingReference, DefinitionError
from workflows.definition.expressions import (
    EXECUTION,
    EXECUTION_VARIABLES,
    EXPERIMENT,
    PARAMETERS,
    Get,
    JsonGet,
    references,
)
from workflows.definition.model import JSON, Parameter, Step
from workflows.definition.step_types import STEP_TYPES, step_type

# All that Steps.NAME… of a condition can lead to.
_OUTCOME = "Outcome"
_STEP = re.compile(r"Steps\.([A-Za-z0-9_\-]+)")
_OWN_JOB_NAMES = frozenset(kind.own_job for kind in STEP_TYPES.values() if kind.own_job)


@dataclass(frozen=True, kw_only=True)
class Names:
    """Everything in a definition that an expression can name."""

    parameters: Mapping[str, Parameter]
    steps: Mapping[str, Step]
    experiment: Mapping[str, JSON]


def needs(step: Step, names: Names) -> frozenset[str]:
    """The steps that must have ended before this one.

    Raises:
        DefinitionError: one of its references cannot be followed.
    """
    needed = {step.branch.condition} if step.branch else set()
    for name in step.depends_on:
        _check_step(name, step, f"{step.where} DependsOn", names.steps)
        needed.add(name)
    if step.type not in STEP_TYPES:
        return frozenset(needed | _likely_needs(step, names))
    for where, reference in _references(step):
        needed |= _target(reference, step, where, names)
    return frozenset(needed)


def _likely_needs(step: Step, names: Names) -> set[str]:
    # A type that is not known may have expressions of its own, such as those in the body of a ForEach.
    found = (_STEP.match(text) for text in _get_texts([dict(step.arguments), dict(step.fields)]))
    return {match[1] for match in found if match and match[1] in names.steps} - {step.name}


def _get_texts(node: JSON) -> Iterator[str]:
    if isinstance(node, dict) and isinstance(node.get("Get"), str):
        yield str(node["Get"])
    children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    for child in children:
        yield from _get_texts(child)


def check_experiment(names: Names) -> None:
    """Check PipelineExperimentConfig, whose names are known before the first step starts.

    Raises:
        DefinitionError: it refers to something unknown, to a step or to itself.
    """
    for where, reference in references(dict(names.experiment), EXPERIMENT):
        if isinstance(reference, JsonGet) or reference.root not in (PARAMETERS, EXECUTION):
            raise DefinitionError(f"{where}: only parameters and execution variables have a value here")
        if reference.name in _OWN_JOB_NAMES:
            raise DefinitionError(f"{where}: {reference.name} has a value inside its job's own step only")
        _check_value(reference, where, names)


def _references(step: Step) -> Iterator[tuple[str, Get | JsonGet]]:
    yield from references(dict(step.arguments), f"{step.where} Arguments")
    for key, value in step.fields.items():
        yield from references(value, f"{step.where} {key}")


def _target(reference: Get | JsonGet, step: Step, where: str, names: Names) -> set[str]:
    """Check a reference; returns the step that it leads to, if any."""
    if isinstance(reference, JsonGet):
        if reference.step is None:
            return set()
        _check_property_file(reference.step, str(reference.property_file), step, where, names.steps)
        return {reference.step}
    if reference.root in (PARAMETERS, EXECUTION, EXPERIMENT):
        _check_value(reference, where, names)
        _check_own_job(reference, step, where)
        return set()
    _check_step(reference.name, step, where, names.steps)
    if names.steps[reference.name].type == "Condition" and reference.path[1:] != (_OUTCOME,):
        raise DefinitionError(
            f"{where}: '{reference.name}' is a Condition step; it has nothing but Steps.{reference.name}."
            f"{_OUTCOME}"
        )
    return {reference.name}


def _check_value(reference: Get, where: str, names: Names) -> None:
    known, kind = {
        PARAMETERS: (tuple(names.parameters), "parameter"),
        EXECUTION: (EXECUTION_VARIABLES, "execution variable"),
        EXPERIMENT: (tuple(names.experiment), f"field of {EXPERIMENT}"),
    }[reference.root]
    if reference.name not in known:
        raise DanglingReference(where=where, kind=kind, name=reference.name, known=known)


def _check_own_job(reference: Get, step: Step, where: str) -> None:
    known = STEP_TYPES.get(step.type)
    if known is None or reference.root != EXECUTION or reference.name not in _OWN_JOB_NAMES:
        return
    if known.own_job != reference.name:
        raise DefinitionError(
            f"{where}: {reference.name} has a value inside its job's own step only, not in a {step.type} step"
        )


def _check_step(name: str, step: Step, where: str, steps: Mapping[str, Step]) -> None:
    if name not in steps:
        raise DanglingReference(where=where, kind="step", name=name, known=list(steps))
    target = steps[name]
    if target.type == "Fail":
        raise DefinitionError(
            f"{where}: '{name}' is a Fail step, which ends the execution; nothing can wait for it"
        )
    mine, its = step.branch, target.branch
    if mine and its and mine.condition == its.condition and mine.outcome != its.outcome:
        raise DefinitionError(
            f"{where}: '{name}' stands on the other branch of '{its.condition}', so it never runs together "
            f"with '{step.name}'; move it out of the condition or remove the reference"
        )


def _check_property_file(name: str, file: str, step: Step, where: str, steps: Mapping[str, Step]) -> None:
    _check_step(name, step, where, steps)
    target = steps[name]
    if not step_type(target.type).has_property_files:
        raise DefinitionError(
            f"{where}: '{name}' is a {target.type} step; only Processing steps have property files"
        )
    if file not in target.property_files:
        raise DanglingReference(
            where=where, kind=f"property file of '{name}'", name=file, known=list(target.property_files)
        )
