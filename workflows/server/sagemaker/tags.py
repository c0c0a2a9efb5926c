"""Tags of every kind of resource: AddTags, ListTags, DeleteTags.

They are records of their own, by the resource's ARN: its record is replaced by whoever works on it. Tags of
what a pipeline's step has made are in the record, as the step gave them, until somebody changes them.
"""

from collections.abc import Callable, Mapping

from workflows.definition.model import JSON
from workflows.definition.records import Record, last_part, objects_of
from workflows.local.records import (
    ENDPOINT,
    ENDPOINT_CONFIG,
    EXECUTION,
    HYPER_PARAMETER_TUNING_JOB,
    MODEL,
    MODEL_PACKAGE,
    MODEL_PACKAGE_GROUP,
    PIPELINE,
    PROCESSING_JOB,
    TAGS,
    TRAINING_JOB,
    TRANSFORM_JOB,
)
from workflows.local.store import Store, Write
from workflows.server.errors import AwsError, validation
from workflows.server.json_protocol import Operation
from workflows.server.machine import Machine
from workflows.server.paging import page
from workflows.server.shapes import Input, Output

_MOST_TAGS = 50
_PAGE = 50
_RESERVED = "aws:"
# Kinds of record whose name is that of the resource in its ARN.
_KINDS = frozenset(
    {
        PIPELINE,
        PROCESSING_JOB,
        TRAINING_JOB,
        TRANSFORM_JOB,
        HYPER_PARAMETER_TUNING_JOB,
        MODEL,
        MODEL_PACKAGE,
        MODEL_PACKAGE_GROUP,
        ENDPOINT_CONFIG,
        ENDPOINT,
    }
)


def add_tags(machine: Machine, given: Input) -> Output:
    """AddTags: a tag of a key that is there gets the new value."""
    arn = str(given["ResourceArn"])
    resource = _resource(machine, arn)
    added = _checked(objects_of(given["Tags"]))

    def change(tags: dict[str, JSON]) -> dict[str, JSON]:
        changed = {**tags, **added}
        if len(changed) > _MOST_TAGS:
            raise validation(
                f"A resource can have at most {_MOST_TAGS} tags; {arn} would have {len(changed)}"
            )
        return changed

    return {"Tags": _listed(_change(machine.store, arn, resource, change))}


def list_tags(machine: Machine, given: Input) -> Output:
    """ListTags."""
    arn = str(given["ResourceArn"])
    _resource(machine, arn)
    tags, token = page(tags_of(machine.store, arn), given, default_size=_PAGE)
    return {"Tags": list[JSON](tags), "NextToken": token}


def delete_tags(machine: Machine, given: Input) -> Output:
    """DeleteTags: keys that are not there are no error."""
    arn, keys = str(given["ResourceArn"]), given["TagKeys"]
    going = set(map(str, keys)) if isinstance(keys, list) else set()
    resource = _resource(machine, arn)

    def change(tags: dict[str, JSON]) -> dict[str, JSON]:
        return {key: value for key, value in tags.items() if key not in going}

    _change(machine.store, arn, resource, change)
    return {}


OPERATIONS: Mapping[str, Operation] = {
    "AddTags": add_tags,
    "ListTags": list_tags,
    "DeleteTags": delete_tags,
}


def tags_of(store: Store, arn: str) -> list[Record]:
    """The tags of a resource, each with Key and Value; none if there is no such resource."""
    kind, name = resource_of(arn)
    resource = store.find(kind, name)
    return _current(store.find(TAGS, arn), resource) if resource else []


def all_tags(store: Store) -> Callable[[str, Record], list[Record]]:
    """The same for many resources, which are at hand: ARN and record -> tags."""
    known: dict[str, Record] = {}
    for record in store.all(TAGS):
        known[str(record["ResourceArn"])] = record
    return lambda arn, resource: _current(known.get(arn), resource)


def resource_of(arn: str) -> tuple[str, str]:
    """Kind and name of the record of a resource."""
    kind, _, name = arn.split(":", 5)[-1].partition("/")
    if kind == PIPELINE and "/execution/" in name:
        return EXECUTION, last_part(name)
    return kind, name


def tags_write(arn: str, resource: Record, given: Input) -> list[Write]:
    """What a Create call has to write, beside the resource, for the Tags that it was given.

    Raises:
        AwsError: they are too many, or of the service itself.
    """
    tags = _checked(objects_of(given.get("Tags")))
    if len(tags) > _MOST_TAGS:
        raise _too_many(arn, len(tags))
    return [Write(kind=TAGS, name=arn, body=_record(arn, resource, tags))] if tags else []


def without_tags(given: Input) -> Record:
    """A Create call's request as it goes into the resource's record."""
    return {key: value for key, value in given.items() if key != "Tags"}


def _resource(machine: Machine, arn: str) -> Record:
    kind, name = resource_of(arn)
    known = kind in _KINDS and machine.names.arn(kind, name) == arn
    record = machine.store.find(kind, name) if known or kind == EXECUTION else None
    if record is None:
        raise validation(f"Resource {arn} does not exist")
    return record


def _too_many(arn: str, count: int) -> AwsError:
    return validation(f"A resource can have at most {_MOST_TAGS} tags; {arn} would have {count}")


def _checked(tags: list[Record]) -> dict[str, JSON]:
    for tag in tags:
        if str(tag["Key"]).lower().startswith(_RESERVED):
            raise validation(f"{tag['Key']}: tag keys that begin with '{_RESERVED}' are for AWS's own use")
    return _by_key(tags)


def _by_key(tags: list[Record]) -> dict[str, JSON]:
    return {str(tag["Key"]): tag["Value"] for tag in tags}


def _current(known: Record | None, resource: Record) -> list[Record]:
    """The tags on record; if they are of an earlier resource of that name, those that it was made with."""
    if known is not None and known["CreationTime"] == resource.get("CreationTime"):
        return objects_of(known["Tags"])
    return objects_of(resource.get("Tags"))


def _record(arn: str, resource: Record, tags: Mapping[str, JSON]) -> Record:
    return {"ResourceArn": arn, "CreationTime": resource.get("CreationTime"), "Tags": _listed(tags)}


def _listed(tags: Mapping[str, JSON]) -> list[JSON]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def _change(
    store: Store, arn: str, resource: Record, change: Callable[[dict[str, JSON]], dict[str, JSON]]
) -> dict[str, JSON]:
    """Replace a resource's tags by what a function makes of them, with nobody in between."""
    changed: dict[str, JSON] = {}

    def replace(known: Record) -> Record:
        changed.update(change(_by_key(_current(known, resource))))
        return _record(arn, resource, changed)

    store.add(TAGS, arn, _record(arn, resource, _by_key(_current(None, resource))))
    store.change(TAGS, arn, replace)
    return changed
