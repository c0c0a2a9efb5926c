"""Steps of executions: ListPipelineExecutionSteps, and the answers that callback steps wait for."""

from collections.abc import Mapping
from functools import partial
from itertools import count, takewhile

from workflows.definition.model import JSON
from workflows.definition.records import Record
from workflows.local import callbacks
from workflows.local.callbacks import AnsweredAlready, CallbackError
from workflows.local.job_kinds import KINDS, TUNING, JobKind
from workflows.local.journal import EXECUTING, now
from workflows.local.naming import job_name
from workflows.local.output_parameters import OutputError
from workflows.local.records import CALLBACK, EXECUTION_STEP
from workflows.local.request import Request
from workflows.local.resources import KINDS as METADATA_KINDS
from workflows.local.store import Store
from workflows.local.tuning.job import tuning_job_name
from workflows.server.errors import AwsError, not_found, validation
from workflows.server.json_protocol import Operation
from workflows.server.machine import Machine
from workflows.server.paging import chosen, page
from workflows.server.sagemaker.pipeline_names import the_execution
from workflows.server.shapes import Input, Output

# The most that a request may ask for. The service's own default is not documented; the SDKs' list_steps reads
# one page only.
_STEPS = 100
_NO_REASON = "The callback was answered with a failure, and without a reason"


def list_pipeline_execution_steps(machine: Machine, given: Input) -> Output:
    """ListPipelineExecutionSteps: those that have started, the latest first."""
    execution_id, _ = the_execution(machine, given)
    steps = machine.store.all(EXECUTION_STEP, parent=execution_id)
    found, token = page(chosen(steps, given, time="StartTime"), given, default_size=_STEPS)
    listed: list[JSON] = [
        {**step, "Metadata": _metadata_so_far(machine.store, str(given["PipelineExecutionArn"]), step)}
        if step["StepStatus"] == EXECUTING
        else step
        for step in found
    ]
    return {"PipelineExecutionSteps": listed, "NextToken": token}


def send_pipeline_execution_step_success(machine: Machine, given: Input) -> Output:
    """SendPipelineExecutionStepSuccess."""
    entries = Request(given, "").requests("OutputParameters")
    outputs = {str(entry.find("Name")): str(entry.find("Value")) for entry in entries}
    if len(outputs) < len(entries):
        raise validation("OutputParameters: two parameters have the same name")
    return _answer(machine, given, partial(callbacks.succeed, given=outputs))


def send_pipeline_execution_step_failure(machine: Machine, given: Input) -> Output:
    """SendPipelineExecutionStepFailure."""
    reason = str(given.get("FailureReason") or _NO_REASON)
    return _answer(machine, given, partial(callbacks.fail, reason=reason))


OPERATIONS: Mapping[str, Operation] = {
    "ListPipelineExecutionSteps": list_pipeline_execution_steps,
    "SendPipelineExecutionStepSuccess": send_pipeline_execution_step_success,
    "SendPipelineExecutionStepFailure": send_pipeline_execution_step_failure,
}


def job_of(store: Store, execution_id: str, step: str, step_type: str) -> tuple[JobKind, Record] | None:
    """The job of a step, as soon as there is one."""
    for kind in KINDS:
        if kind.step_type == step_type:
            own = job_name(execution_id, step)
            record = store.find(kind.record, tuning_job_name(own) if kind is TUNING else own)
            return (kind, record) if record else None
    return None


def _metadata_so_far(store: Store, arn: str, step: Record) -> Record:
    """What is known of a step that still works; the step's record says it only at the end."""
    name, step_type = str(step["StepName"]), step["StepType"]
    if step_type == "Callback":
        return _question(store, arn, name)
    job = job_of(store, arn.rpartition("/")[2], name, str(step_type))
    if job is None:
        return {}
    kind, record = job
    key = next(key for key, of in METADATA_KINDS.items() if of == kind.record)
    return {key: {"Arn": record[kind.arn]}}


def _question(store: Store, arn: str, step: str) -> Record:
    asked = (store.find(CALLBACK, callbacks.token_of(arn, step, number)) for number in count())
    messages = [message for message in takewhile(lambda message: message is not None, asked) if message]
    if not messages:
        return {}
    return {"Callback": {"CallbackToken": messages[-1]["token"], "SqsQueueUrl": messages[-1]["SqsQueueUrl"]}}


def _answer(machine: Machine, given: Input, give: "partial[Record]") -> Output:
    token, store = str(given["CallbackToken"]), machine.store
    asked = store.find(CALLBACK, token)
    if asked is None:
        raise not_found(f"Callback token '{token}' does not exist.")
    try:
        give(store, token, now=now())
    except AnsweredAlready as error:
        # Who has not heard that the answer arrived sends it again.
        if not error.is_same:
            raise AwsError("ConflictException", str(error)) from None
    except (CallbackError, OutputError) as error:
        raise validation(str(error)) from None
    return {"PipelineExecutionArn": asked["pipelineExecutionArn"]}
