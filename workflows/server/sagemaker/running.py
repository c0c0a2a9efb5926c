"""Executions that run: StartPipelineExecution, StopPipelineExecution, RetryPipelineExecution."""

import time
from collections.abc import Mapping
from dataclasses import replace

from workflows.definition.errors import ParameterError, RefusedByPlan
from workflows.definition.records import Record
from workflows.local import pipelines
from workflows.local.engine import CannotContinue
from workflows.local.executor import Execution, ExecutionExists
from workflows.local.journal import EXECUTING, FAILED, STOPPED, Opening
from workflows.local.liveness import StillRunning, is_running
from workflows.local.naming import execution_id_of
from workflows.local.pipelines import UnknownPipeline
from workflows.local.records import EXECUTION
from workflows.local.request import Request
from workflows.local.selection import Selection
from workflows.server.errors import AwsError, validation
from workflows.server.execution_log import ExecutionLog
from workflows.server.json_protocol import Operation
from workflows.server.machine import Machine
from workflows.server.sagemaker.identity import user_context
from workflows.server.sagemaker.pipeline_names import the_execution, the_pipeline, the_version
from workflows.server.sagemaker.tokens import once
from workflows.server.shapes import Input, Output

_PARALLELISM = "ParallelismConfiguration.MaxParallelExecutionSteps"
_SAID = ("PipelineExecutionDisplayName", "PipelineExecutionDescription")
# Between an execution's last record and the end of its engine lies an instant.
_ENGINE_ENDS_WITHIN_S = 5.0
_LOOK_EVERY_S = 0.01


def start_pipeline_execution(machine: Machine, given: Input) -> Output:
    """StartPipelineExecution: returns as soon as the execution is on record."""
    pipeline = the_pipeline(machine, given)
    if "RoleArn" in given:
        raise validation("RoleArn can be specified only for a pipeline that AWS manages")
    execution_id = _id_of(pipeline, given)
    known = machine.store.find(EXECUTION, execution_id)
    if known is None:
        try:
            return {"PipelineExecutionArn": _start(machine, pipeline, execution_id, given)}
        except ExecutionExists as exists:
            return {"PipelineExecutionArn": exists.arn}
    return {"PipelineExecutionArn": known["PipelineExecutionArn"]}


def stop_pipeline_execution(machine: Machine, given: Input) -> Output:
    """StopPipelineExecution: its jobs end, as far as they can, and then it is Stopped."""
    return once(machine.store, "StopPipelineExecution", given, lambda: _stop(machine, given))


def retry_pipeline_execution(machine: Machine, given: Input) -> Output:
    """RetryPipelineExecution: the same execution goes on; steps that have succeeded do not run again."""
    return once(machine.store, "RetryPipelineExecution", given, lambda: _retry(machine, given))


OPERATIONS: Mapping[str, Operation] = {
    "StartPipelineExecution": start_pipeline_execution,
    "StopPipelineExecution": stop_pipeline_execution,
    "RetryPipelineExecution": retry_pipeline_execution,
}


def resume(machine: Machine, execution_id: str, *, max_parallel: int | None = None) -> None:
    """Let an execution go on in the background.

    Raises:
        WorkflowError: it cannot, see `Engine.resume`; or somebody else has just let it go on.
    """
    log = ExecutionLog(execution_id)
    options = replace(machine.options, max_parallel=max_parallel)
    execution = machine.engine.resume(execution_id, listener=log, options=options)
    if not _run(machine, execution, log):
        raise CannotContinue(f"execution {execution_id} runs already")


def is_live(machine: Machine, execution_id: str) -> bool:
    """Whether an engine runs an execution, in this process or another, or is about to."""
    background = machine.background.running(_work_name(execution_id))
    return background or is_running(machine.store.home / "runs" / execution_id)


def _id_of(pipeline: Record, given: Input) -> str:
    """The same for a request that is repeated: one of the two then finds that the execution exists."""
    made = f"{pipeline['PipelineArn']} {pipeline['CreationTime']}"
    return execution_id_of(f"{made} {given['ClientRequestToken']}")


def _start(machine: Machine, pipeline: Record, execution_id: str, given: Input) -> str:
    name = str(pipeline["PipelineName"])
    version = pipelines.version_of(the_version(machine, pipeline, given))
    request = Request(given, "StartPipelineExecution")
    limit = request.number(_PARALLELISM, 0) or Request(pipeline, name).number(_PARALLELISM, 0)
    log = ExecutionLog(execution_id)
    try:
        execution = machine.engine.start(
            name,
            pipelines.definition_of(machine.store, name, version),
            _parameters(request),
            listener=log,
            options=replace(machine.options, max_parallel=limit or None),
            selection=_selection(machine, pipeline, request),
            version=version,
            opening=Opening(id=execution_id, members=_members(machine, pipeline, given)),
        )
    except (ParameterError, RefusedByPlan, CannotContinue, UnknownPipeline) as error:
        raise validation(str(error)) from None
    log.event("execution-started", pipeline=name, version=version)
    _run(machine, execution, log)
    return execution.arn


