"""Pipelines: CreatePipeline and its like."""

from collections.abc import Mapping

from workflows.definition.model import JSON
from workflows.definition.records import Record, last_part
from workflows.local import pipelines
from workflows.local.journal import EXECUTING, STOPPING
from workflows.local.pipelines import UnknownPipeline
from workflows.local.records import (
    EXECUTION,
    EXECUTION_STEP,
    LAST_EXECUTION,
    PIPELINE,
    PIPELINE_VERSION,
    STEP_RESULT,
    TAGS,
)
from workflows.local.request import Request
from workflows.local.store import Store
from workflows.server.cursors import walk, window_of
from workflows.server.errors import AwsError, not_found, validation
from workflows.server.json_protocol import Operation
from workflows.server.machine import Machine
from workflows.server.sagemaker.aliases import aliases_of, with_aliases
from workflows.server.sagemaker.definitions import given_definition
from workflows.server.sagemaker.identity import user_context
from workflows.server.sagemaker.pipeline_names import the_pipeline, the_version
from workflows.server.sagemaker.tags import tags_write
from workflows.server.sagemaker.tokens import once
from workflows.server.shapes import Input, Output

_GIVEN = ("PipelineDisplayName", "PipelineDescription", "RoleArn", "ParallelismConfiguration")
_OF_VERSION = ("PipelineDefinition", "PipelineVersionDisplayName", "PipelineVersionDescription")


def create_pipeline(machine: Machine, given: Input) -> Output:
    """CreatePipeline."""
    name, token = str(given["PipelineName"]), given["ClientRequestToken"]
    definition = given_definition(machine, given)
    if definition is None:
        raise validation("Either PipelineDefinition or PipelineDefinitionS3Location is required")
    arn, user = machine.names.arn("pipeline", name), user_context(machine)
    members: Record = {
        "PipelineDisplayName": name,
        **{key: given[key] for key in _GIVEN if key in given},
        "ClientRequestToken": token,
        "CreatedBy": user,
        "LastModifiedBy": user,
    }
    pipeline = pipelines.new_pipeline(name, arn=arn, members=members)
    pipeline = with_aliases(pipeline, 1, add=Request(given, "").texts("PipelineVersionAliases"))
    tags = tags_write(arn, pipeline, given)
    if not pipelines.create(machine.store, pipeline, definition.text, *tags):
        _refuse_another(machine.store, name, token)
    return {"PipelineArn": arn}


def update_pipeline(machine: Machine, given: Input) -> Output:
    """UpdatePipeline: another definition is another version."""
    pipeline = the_pipeline(machine, given)
    definition = given_definition(machine, given)
    aliases = Request(given, "").texts("PipelineVersionAliases")

    def change(record: Record, added: int | None) -> Record:
        if aliases and added is None:
            raise validation(
                "PipelineVersionAliases can be specified only when the pipeline definition changes"
            )
        changed = with_aliases(record, added, add=aliases) if added is not None else record
        members = {key: given[key] for key in _GIVEN if key in given}
        return {**changed, **members, "LastModifiedBy": user_context(machine)}

    text = definition.text if definition else None
    try:
        version = pipelines.update(machine.store, str(pipeline["PipelineName"]), text, change=change)
    except UnknownPipeline as error:
        raise _gone(error) from None
    return {"PipelineArn": pipeline["PipelineArn"], "PipelineVersionId": version}


def describe_pipeline(machine: Machine, given: Input) -> Output:
    """DescribePipeline, with the latest version or the one that is asked for."""
    pipeline = the_pipeline(machine, given)
    version = the_version(machine, pipeline, given)
    return {
        **pipeline,
        **{key: version[key] for key in _OF_VERSION if key in version},
        "PipelineVersionAliases": aliases_of(pipeline, pipelines.version_of(version)),
    }


def delete_pipeline(machine: Machine, given: Input) -> Output:
    """DeletePipeline: its versions and executions go with it; jobs, models and endpoints stay."""
    return once(machine.store, "DeletePipeline", given, lambda: _delete(machine, given))


def list_pipelines(machine: Machine, given: Input) -> Output:
    """ListPipelines."""
    prefix = str(given.get("PipelineNamePrefix", ""))

    def wanted(pipeline: Record) -> bool:
        # All are those of the customer.
        return str(pipeline["PipelineName"]).startswith(prefix) and given.get("ManagedBy") != "AWS"

    found, token = walk(machine.store, window_of(given, PIPELINE, name="Name"), given, wanted=wanted)
    summaries: list[JSON] = [
        {**pipeline, "LastExecutionTime": pipeline.get("LastRunTime")} for pipeline in found
    ]
    return {"PipelineSummaries": summaries, "NextToken": token}


OPERATIONS: Mapping[str, Operation] = {
    "CreatePipeline": create_pipeline,
    "UpdatePipeline": update_pipeline,
    "DescribePipeline": describe_pipeline,
    "DeletePipeline": delete_pipeline,
    "ListPipelines": list_pipelines,
}


def _refuse_another(store: Store, name: str, token: JSON) -> None:
    """Nothing if the pipeline that is there was made by the same request."""
    known = store.find(PIPELINE, name)
    if known is None or known.get("ClientRequestToken") != token:
        # The SDKs tell by these words, v2 by "already exists", that they have to update.
        raise validation(
            "Pipeline names must be unique within an AWS account and region. Pipeline with name "
            f"({name}) already exists."
        )


def _gone(error: UnknownPipeline) -> AwsError:
    return not_found(f"{error}.")


def _delete(machine: Machine, given: Input) -> Output:
    store, pipeline = machine.store, the_pipeline(machine, given)
    name, arn = str(pipeline["PipelineName"]), str(pipeline["PipelineArn"])

    def deleting(record: Record) -> Record:
        # In the same transaction: no execution starts in between, and none after it.
        if running := _running(store, name):
            raise AwsError("ConflictException", f"Pipeline '{arn}' has executions that run: {running}")
        return {**record, "PipelineStatus": pipelines.DELETING}

    if store.change(PIPELINE, name, deleting) is None:
        raise not_found(f"Pipeline '{arn}' does not exist.")
    store.delete_all(_records(store, name, arn))
    return {"PipelineArn": arn}


def _running(store: Store, name: str) -> str:
    return ", ".join(
        last_part(execution["PipelineExecutionArn"])
        for execution in store.all(EXECUTION, parent=name)
        if execution["PipelineExecutionStatus"] in (EXECUTING, STOPPING)
    )


def _records(store: Store, name: str, arn: str) -> list[tuple[str, str]]:
    """Everything that goes with a pipeline.

    Records of steps stay: through them `workflows clean` finds what the executions have left behind.
    """
    executions = [last_part(record["PipelineExecutionArn"]) for record in store.all(EXECUTION, parent=name)]
    results = [
        (STEP_RESULT, f"{execution}/{step['StepName']}")
        for execution in executions
        for step in store.all(EXECUTION_STEP, parent=execution)
    ]
    versions = [
        (kind, f"{name}/{pipelines.version_of(version)}")
        for version in pipelines.versions(store, name)
        for kind in (PIPELINE_VERSION, LAST_EXECUTION)
    ]
    return [
        *results,
        *((EXECUTION, execution) for execution in executions),
        *versions,
        (TAGS, arn),
        (PIPELINE, name),
    ]
