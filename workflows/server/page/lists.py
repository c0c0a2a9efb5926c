"""Lists that the page shows in pages of its own."""

from dataclasses import dataclass

from workflows.definition.records import Record, last_part, seconds_between
from workflows.local.journal import EXECUTING, STOPPING, now
from workflows.local.records import EXECUTION
from workflows.server.cursors import walk, window_of
from workflows.server.machine import Machine
from workflows.server.page.step_views import state_of
from workflows.server.sagemaker.running import is_live

PAGE = 25


@dataclass(frozen=True, kw_only=True)
class ExecutionView:
    """An execution in a line."""

    id: str
    arn: str
    pipeline: str
    version: str
    name: str
    status: str
    started: str
    changed: str
    seconds: float
    reason: str
    is_gone: bool  # it should run, and nobody runs it

    @property
    def runs(self) -> bool:
        """Whether it has not ended."""
        return self.status in (EXECUTING, STOPPING)

    @property
    def state(self) -> str:
        """How its status looks."""
        return "bad" if self.is_gone else state_of(self.status)

    @property
    def label(self) -> str:
        """Its status for people."""
        return f"{self.status}, engine gone" if self.is_gone else self.status


def execution_view(machine: Machine, record: Record) -> ExecutionView:
    """What a line says of an execution."""
    execution_id, status = last_part(record["PipelineExecutionArn"]), str(record["PipelineExecutionStatus"])
    runs = status in (EXECUTING, STOPPING)
    end = now() if runs else record["LastModifiedTime"]
    return ExecutionView(
        id=execution_id,
        arn=str(record["PipelineExecutionArn"]),
        pipeline=last_part(record["PipelineArn"]),
        version=str(record["PipelineVersionId"]),
        name=str(record.get("PipelineExecutionDisplayName", "")),
        status=status,
        started=str(record["CreationTime"]),
        changed=str(record["LastModifiedTime"]),
        seconds=seconds_between(record["CreationTime"], end),
        reason=str(record.get("FailureReason", "")),
        is_gone=runs and not is_live(machine, execution_id),
    )


def newest_executions(
    machine: Machine, *, pipeline: str | None = None, after: str | None = None, most: int = PAGE
) -> tuple[list[ExecutionView], str | None]:
    """Executions, the newest first; and the token of the next page.

    Raises:
        AwsError: the token is none of ours.
    """
    given: Record = {"MaxResults": most, **({"NextToken": after} if after else {})}
    records, token = walk(machine.store, window_of(given, EXECUTION, parent=pipeline, name=""), given)
    return [execution_view(machine, record) for record in records], token
