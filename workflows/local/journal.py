"""Writes down how an execution goes, in the shapes of DescribePipelineExecution and its like."""

from collections.abc import Mapping
from datetime import UTC, datetime

from workflows.definition.model import JSON, Step
from workflows.local.planner import Plan
from workflows.local.records import EXECUTION, EXECUTION_STEP, Record
from workflows.local.resolver import text_of
from workflows.local.store import Store

SUCCEEDED, FAILED, STOPPED, EXECUTING = "Succeeded", "Failed", "Stopped", "Executing"

# The API's limits.
_STEP_REASON_LIMIT = 1024
_EXECUTION_REASON_LIMIT = 1300


class Journal:
    """The records of one execution."""

    def __init__(
        self, store: Store, plan: Plan, *, execution_id: str, pipeline_name: str, pipeline_arn: str
    ) -> None:
        """Nothing is written before the first call."""
        self._store, self._plan, self._id = store, plan, execution_id
        self._pipeline_name, self._pipeline_arn = pipeline_name, pipeline_arn
        self.arn = f"{pipeline_arn}/execution/{execution_id}"
        self.started = now()

    def execution(self, status: str, reason: str | None = None) -> Record:
        """Record the status of the execution."""
        record: Record = {
            "PipelineArn": self._pipeline_arn,
            "PipelineExecutionArn": self.arn,
            "PipelineExecutionDisplayName": f"{self._pipeline_name}-{self._id}",
            "PipelineExecutionStatus": status,
            "CreationTime": self.started,
            "LastModifiedTime": now(),
            "PipelineParameters": [
                {"Name": name, "Value": text_of(value)} for name, value in self._plan.parameters.items()
            ],
            "PipelineDefinition": dict(self._plan.definition.document),
            "Differences": list(self._plan.differences),
        }
        if reason is not None:
            record["FailureReason"] = reason[:_EXECUTION_REASON_LIMIT]
        self._store.put(EXECUTION, self._id, record, parent=self._pipeline_name)
        return record

    def step(
        self,
        step: Step,
        status: str,
        started: str,
        *,
        metadata: Mapping[str, JSON] | None = None,
        failure: str | None = None,
    ) -> None:
        """Record the status of one step."""
        record: Record = {
            "StepName": step.name,
            "StepType": step.type,
            "StartTime": started,
            "StepStatus": status,
            "AttemptCount": 1,
            "Metadata": dict(metadata or {}),
        }
        if status != EXECUTING:
            record["EndTime"] = now()
        if failure is not None:
            record["FailureReason"] = failure[:_STEP_REASON_LIMIT]
        self._store.put(EXECUTION_STEP, f"{self._id}/{step.name}", record, parent=self._id)


def now() -> str:
    """The time in UTC, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
