"""Versions of pipelines: ListPipelineVersions and UpdatePipelineVersion."""

from collections.abc import Mapping

from workflows.definition.model import JSON
from workflows.definition.records import Record, last_part
from workflows.local import pipelines
from workflows.local.pipelines import version_of
from workflows.local.records import EXECUTION, LAST_EXECUTION, PIPELINE, PIPELINE_VERSION
from workflows.local.request import Request
from workflows.local.store import Store
from workflows.server.cursors import walk, window_of
from workflows.server.errors import not_found
from workflows.server.json_protocol import Operation
from workflows.server.machine import Machine
from workflows.server.sagemaker.aliases import aliases_of, with_aliases
from workflows.server.sagemaker.pipeline_names import the_pipeline, the_version
from workflows.server.shapes import Input, Output

_NAMED = ("PipelineVersionDisplayName", "PipelineVersionDescription")


def list_pipeline_versions(machine: Machine, given: Input) -> Output:
    """ListPipelineVersions."""
    pipeline = the_pipeline(machine, given)
    window = window_of(given, PIPELINE_VERSION, parent=str(pipeline["PipelineName"]), name="")
    found, token = walk(machine.store, window, given)
    summaries: list[JSON] = [_summary(machine.store, pipeline, version) for version in found]
    return {"PipelineVersionSummaries": summaries, "NextToken": token}


def update_pipeline_version(machine: Machine, given: Input) -> Output:
    """UpdatePipelineVersion: display name, description and aliases; a definition never changes."""
    pipeline = the_pipeline(machine, given, "PipelineArn")
    version = the_version(machine, pipeline, given)
    name, number = str(pipeline["PipelineName"]), pipelines.version_of(version)
    operations = Request(given, "")
    add = operations.texts("PipelineVersionAliasOperations.Add")
    remove = operations.texts("PipelineVersionAliasOperations.Remove")

    def name_it(record: Record) -> Record:
        return {**record, **{key: given[key] for key in _NAMED if key in given}}

    if add or remove:
        machine.store.change(
            PIPELINE, name, lambda record: with_aliases(record, number, add=add, remove=remove)
        )
    if machine.store.change(PIPELINE_VERSION, f"{name}/{number}", name_it) is None:
        raise not_found(f"Pipeline '{pipeline['PipelineArn']}' does not exist.")
    return {"PipelineArn": pipeline["PipelineArn"], "PipelineVersionId": number}


OPERATIONS: Mapping[str, Operation] = {
    "ListPipelineVersions": list_pipeline_versions,
    "UpdatePipelineVersion": update_pipeline_version,
}


def _summary(store: Store, pipeline: Record, version: Record) -> Record:
    number = version_of(version)
    last = store.find(LAST_EXECUTION, f"{pipeline['PipelineName']}/{number}") or {}
    arn = last.get("PipelineExecutionArn")
    # Executions can be removed.
    known = arn is not None and store.find(EXECUTION, last_part(arn)) is not None
    return {
        **version,
        "PipelineVersionAliases": aliases_of(pipeline, number),
        "LastExecutionPipelineExecutionArn": arn if known else None,
    }
