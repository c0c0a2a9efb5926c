"""All rules over one definition."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from workflows.definition.errors import DefinitionError
from workflows.definition.loader import load
from workflows.definition.model import JSON
from workflows.preflight.catalog import CHECKS
from workflows.preflight.context import Context, Policy
from workflows.preflight.document import is_too_deep, parse
from workflows.preflight.findings import Finding, Severity
from workflows.preflight.prices import Prices
from workflows.preflight.rules import whole
from workflows.preflight.service import sagemaker


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is to be checked."""

    text: str
    given: Mapping[str, str] = field(default_factory=dict)  # parameter values of the start
    prices: Prices
    policy: Policy = field(default_factory=Policy)


def check(question: Question) -> list[Finding]:
    """Everything that is wrong with a definition, in the order of the document."""
    try:
        document = parse(question.text)
    except RecursionError:
        return [whole.too_deep()]
    except ValueError as error:
        return [whole.not_json(str(error))]
    if not isinstance(document, dict):
        return [whole.not_an_object()]
    if is_too_deep(document):
        return [whole.too_deep()]
    context = Context(
        text=question.text,
        document=document,
        given=question.given,
        service=sagemaker(),
        prices=question.prices,
        policy=question.policy,
    )
    found = [finding for each in CHECKS for finding in each.find(context)]
    found.extend(_unseen(question.text, found))
    return sorted((_at_its_step(context, finding) for finding in found), key=_order(document))


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
