"""The pipelines of this machine and their versions, as UpdatePipeline and ListPipelineVersions know them."""

from collections.abc import Mapping

from workflows.definition.errors import WorkflowError, did_you_mean
from workflows.definition.loader import load
from workflows.definition.model import JSON, Definition
from workflows.local.journal import now
from workflows.local.records import PIPELINE, PIPELINE_VERSION, Record
from workflows.local.store import Store, Write
from workflows.local.windows import Window


class UnknownPipeline(WorkflowError):
    """No pipeline, or no version of it, has this name here."""


def upsert(store: Store, name: str, definition: Definition, *, arn: str) -> int:
    """Make a definition the latest version of a pipeline; returns its version.

    A definition that equals the latest one, to the letter, makes no new version.
    """
    while True:
        if store.find(PIPELINE, name) is None:
            made = create(store, name, definition.text, arn=arn, members={})
        else:
            made = True
        version = update(store, name, definition.text, arn=arn) if made else None
        if version is not None:
            return version
        # Another process has made the pipeline meanwhile.


def create(store: Store, name: str, text: str, *, arn: str, members: Mapping[str, JSON]) -> bool:
    """Make a pipeline whose first version is this definition; False, and nothing made, if there is one.

    `members` are those of DescribePipeline that the caller decides.
    """
    time = now()
    pipeline: Record = {
        "PipelineName": name,
        "PipelineArn": arn,
        "PipelineStatus": "Active",
        "CreationTime": time,
        "LastModifiedTime": time,
        **members,
    }
    return store.write(
        Write(kind=PIPELINE, name=name, body=pipeline, new=True), _version(name, 1, text, arn=arn, time=time)
    )
