"""What stays when executions go, and what of theirs it needs."""

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from workflows.definition.model import JSON
from workflows.definition.records import Record, last_part
from workflows.local.callbacks import CALLBACK_ANSWER
from workflows.local.holdings import Resource, stored_objects
from workflows.local.mentions import Mentions
from workflows.local.records import (
    CALLBACK,
    CLIENT_REQUEST,
    ENDPOINT,
    ENDPOINT_CONFIG,
    EXECUTION,
    EXECUTION_STEP,
    HYPER_PARAMETER_TUNING_JOB,
    LAST_EXECUTION,
    MODEL,
    MODEL_PACKAGE,
    MODEL_PACKAGE_GROUP,
    PIPELINE,
    PIPELINE_VERSION,
    PROCESSING_JOB,
    STEP_RESULT,
    TAGS,
    TRAINING_JOB,
    TRANSFORM_JOB,
)
from workflows.local.store import Store

# Kind of a resource that steps make -> the field with its name.
_NAMED_BY = {
    PROCESSING_JOB: "ProcessingJobName",
    TRAINING_JOB: "TrainingJobName",
    TRANSFORM_JOB: "TransformJobName",
    HYPER_PARAMETER_TUNING_JOB: "HyperParameterTuningJobName",
    MODEL: "ModelName",
    ENDPOINT_CONFIG: "EndpointConfigName",
}
_OF_NO_EXECUTION = (MODEL_PACKAGE, ENDPOINT)
_WITHOUT_REFERENCES = (MODEL_PACKAGE_GROUP, PIPELINE, LAST_EXECUTION, TAGS, CLIENT_REQUEST)
# Message, and answer: the field with the execution.
_MESSAGES = {CALLBACK: "pipelineExecutionArn", CALLBACK_ANSWER: "PipelineExecutionArn"}
_BY_EXECUTION = (EXECUTION, EXECUTION_STEP, STEP_RESULT)
# Every kind there is: what is not looked at here would protect nothing.
KINDS = frozenset(
    {*_BY_EXECUTION, *_NAMED_BY, *_OF_NO_EXECUTION, *_MESSAGES, *_WITHOUT_REFERENCES, PIPELINE_VERSION}
)
# What a step record says of other executions without needing them.
_HISTORY = ("CacheMiss", "FailureReason")


@dataclass(frozen=True, kw_only=True)
class Remaining:
    """The records and objects that stay."""

    mentions: Mentions
    resources: frozenset[tuple[str, str]]  # kind and name of what stays because it is in use
    stored: frozenset[str]  # objects that executions which stay have stored, too

    def needs(self, uri: str, destination: str | None) -> bool:
        """Whether an object must stay."""
        return uri in self.stored or self.mentions.cover(uri, destination)


def remaining(
    store: Store, going: Collection[str], resources: Collection[Resource], objects: Collection[str]
) -> Remaining:
    """What stays without some executions.

    Args:
        store: where everything is.
        going: ids of the executions.
        resources: what they hold.
        objects: what they hold.

    Raises:
        DamagedList: the list of what a step of another execution has stored cannot be read.
    """
    mentions = Mentions()
    theirs = {(resource.kind, resource.name) for resource in resources}
    staying = [_id(record) for record in store.all(EXECUTION) if _id(record) not in going]
    for owner in (*_executions(store, staying), *_others(store, theirs, frozenset(going))):
        mentions.add(*owner)
    for version in store.all(PIPELINE_VERSION):
        mentions.add_definition(json.loads(str(version["PipelineDefinition"])))
    stored = {uri for execution in staying for uri in stored_objects(store, execution) if uri in objects}
    return Remaining(mentions=mentions, resources=_in_use(resources, mentions), stored=frozenset(stored))


def _executions(store: Store, staying: list[str]) -> Iterator[list[JSON]]:
    owners: dict[str, list[JSON]] = {execution: [] for execution in staying}
    for record in store.all(EXECUTION):
        if _id(record) in owners:
            owners[_id(record)].append(dict(record))
    for result in store.all(STEP_RESULT):
        if _id(result) in owners:
            owners[_id(result)].append(dict(result))
    for execution, bodies in owners.items():
        for step in store.all(EXECUTION_STEP, parent=execution):
            bodies.append({key: value for key, value in step.items() if key not in _HISTORY})
    yield from owners.values()


def _others(store: Store, theirs: set[tuple[str, str]], going: frozenset[str]) -> Iterator[Sequence[JSON]]:
    for kind, field in _NAMED_BY.items():
        yield from ([dict(body)] for body in store.all(kind) if (kind, str(body[field])) not in theirs)
    for kind in _OF_NO_EXECUTION:
        yield from ([dict(body)] for body in store.all(kind))
    for kind, field in _MESSAGES.items():
        yield from ([dict(body)] for body in store.all(kind) if last_part(body[field]) not in going)


def _in_use(resources: Iterable[Resource], mentions: Mentions) -> frozenset[tuple[str, str]]:
    """The resources that are named by what stays, or by each other; what these refer to is added."""
    left = {(resource.kind, resource.name): resource for resource in resources}
    used: set[tuple[str, str]] = set()
    while found := [key for key in left if mentions.names(*key)]:
        for key in found:
            used.add(key)
            resource = left.pop(key)
            # A model is of no use without its artifact; a job is history, and needs no inputs any more.
            if resource.kind in (MODEL, ENDPOINT_CONFIG):
                mentions.add(dict(resource.body))
    return frozenset(used)


def _id(record: Record) -> str:
    return last_part(record["PipelineExecutionArn"])
