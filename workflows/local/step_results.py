"""What a successful step leaves: for later steps, for its execution after a kill, for later executions."""

from collections.abc import Mapping
from dataclasses import dataclass

from workflows.definition.errors import WorkflowError
from workflows.definition.model import JSON
from workflows.definition.records import Record
from workflows.local.records import STEP_RESULT
from workflows.local.store import Store, Write


@dataclass(frozen=True, kw_only=True)
class StepResult:
    """The outcome of one step of one execution."""

    step: str
    execution_arn: str
    ended: str
    properties: JSON  # what Steps.NAME… leads into
    metadata: Mapping[str, JSON]  # as ListPipelineExecutionSteps shows it
    key: Mapping[str, JSON] | None = None  # of step caching, where the step itself has run with it

    @property
    def execution_id(self) -> str:
        """The last part of the execution's ARN."""
        return self.execution_arn.rpartition("/")[2]

    @property
    def outcome(self) -> bool | None:
        """Of a condition; None for any other step."""
        condition = self.metadata.get("Condition")
        return condition.get("Outcome") == "True" if isinstance(condition, dict) else None

    def write(self, *, pipeline: str) -> Write:
        """The record that keeps it."""
        body: Record = {
            "StepName": self.step,
            "PipelineExecutionArn": self.execution_arn,
            "EndTime": self.ended,
            "Properties": self.properties,
            "Metadata": dict(self.metadata),
        }
        if self.key is not None:
            body["CacheKey"] = dict(self.key)
        name = f"{self.execution_id}/{self.step}"
        return Write(kind=STEP_RESULT, name=name, body=body, parent=f"{pipeline}/{self.step}")


def of_execution(store: Store, execution_id: str, steps: list[str]) -> dict[str, StepResult]:
    """The results that an execution has so far, by step."""
    found = {step: store.find(STEP_RESULT, f"{execution_id}/{step}") for step in steps}
    return {step: _result(record) for step, record in found.items() if record is not None}


def of_step(store: Store, pipeline: str, step: str) -> list[StepResult]:
    """The results of a step in all executions of a pipeline."""
    return [_result(record) for record in store.all(STEP_RESULT, parent=f"{pipeline}/{step}")]


def _result(record: Record) -> StepResult:
    metadata, key = record["Metadata"], record.get("CacheKey")
    if not isinstance(metadata, dict) or not (key is None or isinstance(key, dict)):
        raise WorkflowError(f"the record of step {record['StepName']}'s result is damaged")
    return StepResult(
        step=str(record["StepName"]),
        execution_arn=str(record["PipelineExecutionArn"]),
        ended=str(record["EndTime"]),
        properties=record["Properties"],
        metadata=metadata,
        key=key,
    )
