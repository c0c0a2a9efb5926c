"""`workflows callbacks` and `workflows callback`: what waits for an answer, and giving it."""

from collections.abc import Sequence
from datetime import datetime

import click

from workflows.aws import executions
from workflows.cli.common import json_option, open_store, print_json, print_table
from workflows.cli.place import connect, on_option
from workflows.definition.errors import WorkflowError
from workflows.definition.records import Record, last_part
from workflows.local import callbacks
from workflows.local.journal import now

_MINUTE_S, _HOUR_S, _DAY_S = 60, 3600, 86400


@click.command("callbacks")
@json_option
def callbacks_command(as_json: bool) -> None:
    """Messages of Callback steps on this machine that nobody has answered, oldest first."""
    messages = callbacks.pending(open_store())
    if as_json:
        print_json(messages)
        return
    print_table(
        [_row(entry) for entry in messages],
        head=("TOKEN", "STEP", "EXECUTION", "STATUS", "AGE", "QUEUE", "ARGUMENTS"),
    )


@click.command("callback")
@click.argument("token")
@click.option(
    "--output",
    "outputs",
    metavar="NAME=VALUE",
    multiple=True,
    help="The step has succeeded; the value of one of its output parameters. Repeatable.",
)
@click.option("--fail", "reason", metavar="REASON", help="The step has failed.")
@on_option
@json_option
def callback_command(
    token: str, outputs: tuple[str, ...], reason: str | None, on: str | None, as_json: bool
) -> None:
    """Answer a Callback step: that it has succeeded, with its outputs, or with --fail that it has not.

    TOKEN is one of `workflows callbacks`; of a pipeline on AWS it is in the message in the step's queue.
    """
    if reason is not None and outputs:
        raise WorkflowError("--output goes with success; leave it out, or --fail")
    values = _values(outputs)
    with connect(on) as place:
        if reason is None:
            arn = executions.answer_success(place.clients, token, values)
        else:
            arn = executions.answer_failure(place.clients, token, reason)
    if as_json:
        print_json({"PipelineExecutionArn": arn})
    else:
        click.echo(f"{token} {'succeeded' if reason is None else 'failed'}: execution {last_part(arn)}")


def _values(outputs: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for text in outputs:
        name, equals, value = text.partition("=")
        if not equals:
            raise WorkflowError(f"--output {text}: write NAME=VALUE")
        if name in found:
            raise WorkflowError(f"--output {text}: '{name}' has a value already")
        found[name] = value
    return found


def _row(message: Record) -> tuple[str, ...]:
    arguments = message["arguments"]
    return (
        str(message["token"]),
        str(message["StepName"]),
        str(message["pipelineExecutionArn"]).rpartition("/")[2],
        str(message["status"]),
        _age(str(message["CreationTime"])),
        str(message["SqsQueueUrl"]),
        ", ".join(f"{key}={value}" for key, value in arguments.items())
        if isinstance(arguments, dict)
        else "",
    )


def _age(since: str) -> str:
    seconds = int((datetime.fromisoformat(now()) - datetime.fromisoformat(since)).total_seconds())
    for size, unit in ((_DAY_S, "d"), (_HOUR_S, "h"), (_MINUTE_S, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{max(0, seconds)} s"
