"""Selective execution: some steps of a pipeline, with the outputs of the others from an earlier execution.

Source: SageMaker Developer Guide, "Selective execution of pipeline steps".
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from workflows.definition.errors import RefusedByPlan, did_you_mean
from workflows.definition.model import JSON, Definition

_MOST_STEPS = 50


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Which steps run, and the execution that the others' results are taken from."""

    steps: tuple[str, ...]
    source_arn: str | None = None  # steps that need no others can do without

    @property
    def source_id(self) -> str | None:
        """The last part of the source execution's ARN."""
        return self.source_arn.rpartition("/")[2] if self.source_arn else None

    def record(self) -> dict[str, JSON]:
        """SelectiveExecutionConfig."""
        steps: list[JSON] = [{"StepName": step} for step in self.steps]
        source: dict[str, JSON] = {"SourcePipelineExecutionArn": self.source_arn} if self.source_arn else {}
        return {**source, "SelectedSteps": steps}


def reused_steps(
    definition: Definition, selected: Sequence[str], available: Collection[str]
) -> frozenset[str]:
    """The steps whose earlier results the selected ones need.

    Args:
        definition: whose steps are selected.
        selected: names of the steps that are to run.
        available: the steps that ended well in the source execution.

    Raises:
        RefusedByPlan: a step is unknown, the steps hang together only through others, one between two of
            them is missing, or an earlier result is.
    """
    if reasons := list(_unknown(definition, selected)):
        raise RefusedByPlan(reasons)
    chosen = frozenset(selected)
    needed = frozenset[str]().union(*(definition.needs[name] for name in chosen)) - chosen
    reasons = [
        *_between(definition.needs, chosen),
        *_unconnected(definition.needs, chosen),
        *(
            f"step '{name}' is not selected and did not succeed in the source execution; select it, too"
            for name in sorted(needed - set(available))
        ),
    ]
    if reasons:
        raise RefusedByPlan(reasons)
    return needed


def _unknown(definition: Definition, selected: Sequence[str]) -> Iterator[str]:
    if not 1 <= len(selected) <= _MOST_STEPS:
        yield f"select 1 to {_MOST_STEPS} steps, not {len(selected)}"
    for name in selected:
        if name not in definition.steps:
            yield f"no step is named '{name}'{did_you_mean(name, list(definition.steps))}"


def _between(needs: Mapping[str, frozenset[str]], chosen: frozenset[str]) -> Iterator[str]:
    before = {name: _ancestors(needs, name) for name in needs}
    for name in sorted(needs.keys() - chosen):
        after = sorted(other for other in chosen if name in before[other])
        first = sorted(before[name] & chosen)
        if after and first:
            yield f"step '{name}' lies between the selected '{first[0]}' and '{after[0]}'; select it, too"


def _unconnected(needs: Mapping[str, frozenset[str]], chosen: frozenset[str]) -> Iterator[str]:
    neighbours = {name: set(needs[name] & chosen) for name in chosen}
    for name in chosen:
        for other in tuple(neighbours[name]):
            neighbours[other].add(name)
    reached, front = set[str](), {min(chosen)}
    while front:
        reached |= front
        front = {other for name in front for other in neighbours[name]} - reached
    if apart := sorted(chosen - reached):
        yield (
            f"the selected steps must hang together: nothing leads from {', '.join(sorted(reached))} to "
            f"{', '.join(apart)}"
        )


def _ancestors(needs: Mapping[str, frozenset[str]], name: str) -> frozenset[str]:
    found, front = set[str](), set(needs[name])
    while front:
        found |= front
        front = {before for item in front for before in needs[item]} - found
    return frozenset(found)
