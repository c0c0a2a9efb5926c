"""Why an execution has not succeeded, for people."""

from collections.abc import Callable, Mapping

from botocore.exceptions import ClientError

from workflows.aws import executions
from workflows.aws.clients import Clients
from workflows.aws.errors import refusal
from workflows.aws.logs import Tail, tail_of_step
from workflows.cli.common import say
from workflows.definition.records import Record, last_part

_LAST_LINES = 20


def tell_failures(clients: Clients, arn: str, record: Record) -> None:
    """Say which steps have failed, why, and how their logs end.

    Args:
        clients: where the execution ran.
        arn: of it.
        record: its description.
    """
    for step in executions.failed_steps(executions.steps(clients, arn)):
        say(f"ERROR {step['StepName']}: {step.get('FailureReason', 'no reason was given')}")
        if tail := tail_of_step(clients, step):
            tell_end(str(step["StepName"]), tail)
    reason = f": {record['FailureReason']}" if record.get("FailureReason") else ""
    say(f"ERROR execution {last_part(arn)} {record['PipelineExecutionStatus']}{reason}")


def tell_end(name: str, tail: Tail, *, tell: Callable[[str], None] = say) -> None:
    """Show how a log ends. Who may not read logs is told so, and goes on."""
    try:
        lines = tail.end(_LAST_LINES)
    except ClientError as error:
        tell(f"* the log of {name} cannot be read: {refusal(error)}")
        return
    for line in lines:
        tell(f"< {name}  {line.text}")


def can_be_retried(clients: Clients, arn: str, step_types: Mapping[str, str]) -> bool:
    """Whether an execution that has not succeeded may go on: one that a Fail step has ended may not."""
    failed = executions.failed_steps(executions.steps(clients, arn))
    return all(step_types.get(str(step["StepName"])) != "Fail" for step in failed)
