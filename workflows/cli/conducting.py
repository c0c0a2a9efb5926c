"""Watches an execution of this machine to its end, which a signal may bring about, and tells how it went."""

import secrets
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

from botocore.exceptions import ClientError

from workflows.aws import executions
from workflows.aws.watching import Watch
from workflows.cli.common import DONE, FAILED, print_json, say
from workflows.cli.failures import can_be_retried
from workflows.cli.place import Connection
from workflows.cli.progress import Progress
from workflows.cli.summary import print_summary, step_types, summary
from workflows.definition.records import Record, last_part
from workflows.local.journal import RETRIED_FOR
from workflows.local.records import EXECUTION_STEP


def follow(place: Connection, arn: str, *, verbose: bool) -> Watch:
    """What tells on standard error how an execution of this machine goes."""
    return Watch(
        clients=place.clients,
        arn=arn,
        step_types=step_types(place, arn),
        listener=Progress(verbose=verbose, retried_for=lambda step: _retried_for(place, arn, step)),
        pace=place.pace,
        follow_logs=True,
    )


def conduct(place: Connection, watch: Watch, *, as_json: bool, since: float) -> NoReturn:
    """Tell how an execution in this process goes, and end with its exit code.

    Args:
        place: this machine.
        watch: follows the execution.
        as_json: whether to print the summary as JSON.
        since: when it began, by time.monotonic().

    Raises:
        KeyboardInterrupt: after the execution has stopped.
    """
    name = last_part(watch.arn)
    say(f"* execution {name} of {pipeline_of(watch.arn)}: state in {place.settings.home}")
    try:
        record = watch.to_the_end()
    except KeyboardInterrupt:
        _stop(place, watch)
        raise
    succeeded = record["PipelineExecutionStatus"] == executions.SUCCEEDED
    document = summary(place, record, draw=succeeded)
    if as_json:
        print_json(document)
    else:
        print_summary(document, seconds=time.monotonic() - since)
    if not succeeded:
        say(f"ERROR {record.get('FailureReason') or record['PipelineExecutionStatus']}")
        if can_be_retried(place.clients, watch.arn, watch.step_types):
            say(f"TIP   go on from there: workflows resume {name}")
    sys.exit(DONE if succeeded else FAILED)


def pipeline_of(arn: str) -> str:
    """The name of an execution's pipeline."""
    record: Record = {"PipelineExecutionArn": arn}
    return executions.pipeline_of(record)


def _retried_for(place: Connection, arn: str, step: str) -> str:
    """Why a step is tried again, which no call tells."""
    record = place.store.find(EXECUTION_STEP, f"{last_part(arn)}/{step}") if place.store else None
    return str(record.get(RETRIED_FOR, "")) if record else ""


def _stop(place: Connection, watch: Watch) -> None:
    """As StopPipelineExecution does it: jobs get the time to end, the state says that it was stopped."""
    try:
        executions.stop(place.clients, watch.arn, token=secrets.token_hex(16))
    except ClientError:
        return  # it has just ended
    say("* stopping: jobs have the time to end that SageMaker gives them")
    watch.to_the_end()


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Let a closed terminal or a `kill` end an execution as Ctrl-C does: jobs ended, state recorded."""

    def interrupt(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - the signature is Python's
        raise KeyboardInterrupt

    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    for number, handler in before.items():
        if handler is signal.SIG_DFL:  # nohup ignores SIGHUP on purpose
            signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def signals_held_back() -> Iterator[None]:
    """Signals that would interrupt take effect when the block ends: what it is starting is known by then."""
    came: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - the signature is Python's
        came.append(number)

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: handler for number in numbers if callable(handler := signal.getsignal(number))}
    for number in before:
        signal.signal(number, note)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    for each in came:
        signal.raise_signal(each)
