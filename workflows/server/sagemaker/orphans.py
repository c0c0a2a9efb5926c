"""Executions whose engine has died: with a server, or with another process."""

import time

from workflows.definition.errors import WorkflowError
from workflows.definition.records import Record, last_part
from workflows.local.job_control import request_stop
from workflows.local.journal import EXECUTING, STOPPED, STOPPING, now
from workflows.local.records import EXECUTION, EXECUTION_STEP
from workflows.local.store import Store
from workflows.server.execution_log import ExecutionLog
from workflows.server.machine import Machine
from workflows.server.sagemaker import running
from workflows.server.sagemaker.execution_steps import job_of

_TAKEN_UP_WITHIN_S = 0.5
_REASON = "The process that ran the execution has ended"


def adopt_orphans(machine: Machine, *, resume: bool) -> list[str]:
    """Settle the executions that no living engine runs although they are not at their end.

    For the start of a server. Those of other processes that live are left alone.

    Args:
        machine: whose executions.
        resume: whether they go on, in the background. Else they become Stopped, and in any case those that
            somebody wanted to stop and those that cannot go on do.

    Returns:
        Their ids.
    """
    found = _orphans(machine)
    for record in found:
        execution_id = last_part(record["PipelineExecutionArn"])
        if resume and record["PipelineExecutionStatus"] == EXECUTING:
            _adopt(machine, execution_id)
        else:
            _mark(machine.store, execution_id, f"{_REASON}; go on with: workflows resume {execution_id}")
    return [last_part(record["PipelineExecutionArn"]) for record in found]


def _orphans(machine: Machine) -> list[Record]:
    found = [record for record in machine.store.all(EXECUTION) if _is_orphan(machine, record)]
    if found:
        # An engine in another process may be about to take up what it has just recorded.
        time.sleep(_TAKEN_UP_WITHIN_S)
    return [record for record in found if _is_orphan(machine, record)]


def _is_orphan(machine: Machine, record: Record) -> bool:
    going_on = record["PipelineExecutionStatus"] in (EXECUTING, STOPPING)
    return going_on and not running.is_live(machine, last_part(record["PipelineExecutionArn"]))


def _adopt(machine: Machine, execution_id: str) -> None:
    try:
        running.resume(machine, execution_id)
    except WorkflowError as error:
        _mark(machine.store, execution_id, f"{_REASON}, and it cannot go on: {error}")


def _mark(store: Store, execution_id: str, reason: str) -> None:
    """Stopped, as by somebody who has ended the process: who waits for an end must not wait for ever.

    Not Failed: nothing that the pipeline does has failed, alarms on failures would point at the wrong thing,
    and both can be retried.
    """

    def stopped(record: Record) -> Record:
        if record["PipelineExecutionStatus"] not in (EXECUTING, STOPPING):
            return record
        ending = {"PipelineExecutionStatus": STOPPED, "FailureReason": reason, "LastModifiedTime": now()}
        return {**record, **ending}

    for step in store.all(EXECUTION_STEP, parent=execution_id):
        if step["StepStatus"] == EXECUTING:
            _mark_step(store, execution_id, str(step["StepName"]), str(step["StepType"]))
    store.change(EXECUTION, execution_id, stopped)
    ExecutionLog(execution_id).event("execution-ended", status=STOPPED, reason=reason)


def _mark_step(store: Store, execution_id: str, name: str, step_type: str) -> None:
    def stopped(record: Record) -> Record:
        return {**record, "StepStatus": STOPPED, "EndTime": now(), "FailureReason": _REASON}

    job = job_of(store, execution_id, name, step_type)
    if job is not None:
        kind, record = job
        request_stop(store, kind, str(record[kind.name]))
    store.change(EXECUTION_STEP, f"{execution_id}/{name}", stopped)
