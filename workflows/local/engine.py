"""Starts, stops and continues executions: StartPipelineExecution and its like, on this machine."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial

from workflows.definition.errors import WorkflowError
from workflows.definition.model import Definition
from workflows.definition.parameters import bind
from workflows.definition.records import Record
from workflows.local import naming, pipelines, step_results
from workflows.local.executor import Execution, Options, Place
from workflows.local.journal import (
    COMPLETED_WITH_FAILURES,
    EXECUTING,
    FAILED,
    STOPPED,
    STOPPING,
    SUCCEEDED,
    Opening,
)
from workflows.local.liveness import is_running
from workflows.local.planner import Plan, plan
from workflows.local.records import EXECUTION, EXECUTION_STEP
from workflows.local.request import Request
from workflows.local.runners.base import Runner
from workflows.local.runners.table import RUNNERS
from workflows.local.selection import Selection
from workflows.local.steps import Listener
from workflows.local.store import Store


class CannotContinue(WorkflowError):
    """The execution is in no state that can be continued, or stopped."""


@dataclass(frozen=True, kw_only=True)
class Engine:
    """Executions in one store, at one place."""

    store: Store
    place: Place
    runners: Mapping[str, Runner] = field(default_factory=lambda: RUNNERS)

    def start(
        self,
        pipeline: str,
        definition: Definition,
        given: Mapping[str, str],
        *,
        listener: Listener,
        options: Options | None = None,
        selection: Selection | None = None,
        version: int | None = None,
        opening: Opening | None = None,
    ) -> Execution:
        """Plan an execution and record it; its `run` does the work.

        Args:
            pipeline: whose execution it is.
            definition: what to run.
            given: parameter -> value, as a start call carries them.
            listener: is told what happens.
            options: how to run it.
            selection: the steps to run, if not all.
            version: of the pipeline, that the definition is; None makes it the latest.
            opening: what else is said of the execution.

        Raises:
            RefusedByPlan: it cannot run here. Nothing is recorded.
            ParameterError: a value cannot be taken. Nothing is recorded.
            CannotContinue: the execution that steps are taken from has not ended.
            UnknownPipeline: the pipeline is being deleted.
            ExecutionExists: there is one of the id in `opening`.
        """
        planned = self._plan(definition, given, selection)
        if version is None:
            version = pipelines.upsert(self.store, pipeline, definition, arn=self._pipeline_arn(pipeline))
        note = partial(pipelines.note_start, self.store, pipeline, version)
        opening = replace(opening or Opening(), write=note)
        return self._execution(planned, pipeline, listener, options, version, opening=opening)

    def resume(self, execution_id: str, *, listener: Listener, options: Options | None = None) -> Execution:
        """Continue an execution that has not succeeded: steps that have are not run again.

        It has the definition, the parameters and the selection of its start.

        Raises:
            CannotContinue: it succeeded, it is running, or a Fail step has ended it.
        """
        record = find(self.store, execution_id)
        self._refuse_to_resume(execution_id, record)
        pipeline = str(record["PipelineArn"]).rpartition("/")[2]
        version = Request(record, execution_id).number("PipelineVersionId", 1)
        definition = pipelines.definition_of(self.store, pipeline, version)
        given = {
            entry.text("Name"): str(entry.find("Value"))
            for entry in Request(record, execution_id).requests("PipelineParameters")
        }
        planned = self._plan(definition, given, _selection(record))
        return self._execution(planned, pipeline, listener, options, version, resumes=record)

    def stop(self, execution_id: str) -> str:
        """Ask an execution to end; returns the status that it then has, Stopping or Stopped.

        Raises:
            CannotContinue: it has ended.
        """
        alive = is_running(self.store.home / "runs" / execution_id)

        def change(record: Record) -> Record:
            if record["PipelineExecutionStatus"] not in (EXECUTING, STOPPING):
                raise CannotContinue(
                    f"execution {execution_id} is {record['PipelineExecutionStatus']}; only one that is "
                    "Executing can be stopped"
                )
            return {**record, "PipelineExecutionStatus": STOPPING if alive else STOPPED}

        find(self.store, execution_id)
        changed = self.store.change(EXECUTION, execution_id, change)
        return str(changed and changed["PipelineExecutionStatus"])

    def _pipeline_arn(self, pipeline: str) -> str:
        return naming.Names(region=self.place.region, account=self.place.account).arn("pipeline", pipeline)

    def _plan(self, definition: Definition, given: Mapping[str, str], selection: Selection | None) -> Plan:
        available: set[str] = set()
        if selection is not None and (source := selection.source_id):
            status = find(self.store, source)["PipelineExecutionStatus"]
            if status in (EXECUTING, STOPPING):
                raise CannotContinue(
                    f"execution {source} is {status}; steps are taken from one that has ended"
                )
            available = set(step_results.of_execution(self.store, source, list(definition.steps)))
        return plan(
            definition,
            bind(definition, given),
            images=self.place.images,
            functions=self.place.functions,
            step_types=frozenset(self.runners),
            selection=selection,
            available=available,
        )

    def _execution(
        self,
        planned: Plan,
        pipeline: str,
        listener: Listener,
        options: Options | None,
        version: int,
        *,
        opening: Opening | None = None,
        resumes: Record | None = None,
    ) -> Execution:
        return Execution(
            planned,
            pipeline_name=pipeline,
            store=self.store,
            runners=self.runners,
            place=self.place,
            listener=listener,
            options=options,
            version=version,
            opening=opening,
            resumes=resumes,
        )

    def _refuse_to_resume(self, execution_id: str, record: Record) -> None:
        status = record["PipelineExecutionStatus"]
        if is_running(self.store.home / "runs" / execution_id):
            raise CannotContinue(f"execution {execution_id} is running in another process")
        if status in (SUCCEEDED, COMPLETED_WITH_FAILURES):
            raise CannotContinue(f"execution {execution_id} is {status}; there is nothing left to run")
        for step in self.store.all(EXECUTION_STEP, parent=execution_id):
            if step["StepType"] == "Fail" and step["StepStatus"] == FAILED:
                raise CannotContinue(
                    f"execution {execution_id} was ended by its Fail step '{step['StepName']}'; SageMaker "
                    "does not retry such an execution: start a new one"
                )


def find(store: Store, execution_id: str) -> Record:
    """The record of an execution.

    Raises:
        WorkflowError: there is none.
    """
    record = store.find(EXECUTION, execution_id)
    if record is None:
        raise WorkflowError(f"no execution '{execution_id}'; `workflows executions` lists them")
    return record


def _selection(record: Record) -> Selection | None:
    config = record.get("SelectiveExecutionConfig")
    if not isinstance(config, dict):
        return None
    request = Request(config, "SelectiveExecutionConfig")
    return Selection(
        steps=tuple(entry.text("StepName") for entry in request.requests("SelectedSteps")),
        source_arn=request.text("SourcePipelineExecutionArn", "") or None,
    )
