"""The most that a run can cost, where that is asked for or cannot be said."""

from collections.abc import Iterator
from dataclasses import replace

from workflows.preflight.checks import Check
from workflows.preflight.context import Context
from workflows.preflight.costs import StepCost, costs_of
from workflows.preflight.findings import Finding, Rule, Severity

ABOVE = Rule(
    identifier="cost-above-limit",
    severity=Severity.ERROR,
    title="A run may cost more than --max-cost",
    why="The bound takes every job at its longest, with all its tries. A real run costs less, but nothing in "
    "the definition makes it.",
    source="the price table; SageMaker pricing, on-demand instances",
)
UNKNOWN = Rule(
    identifier="cost-not-known",
    severity=Severity.NOTE,
    title="A step's cost cannot be said, so the bound is incomplete; an error with --max-cost",
    why="Its instance type is not in the price table, or its count or limit is not known before it starts.",
    source="the price table",
)


def _find(context: Context) -> Iterator[Finding]:
    costs, limit = costs_of(context), context.policy.max_cost
    for cost in (*costs.steps, *costs.open_ended):
        fault = _fault(cost, is_open=cost in costs.open_ended)
        if fault:
            finding = UNKNOWN.at(cost.path, fault, "add its price to a table of your own: --prices FILE")
            is_limited = limit is not None and cost in costs.steps
            yield replace(finding, severity=Severity.ERROR) if is_limited else finding
    if limit is not None and costs.total > limit:
        yield ABOVE.at(
            ("Steps",),
            f"a run may cost up to {costs.total:.2f} {context.prices.currency}, which is above {limit:g}",
            "lower MaxRuntimeInSeconds, instances or retries, or allow more",
        )


CHECK = Check(rules=(ABOVE, UNKNOWN), find=_find)


def _fault(cost: StepCost, *, is_open: bool) -> str | None:
    if cost.instance is None:
        return "its instance type is not known before it starts"
    if cost.price is None:
        return f"{cost.instance} is not in the price table, so the bound is incomplete"
    if cost.count is None:
        return "its number of instances is not known before it starts"
    if cost.billed_s is None and not is_open:
        return "its longest runtime is not known before it starts"
    return None
