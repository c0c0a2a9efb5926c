"""What an upsert would change, and which steps would have to run again for it. Only reads."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from graphlib import TopologicalSorter

from workflows.aws.pipelines import CREATED, UNCHANGED, UPDATED, Wanted, is_same
from workflows.definition.cache_key import KEY_FIELDS, key_of
from workflows.definition.differences import Change, by_name, differences
from workflows.definition.errors import DefinitionError
from workflows.definition.expressions import STEPS, JsonGet, references
from workflows.definition.loader import load
from workflows.definition.model import JSON, Definition, Step
from workflows.definition.records import Record
from workflows.definition.step_types import STEP_TYPES

ADDED, REMOVED, CHANGED = "added", "removed", "changed"


@dataclass(frozen=True, kw_only=True)
class StepChange:
    """What becomes of a step."""

    step: str
    kind: str  # added, removed or changed
    fields: tuple[Change, ...] = ()
    # Of a cached step: the fields of its key that are not what they were. It has to run again.
    cache_lost_by: tuple[str, ...] = ()

    def record(self) -> Record:
        """As JSON."""
        return {
            "StepName": self.step,
            "Change": self.kind,
            "Fields": [_field(change) for change in self.fields],
            "CacheLostBy": list(self.cache_lost_by),
        }


@dataclass(frozen=True, kw_only=True)
class Changes:
    """What an upsert would do."""

    action: str  # created, updated or unchanged
    pipeline: str
    settings: tuple[Change, ...] = ()  # role and description
    parameters: tuple[Change, ...] = ()
    other: tuple[Change, ...] = ()  # of the definition, outside of parameters and steps
    steps: tuple[StepChange, ...] = ()
    # Cached steps that have not changed, but read what comes from one that has to run again.
    downstream: tuple[str, ...] = ()
    last_modified: str | None = None  # of the pipeline that is there

    def record(self) -> Record:
        """As JSON."""
        return {
            "PipelineName": self.pipeline,
            "Action": self.action,
            "Settings": [_field(change) for change in self.settings],
            "Parameters": [_field(change) for change in self.parameters],
            "Definition": [_field(change) for change in self.other],
            "Steps": [step.record() for step in self.steps],
            "Downstream": list(self.downstream),
            "LastModifiedTime": self.last_modified,
        }


def changes(before: Record | None, wanted: Wanted) -> Changes:
    """Compare a pipeline with what it should be.

    Args:
        before: as `pipelines.find` has it; None: there is none.
        wanted: as it should be.

    Raises:
        DefinitionError: what is wanted is no definition.
    """
    after = load(wanted.definition, source=wanted.name)
    if before is None:
        steps = tuple(StepChange(step=name, kind=ADDED) for name in after.steps)
        return Changes(action=CREATED, pipeline=wanted.name, steps=steps)
    last_modified = str(before["LastModifiedTime"])
    if is_same(before, wanted):
        return Changes(action=UNCHANGED, pipeline=wanted.name, last_modified=last_modified)
    old = json.loads(str(before["PipelineDefinition"]))
    changed = _steps(_known(str(before["PipelineDefinition"])), after)
    lost = {step.step for step in changed if step.kind == ADDED or step.cache_lost_by}
    return Changes(
        action=UPDATED,
        pipeline=wanted.name,
        settings=tuple(_settings(before, wanted)),
        parameters=tuple(_compare(old.get("Parameters"), after.document.get("Parameters"))),
        other=tuple(_compare(_rest(old), _rest(dict(after.document)))),
        steps=changed,
        downstream=tuple(_downstream(after, lost)),
        last_modified=last_modified,
    )


def _known(text: str) -> Mapping[str, Step]:
    """The steps that are there; none of them of a definition that only its author understands."""
    try:
        return load(text, source="the present definition", from_s3=True).steps
    except DefinitionError:
        return {}


def _settings(before: Record, wanted: Wanted) -> list[Change]:
    asked = {"RoleArn": wanted.role, "PipelineDescription": wanted.description}
    return [
        Change(field=key, before=before.get(key), after=value)
        for key, value in asked.items()
        if value is not None and value != before.get(key)
    ]


def _rest(document: Record) -> Record:
    return {key: value for key, value in document.items() if key not in ("Parameters", "Steps")}


def _compare(before: JSON, after: JSON) -> list[Change]:
    return list(differences(by_name(before), by_name(after)))


def _steps(before: Mapping[str, Step], after: Definition) -> tuple[StepChange, ...]:
    found = []
    for name in dict.fromkeys([*after.steps, *before]):
        if name not in before:
            found.append(StepChange(step=name, kind=ADDED))
        elif name not in after.steps:
            found.append(StepChange(step=name, kind=REMOVED))
        else:
            fields = tuple(_compare(_body(before[name]), _body(after.steps[name])))
            if fields:
                lost = tuple(_lost(before[name], after.steps[name]))
                found.append(StepChange(step=name, kind=CHANGED, fields=fields, cache_lost_by=lost))
    return tuple(found)


def _body(step: Step) -> Record:
    """Everything in a step but the steps in its branches, which are compared by themselves."""
    arguments = {key: value for key, value in step.arguments.items() if key not in ("IfSteps", "ElseSteps")}
    body: Record = {**step.fields, "Type": step.type, "Arguments": arguments}
    body["DependsOn"] = list(step.depends_on)
    body["Cached"] = str(step.cache.expire_after) if step.cache else None
    return body


def _lost(before: Step, after: Step) -> list[str]:
    if after.cache is None or after.type not in KEY_FIELDS:
        return []
    if before.cache is None or before.type != after.type:
        return ["CacheConfig"]
    old, new = key_of(before.type, before.arguments), key_of(after.type, after.arguments)
    return [change.field for change in _compare(old, new)]


def _downstream(after: Definition, lost: set[str]) -> list[str]:
    """Cached steps behind those that run again: what they read is in another place then."""
    reached = set(lost)
    for name in TopologicalSorter(after.needs).static_order():
        if _read_by(after, name) & reached:
            reached.add(name)
    return [name for name in after.steps if name in reached - lost and after.steps[name].cache is not None]


def _read_by(definition: Definition, name: str) -> set[str]:
    """The steps whose properties or property files a step's arguments read."""
    step = definition.steps[name]
    if step.type not in STEP_TYPES:
        return set(definition.needs[name])  # it may have expressions of its own
    found: set[str] = set()
    for _, reference in references(dict(step.arguments), step.where):
        if isinstance(reference, JsonGet):
            found |= {reference.step} if reference.step else set()
        elif reference.root == STEPS:
            found.add(reference.name)
    return found


def _field(change: Change) -> Record:
    return {"Field": change.field, "Before": change.before, "After": change.after}
