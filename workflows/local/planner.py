"""Decides, before anything runs, whether and how a definition runs on this machine. Reads only."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from graphlib import TopologicalSorter

from workflows.definition.errors import RefusedByPlan, UnresolvedValue
from workflows.definition.expressions import is_expression
from workflows.definition.model import JSON, Definition, Scalar, Step
from workflows.local.functions import Function
from workflows.local.images import ImageTable
from workflows.local.ledger import Difference, differences
from workflows.local.refusals import refusals
from workflows.local.resolver import Scope, resolve
from workflows.local.selection import Selection, reused_steps


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What would run, in an order that is possible, and what is different from SageMaker."""

    definition: Definition
    parameters: Mapping[str, Scalar]
    order: tuple[str, ...]  # without the reused ones
    differences: tuple[Difference, ...]
    selection: Selection | None = None
    reused: frozenset[str] = frozenset()  # steps whose results come from the selection's source


def plan(
    definition: Definition,
    parameters: Mapping[str, Scalar],
    *,
    images: ImageTable,
    functions: Mapping[str, Function],
    step_types: frozenset[str],
    selection: Selection | None = None,
    available: Collection[str] = (),
) -> Plan:
    """Check that every step can run here.

    Args:
        definition: what is to run.
        parameters: a value for each of its parameters.
        images: what stands in for container images.
        functions: the Lambda functions that have a handler here.
        step_types: the types that have a runner.
        selection: the steps that are to run, if not all.
        available: the steps that ended well in the selection's source execution.

    Raises:
        RefusedByPlan: with every reason, each naming its step.
    """
    reused = reused_steps(definition, selection.steps, available) if selection else frozenset[str]()
    chosen = frozenset(selection.steps if selection else definition.steps)
    scope = _scope(definition, parameters)
    steps = [_known_step(step, scope) for step in definition.steps.values() if step.name in chosen]
    reasons = [
        reason
        for step in steps
        for reason in refusals(step, images=images, handlers=functions, step_types=step_types)
    ]
    if reasons:
        raise RefusedByPlan(reasons)
    position = {name: index for index, name in enumerate(definition.steps)}
    order = sorted_steps(definition.needs, position.__getitem__)
    return Plan(
        definition=definition,
        parameters=parameters,
        order=tuple(name for name in order if name in chosen),
        differences=tuple(differences(steps)),
        selection=selection,
        reused=reused,
    )


def sorted_steps(needs: Mapping[str, frozenset[str]], key: Callable[[str], int]) -> list[str]:
    """An order in which every step comes after those it needs; ties in document order."""
    sorter = TopologicalSorter(needs)
    sorter.prepare()
    order: list[str] = []
    while sorter.is_active():
        ready = sorted(sorter.get_ready(), key=key)
        order += ready
        sorter.done(*ready)
    return order


def _scope(definition: Definition, parameters: Mapping[str, Scalar]) -> Scope:
    def nothing(uri: str) -> bytes:
        raise UnresolvedValue(f"{uri} does not exist yet")

    return Scope(
        definition=definition, parameters=parameters, variables={}, properties={}, read_object=nothing
    )


def _known_step(step: Step, scope: Scope) -> Step:
    """A step with every expression that parameters alone decide replaced by its value."""
    return replace(
        step,
        arguments={key: _known(value, scope) for key, value in step.arguments.items()},
        fields={key: _known(value, scope) for key, value in step.fields.items()},
    )


def _known(node: JSON, scope: Scope) -> JSON:
    if isinstance(node, list):
        return [_known(item, scope) for item in node]
    if not isinstance(node, dict):
        return node
    if not is_expression(node):
        return {key: _known(value, scope) for key, value in node.items()}
    try:
        return resolve(node, scope, where="plan")
    except UnresolvedValue:
        return node  # an earlier step decides it
