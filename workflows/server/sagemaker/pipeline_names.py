"""From what a request calls a pipeline, a version or an execution to its record."""

import re

from workflows.definition.records import Record
from workflows.local.pipelines import latest_version, version_of
from workflows.local.records import EXECUTION, PIPELINE, PIPELINE_VERSION
from workflows.server.errors import not_found, validation
from workflows.server.machine import Machine
from workflows.server.sagemaker.aliases import aliased_version
from workflows.server.shapes import Input

_NAME = re.compile(r"[a-zA-Z0-9-]{1,256}")
_EXECUTION_ID = re.compile(r"[a-z0-9]{1,64}")


def the_pipeline(machine: Machine, given: Input, member: str = "PipelineName") -> Record:
    """The pipeline that a request names, or gives the ARN of.

    Raises:
        AwsError: ResourceNotFound.
    """
    called = str(given[member])
    name = called.rpartition("/")[2]
    # The service model lets an ARN hold anything.
    record = machine.store.find(PIPELINE, name) if _NAME.fullmatch(name) else None
    if record is None or called not in (name, record["PipelineArn"]):
        arn = called if called.startswith("arn:") else machine.names.arn("pipeline", called)
        raise not_found(f"Pipeline '{arn}' does not exist.")
    return record


def the_version(machine: Machine, pipeline: Record, given: Input) -> Record:
    """The version of a pipeline that a request asks for by number or alias; else the latest.

    Raises:
        AwsError: ResourceNotFound; ValidationException where both are given.
    """
    name, number = str(pipeline["PipelineName"]), given.get("PipelineVersionId")
    alias = given.get("PipelineVersionAlias")
    if number is not None and alias is not None:
        raise validation("PipelineVersionId and PipelineVersionAlias cannot be specified together")
    if alias is not None:
        number = aliased_version(pipeline, str(alias))
    if number is None:
        return latest_version(machine.store, name)
    found = machine.store.find(PIPELINE_VERSION, f"{name}/{number}")
    if found is None:
        raise not_found(f"Pipeline version {number} of pipeline '{pipeline['PipelineArn']}' does not exist.")
    return found


def the_execution(machine: Machine, given: Input, member: str = "PipelineExecutionArn") -> tuple[str, Record]:
    """The id and the record of the execution that a request gives the ARN of.

    Raises:
        AwsError: ResourceNotFound.
    """
    arn = str(given.get(member, ""))
    execution_id = arn.rpartition("/")[2]
    record = machine.store.find(EXECUTION, execution_id) if _EXECUTION_ID.fullmatch(execution_id) else None
    if record is None or record["PipelineExecutionArn"] != arn:
        raise not_found(f"Pipeline execution '{arn}' does not exist.")
    return execution_id, record


def pipeline_of(machine: Machine, execution: Record) -> Record:
    """The pipeline of an execution; empty if it is gone."""
    name = str(execution["PipelineArn"]).rpartition("/")[2]
    return machine.store.find(PIPELINE, name) or {}


def version_record(machine: Machine, execution: Record) -> Record | None:
    """The version of the pipeline that an execution runs."""
    name = str(execution["PipelineArn"]).rpartition("/")[2]
    return machine.store.find(PIPELINE_VERSION, f"{name}/{version_of(execution)}")
