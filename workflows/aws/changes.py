"""What an upsert would change, and which steps would have to run again for it. Only reads."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from graphlib import TopologicalSorter

from workflows.aws.executions import BRANCHES, definition_steps
from workflows.aws.pipelines import CREATED, UNCHANGED, UPDATED, Wanted, is_same
from workflows.definition.cache_key import KEY_FIELDS, key_of
from workflows.definition.differences import Change, by_name, differences
from workflows.definition.errors import DefinitionError
from workflows.definition.expressions import PARAMETERS, STEPS, JsonGet, references
from workflows.definition.loader import load
from workflows.definition.model import JSON, Definition
from workflows.definition.records import Record, objects_of
from workflows.definition.step_types import STEP_TYPES

ADDED, REMOVED, CHANGED = "added", "removed", "changed"
_INSIDE_EXPRESSION = re.compile(r"\.(Get|Std:).*")


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
    digest: str = ""  # of what is wanted

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
            "Digest": self.digest,
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
        return Changes(action=CREATED, pipeline=wanted.name, steps=steps, digest=wanted.digest)
    last_modified = str(before["LastModifiedTime"])
    if is_same(before, wanted):
        return Changes(
            action=UNCHANGED, pipeline=wanted.name, last_modified=last_modified, digest=wanted.digest
        )
    old = _known(str(before["PipelineDefinition"]))
    document = dict(old.document) if old else {}
    changed = tuple(_steps(old, after))
    lost = {step.step for step in changed if step.kind == ADDED or step.cache_lost_by}
    return Changes(
        action=UPDATED,
        pipeline=wanted.name,
        settings=tuple(_settings(before, wanted)),
        parameters=tuple(_compare(document.get("Parameters"), after.document.get("Parameters"))),
        other=tuple(_compare(_rest(document), _rest(dict(after.document)))),
        steps=changed,
        downstream=tuple(_downstream(after, lost)),
        last_modified=last_modified,
        digest=wanted.digest,
    )


def _known(text: str) -> Definition | None:
    """The definition that is there; None of one that only its author understands."""
    try:
        return load(text, source="the present definition", from_s3=True)
    except DefinitionError:
        return None


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


def _steps(before: Definition | None, after: Definition) -> Iterator[StepChange]:
    old, new = _bodies(before) if before else {}, _bodies(after)
    for name in dict.fromkeys([*new, *old]):
        if before is None or name not in old:
            yield StepChange(step=name, kind=ADDED)
        elif name not in new:
            yield StepChange(step=name, kind=REMOVED)
        else:
            fields = tuple(_compare(old[name], new[name]))
            lost = tuple(_lost(before, after, name))
            if fields or lost:
                yield StepChange(step=name, kind=CHANGED, fields=fields, cache_lost_by=lost)


def _bodies(definition: Definition) -> dict[str, Record]:
    """Every step as it is written, but with names in place of the steps in its branches."""
    found = {}
    for step in definition_steps(dict(definition.document)):
        arguments = step.get("Arguments")
        body = dict(arguments) if isinstance(arguments, dict) else {}
        for branch in BRANCHES:
            if branch in body:
                body[branch] = list[JSON](sorted(str(inner["Name"]) for inner in objects_of(body[branch])))
        found[str(step["Name"])] = {**step, "Arguments": body}
    return found


def _lost(before: Definition, after: Definition, name: str) -> list[str]:
    """The fields of a cached step's key that are not what they were, with defaults in place of parameters."""
    old, new = before.steps[name], after.steps[name]
    if new.cache is None or new.type not in KEY_FIELDS:
        return []
    if old.cache is None or old.type != new.type:
        return ["CacheConfig"]
    keys = (
        _with_defaults(key_of(step.type, step.arguments), definition)
        for definition, step in ((before, old), (after, new))
    )
    # Of an expression, what it gives counts and not which part of it.
    fields = (_INSIDE_EXPRESSION.sub("", change.field) for change in _compare(*keys))
    return list(dict.fromkeys(fields))


def _with_defaults(node: JSON, definition: Definition) -> JSON:
    """A document with defaults in place of parameters, as an execution has them that nobody gives others."""
    if isinstance(node, list):
        return [_with_defaults(entry, definition) for entry in node]
    if not isinstance(node, dict):
        return node
    root, _, name = str(node.get("Get", "")).partition(".")
    parameter = definition.parameters.get(name) if root == PARAMETERS else None
    if parameter is not None and parameter.default is not None:
        return parameter.default
    return {key: _with_defaults(value, definition) for key, value in node.items()}


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
