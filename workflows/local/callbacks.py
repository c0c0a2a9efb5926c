"""The local queue of Callback steps: messages that wait, and their answers.

A message is a record of its own, named by its token, with the body that SageMaker Pipelines sends to SQS. An
answer is another record of the same name, made once and never changed, so that no answer can be lost whatever
the engine writes to the message meanwhile.

Source: SageMaker Developer Guide, Callback step; SendPipelineExecutionStepSuccess and ...Failure.
"""

import hashlib
from collections.abc import Collection, Iterator, Mapping
from typing import Protocol

from workflows.definition.errors import WorkflowError, did_you_mean
from workflows.definition.model import JSON, Scalar
from workflows.definition.records import Record
from workflows.local import constraints, output_parameters
from workflows.local.output_parameters import OutputParameter
from workflows.local.records import CALLBACK
from workflows.local.request import Request

CALLBACK_ANSWER = "callback-answer"  # kind of record; like a message it is named by the token
EXECUTING, STOPPING, FAILED = "Executing", "Stopping", "Failed"
SUCCESS, FAILURE = "Success", "Failure"
LONGEST_REASON = 256
_TOKEN_LENGTH = 10
_LONGEST_URL = 256


class CallbackError(WorkflowError):
    """A token is unknown or answered already, or an answer is not one that the step can take."""


class AnsweredAlready(CallbackError):
    """A message has an answer; `is_same` says whether it is the one that is given now, too."""

    def __init__(self, message: str, *, is_same: bool) -> None:
        super().__init__(message)
        self.is_same = is_same


class Records(Protocol):
    """What is needed of the store."""

    def find(self, kind: str, name: str) -> Record | None:
        """One record."""

    def all(self, kind: str, *, parent: str | None = None) -> list[Record]:
        """Those of a kind, in the order of their creation."""

    def add(self, kind: str, name: str, body: Mapping[str, JSON], *, parent: str = "") -> bool:
        """Create a record; False if there is one of this name."""


def token_of(execution_arn: str, step: str, number: int) -> str:
    """The token of a step's n-th question in an execution; the same whenever the engine starts again."""
    return hashlib.sha256(f"{execution_arn}/{step}/{number}".encode()).hexdigest()[:_TOKEN_LENGTH]


def message(
    token: str, *, execution_arn: str, step: str, arguments: Request, fields: Request, sent: str
) -> Record:
    """The record of a message: what SQS would carry, and what answering it takes."""
    return {
        "token": token,
        "pipelineExecutionArn": execution_arn,
        "arguments": dict(arguments.fields),
        "status": EXECUTING,
        "StepName": step,
        "SqsQueueUrl": fields.text("SqsQueueUrl"),
        "OutputParameters": [
            {"OutputName": parameter.name, "OutputType": parameter.type}
            for parameter in output_parameters.declared(fields)
        ],
        "CreationTime": sent,
    }


def pending(records: Records) -> list[Record]:
    """The messages without an answer, oldest first."""
    return [
        entry
        for entry in records.all(CALLBACK)
        if entry["status"] != FAILED and records.find(CALLBACK_ANSWER, str(entry["token"])) is None
    ]


def succeed(records: Records, token: str, given: Mapping[str, str], *, now: str) -> Record:
    """Answer a message: its step has succeeded, with these outputs. Returns the message.

    Raises:
        CallbackError: the token is unknown or answered, an output is missing or unknown.
        OutputError: a value is too long or not of its declared type.
    """
    asked = _find(records, token)
    parameters = output_parameters.declared(Request(asked, f"callback {token}"))
    _check_names(parameters, given, token)
    values = {parameter.name: parameter.read(given[parameter.name]) for parameter in parameters}
    _answer(records, asked, now, {"Status": SUCCESS, "OutputParameters": output_parameters.listed(values)})
    return asked


def fail(records: Records, token: str, reason: str, *, now: str) -> Record:
    """Answer a message: its step has failed. Returns the message.

    Raises:
        CallbackError: the token is unknown or answered, or the reason is too long.
    """
    asked = _find(records, token)
    if len(reason) > LONGEST_REASON:
        raise CallbackError(f"the reason has {len(reason)} characters; at most {LONGEST_REASON} are allowed")
    _answer(records, asked, now, {"Status": FAILURE, "FailureReason": reason})
    return asked


def outputs_of(answer: Record, fields: Request) -> dict[str, Scalar]:
    """The outputs in an answer, as their declared types."""
    texts = {
        entry.text("Name"): entry.find("Value")
        for entry in Request(answer, "answer").requests("OutputParameters")
    }
    return {
        parameter.name: parameter.read(texts[parameter.name])
        for parameter in output_parameters.declared(fields)
    }


def refusals(_arguments: Mapping[str, JSON], fields: Mapping[str, JSON], where: str) -> Iterator[str]:
    """What SageMaker would not accept of a Callback step, as far as its values are known."""
    request = Request(fields, where)
    if constraints.is_missing(request, "SqsQueueUrl"):
        yield f"{where}: SqsQueueUrl is missing"
    yield from constraints.name(request, "SqsQueueUrl", r"\S+", longest=_LONGEST_URL)
    yield from output_parameters.refusals(request)


def _find(records: Records, token: str) -> Record:
    asked = records.find(CALLBACK, token)
    if asked is None:
        known = [str(entry["token"]) for entry in pending(records)]
        hint = did_you_mean(token, known) or "; nothing waits for an answer"
        raise CallbackError(f"no callback has the token '{token}'{hint}")
    return asked


def _check_names(parameters: Collection[OutputParameter], given: Mapping[str, str], token: str) -> None:
    names = [parameter.name for parameter in parameters]
    for name in given:
        if name not in names:
            hint = did_you_mean(name, names) or "; it has none"
            raise CallbackError(f"callback {token}: no output parameter is named '{name}'{hint}")
    for name in names:
        if name not in given:
            raise CallbackError(f"callback {token}: output '{name}' is missing; add --output {name}=VALUE")


def _answer(records: Records, asked: Record, now: str, answer: Record) -> None:
    token = str(asked["token"])
    identity: Record = {
        "CallbackToken": token,
        "PipelineExecutionArn": asked["pipelineExecutionArn"],
        "CreationTime": now,
    }
    if not records.add(CALLBACK_ANSWER, token, {**identity, **answer}, parent=str(asked["SqsQueueUrl"])):
        known = records.find(CALLBACK_ANSWER, token) or {}
        raise AnsweredAlready(
            f"callback {token} of step '{asked['StepName']}' is answered already",
            is_same=all(known.get(key) == value for key, value in answer.items()),
        )
