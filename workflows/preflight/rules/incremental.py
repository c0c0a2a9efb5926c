"""A training that goes on from the model of another one: what both must have in common."""

from collections.abc import Iterator
from dataclasses import replace

from workflows.definition.errors import DefinitionError
from workflows.definition.expressions import STEPS, is_expression, parse_get
from workflows.definition.model import JSON
from workflows.preflight.builtin.algorithm import MODEL_CHANNEL
from workflows.preflight.checks import Check
from workflows.preflight.context import Context
from workflows.preflight.document import at, object_of
from workflows.preflight.findings import Finding, Rule, Severity
from workflows.preflight.trainings import Training, trainings

_SOURCE = "SageMaker Developer Guide, incremental training"

DIFFERS = Rule(
    identifier="parent-differs",
    severity=Severity.ERROR,
    title="A training and the one whose model it goes on from differ where they must not",
    why="The weights do not fit the network, and the training fails after the parent's was paid for.",
    source=_SOURCE,
)


def _find(context: Context) -> Iterator[Finding]:
    by_step = {each.step.name: each for each in trainings(context) if each.step.type == "Training"}
    for child in by_step.values():
        for node, path in child.channels():
            if child.algorithm is None or context.text_at(node.get("ChannelName")) != MODEL_CHANNEL:
                continue
            parent = by_step.get(_step_of(at(node.get("DataSource"), "S3DataSource", "S3Uri")))
            if parent is None or parent.image is None:
                continue
            if parent.algorithm is not child.algorithm:
                yield DIFFERS.at(
                    path,
                    f"'{parent.step.name}' is no training of {child.algorithm.title}, so its model cannot be "
                    "gone on from",
                    "take the model of a training by the same algorithm",
                )
            else:
                yield from _hyperparameters(child, parent)


CHECK = Check(rules=(DIFFERS,), find=_find)


def _hyperparameters(child: Training, parent: Training) -> Iterator[Finding]:
    for name in child.algorithm.inherited if child.algorithm else ():
        mine, its = child.text(name), parent.text(name)
        if mine is not None and its is not None and mine.strip() != its.strip():
            path = child.hyperparameters_path
            finding = DIFFERS.at(
                (*path, name) if name in child.hyperparameters else path,
                f"{name} is {mine} here and {its} in '{parent.step.name}'",
                "give both the same value",
            )
            yield replace(finding, refused_here=True)


def _step_of(node: JSON) -> str:
    """The training step whose model an expression leads to; "" if it is none."""
    if not is_expression(node) or "Get" not in object_of(node):
        return ""
    try:
        get = parse_get(object_of(node)["Get"], where="")
    except DefinitionError:
        return ""
    return get.name if get.root == STEPS and get.path[1:2] == ("ModelArtifacts",) else ""
