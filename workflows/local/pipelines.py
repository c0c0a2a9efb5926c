"""The pipelines of this machine and their versions, as UpdatePipeline and ListPipelineVersions know them."""

from collections.abc import Callable, Mapping
from functools import partial

from workflows.definition.errors import WorkflowError, did_you_mean
from workflows.definition.loader import load
from workflows.definition.model import JSON, Definition
from workflows.definition.records import Record
from workflows.local.journal import now
from workflows.local.records import LAST_EXECUTION, PIPELINE, PIPELINE_VERSION
from workflows.local.store import Store, Write
from workflows.local.windows import Window

ACTIVE, DELETING = "Active", "Deleting"


class UnknownPipeline(WorkflowError):
    """No pipeline, or no version of it, has this name here."""


def upsert(store: Store, name: str, definition: Definition, *, arn: str) -> int:
    """Make a definition the latest version of a pipeline; returns its version.

    A definition that equals the latest one, to the letter, makes no new version.
    """
    if create(store, new_pipeline(name, arn=arn, members={}), definition.text):
        return 1
    latest = latest_version(store, name)
    if latest["PipelineDefinition"] == definition.text:
        return version_of(latest)
    return update(store, name, definition.text, change=lambda record, _: record)


def new_pipeline(name: str, *, arn: str, members: Mapping[str, JSON]) -> Record:
    """The record of a pipeline that is to be made; `members` of DescribePipeline are the caller's own."""
    time = now()
    return {
        "PipelineName": name,
        "PipelineArn": arn,
        "PipelineStatus": ACTIVE,
        "CreationTime": time,
        "LastModifiedTime": time,
        **members,
    }


def create(store: Store, pipeline: Record, text: str, *beside: Write) -> bool:
    """Make a pipeline whose first version is this definition; False, and nothing made, if there is one."""
    name, arn, time = (str(pipeline[key]) for key in ("PipelineName", "PipelineArn", "CreationTime"))
    first = _version(name, 1, text, arn=arn, time=time)
    return store.write(Write(kind=PIPELINE, name=name, body=pipeline, new=True), first, *beside)


def update(
    store: Store, name: str, text: str | None, *, change: Callable[[Record, int | None], Record]
) -> int:
    """Change a pipeline's record and, with a definition other than the latest, add a version.

    Args:
        store: where it is kept.
        name: of the pipeline.
        text: the definition; None leaves it as it is.
        change: makes the new record out of the old one; is told the number of the version that is added.

    Returns:
        The latest version.

    Raises:
        UnknownPipeline: there is none, or it is being deleted.
    """

    def changed(added: int | None, record: Record) -> Record:
        _refuse_deleted(record)
        return {**change(record, added), "LastModifiedTime": now()}

    while True:
        latest = latest_version(store, name)
        number, added, versions = version_of(latest), None, []
        if text is not None and text != latest["PipelineDefinition"]:
            number = added = number + 1
            versions = [_version(name, number, text, arn=str(latest["PipelineArn"]), time=now())]
        if store.change(PIPELINE, name, partial(changed, added), *versions) is not None:
            return number
        # Another process has made this version meanwhile, or has deleted the pipeline.


def note_start(store: Store, name: str, version: int, execution: Write) -> bool:
    """Write the first record of an execution, if there is none of its name; says whether it was written.

    Raises:
        UnknownPipeline: there is no such pipeline any more.
    """

    def started(record: Record) -> Record:
        _refuse_deleted(record)
        time = max(str(record.get("LastRunTime", "")), str(execution.body["CreationTime"]))
        return {**record, "LastRunTime": time}

    arn: Record = {"PipelineExecutionArn": execution.body["PipelineExecutionArn"]}
    last = Write(kind=LAST_EXECUTION, name=f"{name}/{version}", body=arn)
    if store.change(PIPELINE, name, started, execution, last) is not None:
        return True
    if store.find(PIPELINE, name) is None:
        raise _unknown(store, name)
    return False


def versions(store: Store, name: str) -> list[Record]:
    """Every version of a pipeline, the oldest first."""
    return store.all(PIPELINE_VERSION, parent=name)


def latest_version(store: Store, name: str) -> Record:
    """The version that an execution has unless it asks for another one.

    Raises:
        UnknownPipeline: there is no such pipeline.
    """
    found = store.page(Window(kind=PIPELINE_VERSION, parent=name, descending=True, limit=1))
    if not found:
        raise _unknown(store, name)
    return found[0][1]


def version_of(record: Record) -> int:
    """The number of a version, out of its record or that of an execution."""
    number = record["PipelineVersionId"]
    return number if isinstance(number, int) else 1


def definition_of(store: Store, name: str, version: int) -> Definition:
    """The definition of one version.

    Raises:
        UnknownPipeline: there is none.
    """
    record = store.find(PIPELINE_VERSION, f"{name}/{version}")
    if record is None:
        latest = version_of(latest_version(store, name))
        raise UnknownPipeline(f"pipeline '{name}' has no version {version}; it has 1 to {latest}")
    # Its size was looked at when it came, in whichever way it did.
    return load(str(record["PipelineDefinition"]), source=f"{name} version {version}", from_s3=True)


def _version(name: str, number: int, text: str, *, arn: str, time: str) -> Write:
    body: Record = {
        "PipelineArn": arn,
        "PipelineVersionId": number,
        "CreationTime": time,
        "PipelineDefinition": text,
    }
    return Write(kind=PIPELINE_VERSION, name=f"{name}/{number}", body=body, parent=name, new=True)


def _refuse_deleted(record: Record) -> None:
    if record["PipelineStatus"] == DELETING:
        raise UnknownPipeline(f"pipeline '{record['PipelineName']}' is being deleted")


def _unknown(store: Store, name: str) -> UnknownPipeline:
    names = [str(entry["PipelineName"]) for entry in store.all(PIPELINE)]
    return UnknownPipeline(f"no pipeline '{name}' has run here{did_you_mean(name, names)}")
