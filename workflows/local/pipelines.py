"""The pipelines of this machine and their versions, as UpdatePipeline and ListPipelineVersions know them."""

import json

from workflows.definition.errors import WorkflowError, did_you_mean
from workflows.definition.loader import load
from workflows.definition.model import Definition
from workflows.local.journal import now
from workflows.local.records import PIPELINE, PIPELINE_VERSION, Record
from workflows.local.store import Store, Write


class UnknownPipeline(WorkflowError):
    """No pipeline, or no version of it, has this name here."""


def upsert(store: Store, name: str, definition: Definition, *, arn: str) -> int:
    """Make a definition the latest version of a pipeline; returns its version.

    A definition that equals the latest one makes no new version.
    """
    while True:
        known = versions(store, name)
        if known and known[-1]["PipelineDefinition"] == dict(definition.document):
            return len(known)
        version, time = len(known) + 1, now()
        pipeline: Record = {
            "PipelineName": name,
            "PipelineArn": arn,
            "PipelineStatus": "Active",
            "CreationTime": known[0]["CreationTime"] if known else time,
            "LastModifiedTime": time,
        }
        body: Record = {
            "PipelineArn": arn,
            "PipelineVersionId": version,
            "CreationTime": time,
            "PipelineDefinition": dict(definition.document),
        }
        if store.write(
            Write(kind=PIPELINE_VERSION, name=f"{name}/{version}", body=body, parent=name, new=True),
            Write(kind=PIPELINE, name=name, body=pipeline),
        ):
            return version
        # Another process has made this version meanwhile.


def versions(store: Store, name: str) -> list[Record]:
    """Every version of a pipeline, the oldest first."""
    return store.all(PIPELINE_VERSION, parent=name)


def definition_of(store: Store, name: str, version: int) -> Definition:
    """The definition of one version.

    Raises:
        UnknownPipeline: there is none.
    """
    record = store.find(PIPELINE_VERSION, f"{name}/{version}")
    if record is None:
        known = versions(store, name)
        if not known:
            names = [str(entry["PipelineName"]) for entry in store.all(PIPELINE)]
            raise UnknownPipeline(f"no pipeline '{name}' has run here{did_you_mean(name, names)}")
        raise UnknownPipeline(f"pipeline '{name}' has no version {version}; it has 1 to {len(known)}")
    return load(json.dumps(record["PipelineDefinition"]), source=f"{name} version {version}")