def _run(machine: Machine, execution: Execution, log: ExecutionLog) -> bool:
    def work() -> None:
        try:
            record = execution.run()
        except StillRunning as error:
            # Another process has taken it at the same moment.
            log.event("execution-left", reason=str(error))
            return
        log.event(
            "execution-ended",
            status=record["PipelineExecutionStatus"],
            reason=record.get("FailureReason"),
        )

    # A server that ends leaves its executions as one that dies: the next one adopts them.
    return machine.background.start(_work_name(execution.id), work, stop=execution.suspend)


def _work_name(execution_id: str) -> str:
    return f"execution {execution_id}"


def _parameters(request: Request) -> dict[str, str]:
    entries = request.requests("PipelineParameters")
    given = {entry.text("Name"): str(entry.find("Value")) for entry in entries}
    if len(given) < len(entries):
        raise validation("PipelineParameters: two parameters have the same name")
    return given


def _selection(machine: Machine, pipeline: Record, request: Request) -> Selection | None:
    found = request.find("SelectiveExecutionConfig")
    if not isinstance(found, dict):
        return None
    config = Request(found, "SelectiveExecutionConfig")
    source = config.text("SourcePipelineExecutionArn", "") or None
    if source is not None:
        _, record = the_execution(machine, config.fields, "SourcePipelineExecutionArn")
        if record["PipelineArn"] != pipeline["PipelineArn"]:
            raise validation(f"{source} is no execution of pipeline '{pipeline['PipelineArn']}'")
    steps = tuple(str(entry.find("StepName")) for entry in config.requests("SelectedSteps"))
    return Selection(steps=steps, source_arn=source)


def _members(machine: Machine, pipeline: Record, given: Input) -> Record:
    user = user_context(machine)
    said: Record = {key: given[key] for key in _SAID if key in given}
    if "MlflowExperimentName" in given:
        said["MLflowConfig"] = {"MlflowExperimentName": given["MlflowExperimentName"]}
    if "RoleArn" in pipeline:
        said["RoleArn"] = pipeline["RoleArn"]
    return {**said, "CreatedBy": user, "LastModifiedBy": user}


def _stop(machine: Machine, given: Input) -> Output:
    execution_id, record = the_execution(machine, given)
    if record["PipelineExecutionStatus"] != EXECUTING:
        raise _not_to_be_stopped(record)
    try:
        status = machine.engine.stop(execution_id)
    except CannotContinue:
        raise _not_to_be_stopped(the_execution(machine, given)[1]) from None
    ExecutionLog(execution_id).event("execution-stopped", status=status)
    return {"PipelineExecutionArn": record["PipelineExecutionArn"]}


def _retry(machine: Machine, given: Input) -> Output:
    execution_id, record = the_execution(machine, given)
    if record["PipelineExecutionStatus"] in (FAILED, STOPPED):
        _wait_for_engines_end(machine, execution_id)
    if is_live(machine, execution_id):
        raise _not_to_be_retried(record, "it runs")
    try:
        resume(machine, execution_id, max_parallel=Request(given, "").number(_PARALLELISM, 0) or None)
    except (CannotContinue, RefusedByPlan, ParameterError, UnknownPipeline) as error:
        raise _not_to_be_retried(record, str(error)) from None
    ExecutionLog(execution_id).event("execution-retried")
    return {"PipelineExecutionArn": record["PipelineExecutionArn"]}


def _wait_for_engines_end(machine: Machine, execution_id: str) -> None:
    deadline = time.monotonic() + _ENGINE_ENDS_WITHIN_S
    while is_live(machine, execution_id) and time.monotonic() < deadline:
        time.sleep(_LOOK_EVERY_S)


def _not_to_be_stopped(record: Record) -> AwsError:
    # Airflow's hook knows the service's first sentence by heart.
    return validation(
        "Only pipelines with 'Executing' status can be stopped. The status of "
        f"{record['PipelineExecutionArn']} is {record['PipelineExecutionStatus']}."
    )


def _not_to_be_retried(record: Record, reason: str) -> AwsError:
    # The service's own wording is not on record anywhere; this one follows that of a stop.
    return validation(
        f"Only pipelines with 'Failed' or 'Stopped' status can be retried. "
        f"{record['PipelineExecutionArn']}: {reason}"
    )
