"""All rules over one definition."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from workflows.definition.errors import DefinitionError
from workflows.definition.expressions import PARAMETERS, Get, is_expression
from workflows.definition.loader import load
from workflows.definition.model import JSON
from workflows.preflight.catalog import CHECKS
from workflows.preflight.context import Context, Policy
from workflows.preflight.costs import Costs, costs_of
from workflows.preflight.data.inspection import Inspection
from workflows.preflight.document import is_too_deep, parse
from workflows.preflight.findings import Finding, Severity
from workflows.preflight.prices import Prices
from workflows.preflight.rules import whole
from workflows.preflight.rules.references import references
from workflows.preflight.service import sagemaker


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is to be checked."""

    text: str
    given: Mapping[str, str] = field(default_factory=dict)  # parameter values of the start
    prices: Prices
    policy: Policy = field(default_factory=Policy)
    data: Path | None = None  # folder with a folder for each channel: train, validation
    inspection: Inspection | None = None  # what was found when the pictures in it were decoded


@dataclass(frozen=True, kw_only=True)
class Report:
    """What a check has found."""

    findings: tuple[Finding, ...]  # in the order of the document
    costs: Costs | None  # None: the text is no definition at all


def check(question: Question) -> Report:
    """Everything that is wrong with a definition, and what a run of it can cost."""
    try:
        document = parse(question.text)
    except RecursionError:
        return _hopeless(whole.too_deep())
    except ValueError as error:
        return _hopeless(whole.not_json(str(error)))
    if not isinstance(document, dict):
        return _hopeless(whole.not_an_object())
    if is_too_deep(document):
        return _hopeless(whole.too_deep())
    context = Context(
        text=question.text,
        document=document,
        given=question.given,
        service=sagemaker(),
        prices=question.prices,
        policy=question.policy,
        data=question.data,
        inspection=question.inspection,
    )
    found = [finding for each in CHECKS for finding in each.find(context)]
    found.extend(_unseen(question.text, found))
    told = [_with_origin(document, _at_its_step(context, finding)) for finding in found]
    return Report(findings=tuple(sorted(told, key=_order(document))), costs=costs_of(context))


def _hopeless(finding: Finding) -> Report:
    return Report(findings=(finding,), costs=None)


def _unseen(text: str, found: list[Finding]) -> Iterator[Finding]:
    """What the loader refuses and no rule has found, so that a check is never more lenient than a run."""
    if any(finding.severity is Severity.ERROR and finding.refused_here for finding in found):
        return
    try:
        load(text, from_s3=True)
    except DefinitionError as error:
        yield whole.refused(str(error))


def _at_its_step(context: Context, finding: Finding) -> Finding:
    around = [step for step in context.steps if finding.path[: len(step.path)] == step.path]
    # Steps in a branch stand behind their condition, so the last one is the innermost.
    return replace(finding, step=around[-1].name or None) if around else finding


def _with_origin(document: JSON, finding: Finding) -> Finding:
    """Where an expression stands at the place, the parameters behind it are named."""
    node = document
    for part in finding.path:
        if isinstance(node, dict) and isinstance(part, str):
            node = node.get(part)
        elif isinstance(node, list) and isinstance(part, int) and part < len(node):
            node = node[part]
        else:
            return finding
    if not is_expression(node):
        return finding
    found = (reference.leads_to for reference in references(node, ()))
    names = dict.fromkeys(get.name for get in found if isinstance(get, Get) and get.root == PARAMETERS)
    if not names or any(name in finding.text for name in names):
        return finding
    return replace(finding, text=f"{finding.text} (from parameter {', '.join(names)})")


def _order(document: JSON) -> Callable[[Finding], tuple[list[int], str]]:
    """Sorts findings as their places stand in the document."""

    def place(finding: Finding) -> tuple[list[int], str]:
        positions, node = [], document
        for part in finding.path:
            if isinstance(node, dict):
                keys = list(node)
                positions.append(keys.index(str(part)) if part in node else len(keys))
                node = node.get(str(part))
            else:
                positions.append(int(part) if isinstance(part, int) else 0)
                node = node[part] if isinstance(node, list) and isinstance(part, int) else None
        return positions, finding.identifier

    return place
