"""Callback steps: a message in the local queue, and the wait for its answer.

Source: SageMaker Developer Guide, Callback step. Other than there, a step that is stopped does not wait for
somebody to answer: its message says Stopping, and it ends.
"""

from itertools import count

from workflows.definition.model import JSON
from workflows.definition.records import Record
from workflows.local import callbacks, output_parameters
from workflows.local.records import CALLBACK
from workflows.local.runners.base import Result, Site, StepFailed, Task

_LOOK_EVERY_S = 0.2


def run(task: Task, site: Site) -> Result:
    """Put the message, wait, return the outputs of the answer."""
    for reason in callbacks.refusals(task.request.fields, task.fields.fields, task.fields.where):
        raise StepFailed(reason)
    asked = _ask(task, site)
    answer = _wait(asked, task, site)
    metadata = _metadata(asked)
    if answer["Status"] == callbacks.FAILURE:
        raise StepFailed(str(answer["FailureReason"]), _used_up(asked, metadata))
    outputs = callbacks.outputs_of(answer, task.fields)
    metadata["OutputParameters"] = output_parameters.listed(outputs)
    return Result(
        kind=None,
        name=str(asked["token"]),
        description=output_parameters.properties(outputs),
        metadata={"Callback": metadata},
    )


def _ask(task: Task, site: Site) -> Record:
    """Put the message of this step, or again the one that an engine which died has put."""
    tokens = (callbacks.token_of(site.execution_arn, task.step, number) for number in count())
    # A step that has failed of its answer, and is tried again, asks a new question.
    token = next(token for token in tokens if not _is_used_up(token, site))
    earlier = site.find(CALLBACK, token)
    asked = callbacks.message(
        token,
        execution_arn=site.execution_arn,
        step=task.step,
        arguments=task.request,
        fields=task.fields,
        sent=site.now() if earlier is None else str(earlier["CreationTime"]),
    )
    _put(asked, site)
    site.report(task.step, f"waits for an answer: workflows callback {token}")
    return asked


def _is_used_up(token: str, site: Site) -> bool:
    earlier = site.find(CALLBACK, token)
    return earlier is not None and earlier["status"] == callbacks.FAILED


def _wait(asked: Record, task: Task, site: Site) -> Record:
    token = str(asked["token"])
    while True:
        stopped = site.stopped.is_set()
        # Looked for after that: an answer that came before the stop counts.
        answer = site.find(callbacks.CALLBACK_ANSWER, token)
        if answer is not None:
            return answer
        if stopped:
            _put({**asked, "status": callbacks.STOPPING}, site)
            site.report(task.step, "the execution was stopped before anybody answered")
            raise StepFailed("the execution was stopped before anybody answered")
        site.stopped.wait(_LOOK_EVERY_S)


def _put(message: Record, site: Site) -> None:
    site.record(CALLBACK, str(message["token"]), message)


def _metadata(asked: Record) -> dict[str, JSON]:
    return {"CallbackToken": asked["token"], "SqsQueueUrl": asked["SqsQueueUrl"], "OutputParameters": []}


def _used_up(asked: Record, metadata: dict[str, JSON]) -> Result:
    """Has the engine record the message as answered together with the step's failure, or neither."""
    return Result(
        kind=CALLBACK,
        name=str(asked["token"]),
        description={**asked, "status": callbacks.FAILED},
        metadata={"Callback": metadata},
    )
