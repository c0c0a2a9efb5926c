"""What is on record of pipeline executions: DescribePipelineExecution and its like."""

from collections.abc import Mapping

from workflows.definition.model import JSON
from workflows.definition.records import Record, objects_of
from workflows.local.journal import now
from workflows.local.pipelines import version_of
from workflows.local.records import EXECUTION
from workflows.server.cursors import walk, window_of
from workflows.server.errors import not_found
from workflows.server.json_protocol import Operation
from workflows.server.machine import Machine
from workflows.server.paging import page
from workflows.server.sagemaker.aliases import aliases_of
from workflows.server.sagemaker.identity import user_context
from workflows.server.sagemaker.pipeline_names import (
    pipeline_of,
    the_execution,
    the_pipeline,
    the_version,
    version_record,
)
from workflows.server.shapes import Input, Output

_CHANGEABLE = ("PipelineExecutionDisplayName", "PipelineExecutionDescription", "ParallelismConfiguration")
# The most that a request may ask for. The service's own default is not documented, and a page that is larger
# harms nobody.
_PARAMETERS = 100


def describe_pipeline_execution(machine: Machine, given: Input) -> Output:
    """DescribePipelineExecution."""
    _, record = the_execution(machine, given)
    return {
        **record,
        "PipelineVersionAliases": aliases_of(pipeline_of(machine, record), version_of(record)),
    }


def list_pipeline_executions(machine: Machine, given: Input) -> Output:
    """ListPipelineExecutions."""
    pipeline = the_pipeline(machine, given)
    only = version_of(the_version(machine, pipeline, given)) if "PipelineVersionAlias" in given else None

    def wanted(record: Record) -> bool:
        return only is None or version_of(record) == only

    name = str(pipeline["PipelineName"])
    window = window_of(given, EXECUTION, parent=name, name="PipelineExecutionArn")
    found, token = walk(machine.store, window, given, wanted=wanted)
    summaries: list[JSON] = [_summary(pipeline, record) for record in found]
    return {"PipelineExecutionSummaries": summaries, "NextToken": token}


def update_pipeline_execution(machine: Machine, given: Input) -> Output:
    """UpdatePipelineExecution; its parallelism also while it runs."""
    execution_id, _ = the_execution(machine, given)
    members = {key: given[key] for key in _CHANGEABLE if key in given}

    def change(record: Record) -> Record:
        return {
            **record,
            **members,
            "LastModifiedTime": now(),
            "LastModifiedBy": user_context(machine),
        }

    changed = machine.store.change(EXECUTION, execution_id, change)
    if changed is None:
        raise not_found(f"Pipeline execution '{given['PipelineExecutionArn']}' does not exist.")
    return {"PipelineExecutionArn": changed["PipelineExecutionArn"]}


def describe_pipeline_definition_for_execution(machine: Machine, given: Input) -> Output:
    """DescribePipelineDefinitionForExecution."""
    _, record = the_execution(machine, given)
    version = version_record(machine, record)
    if version is None:
        raise not_found(f"The definition of '{record['PipelineExecutionArn']}' does not exist.")
    return version


def list_pipeline_parameters_for_execution(machine: Machine, given: Input) -> Output:
    """ListPipelineParametersForExecution: in the order of the definition."""
    _, record = the_execution(machine, given)
    found, token = page(objects_of(record["PipelineParameters"]), given, default_size=_PARAMETERS)
    parameters: list[JSON] = [*found]
    return {"PipelineParameters": parameters, "NextToken": token}


OPERATIONS: Mapping[str, Operation] = {
    "DescribePipelineExecution": describe_pipeline_execution,
    "ListPipelineExecutions": list_pipeline_executions,
    "UpdatePipelineExecution": update_pipeline_execution,
    "DescribePipelineDefinitionForExecution": describe_pipeline_definition_for_execution,
    "ListPipelineParametersForExecution": list_pipeline_parameters_for_execution,
}


def _summary(pipeline: Record, record: Record) -> Record:
    return {
        **record,
        "StartTime": record["CreationTime"],
        "PipelineExecutionFailureReason": record.get("FailureReason"),
        "PipelineVersionAliases": aliases_of(pipeline, version_of(record)),
    }
