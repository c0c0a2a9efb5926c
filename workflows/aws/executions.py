"""Executions of pipelines: found, listed, started, stopped, and what their steps made."""

import json
import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from botocore.exceptions import ClientError

from workflows.aws.clients import Clients, pages, plain
from workflows.aws.errors import NotFound, is_missing
from workflows.definition.records import Record, at, last_part, newest, objects_of

EXECUTING, STOPPING, STOPPED, SUCCEEDED, FAILED = "Executing", "Stopping", "Stopped", "Succeeded", "Failed"
GOING_ON = (EXECUTING, STOPPING)
BRANCHES = ("IfSteps", "ElseSteps")  # of a condition
_ARN = re.compile(r"arn:[\w-]+:sagemaker:[^:]*:[^:]*:pipeline/([^/]+)/execution/([^/]+)")
_MOST_AT_ONCE = 100

# Key of a step's metadata -> the call that describes what it names, its member for the name, and whether
# that is the ARN itself.
_DESCRIBED = {
    "ProcessingJob": ("describe_processing_job", "ProcessingJobName"),
    "TrainingJob": ("describe_training_job", "TrainingJobName"),
    "TransformJob": ("describe_transform_job", "TransformJobName"),
    "TuningJob": ("describe_hyper_parameter_tuning_job", "HyperParameterTuningJobName"),
    "Model": ("describe_model", "ModelName"),
    "RegisterModel": ("describe_model_package", "ModelPackageName"),
    "EndpointConfig": ("describe_endpoint_config", "EndpointConfigName"),
    "Endpoint": ("describe_endpoint", "EndpointName"),
}


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Only these steps run; the results of the others are those of another execution."""

    steps: Sequence[str]
    source_arn: str

    def request(self) -> dict[str, object]:
        """SelectiveExecutionConfig."""
        return {
            "SelectedSteps": [{"StepName": name} for name in self.steps],
            "SourcePipelineExecutionArn": self.source_arn,
        }


@dataclass(frozen=True, kw_only=True)
class Start:
    """What an execution is started with."""

    parameters: Mapping[str, str]
    version: int | None = None  # None: the latest
    max_parallel: int | None = None
    selection: Selection | None = None

    def request(self) -> dict[str, object]:
        """Members of StartPipelineExecution."""
        made: dict[str, object] = {
            "PipelineParameters": [{"Name": name, "Value": value} for name, value in self.parameters.items()]
        }
        if self.version is not None:
            made["PipelineVersionId"] = self.version
        if self.max_parallel is not None:
            made["ParallelismConfiguration"] = {"MaxParallelExecutionSteps": self.max_parallel}
        if self.selection is not None:
            made["SelectiveExecutionConfig"] = self.selection.request()
        return made


def start(clients: Clients, pipeline: str, given: Start, *, token: str) -> str:
    """Start an execution; returns its ARN. The same token never starts a second one."""
    answer = clients.sagemaker.start_pipeline_execution(
        PipelineName=pipeline, ClientRequestToken=token, **given.request()
    )
    return str(answer["PipelineExecutionArn"])


def stop(clients: Clients, arn: str, *, token: str) -> None:
    """Ask a running execution to end."""
    clients.sagemaker.stop_pipeline_execution(PipelineExecutionArn=arn, ClientRequestToken=token)


def retry(clients: Clients, arn: str, *, token: str, max_parallel: int | None = None) -> None:
    """Let an execution that has failed or was stopped go on; steps that have succeeded do not run again."""
    more = {"ParallelismConfiguration": {"MaxParallelExecutionSteps": max_parallel}} if max_parallel else {}
    clients.sagemaker.retry_pipeline_execution(PipelineExecutionArn=arn, ClientRequestToken=token, **more)


def answer_success(clients: Clients, token: str, outputs: Mapping[str, str]) -> str:
    """Tell a callback step that it has succeeded; returns the ARN of its execution."""
    answer = clients.sagemaker.send_pipeline_execution_step_success(
        CallbackToken=token,
        OutputParameters=[{"Name": name, "Value": value} for name, value in outputs.items()],
        ClientRequestToken=secrets.token_hex(16),
    )
    return str(answer["PipelineExecutionArn"])


def answer_failure(clients: Clients, token: str, reason: str) -> str:
    """Tell a callback step that it has failed; returns the ARN of its execution."""
    answer = clients.sagemaker.send_pipeline_execution_step_failure(
        CallbackToken=token, FailureReason=reason, ClientRequestToken=secrets.token_hex(16)
    )
    return str(answer["PipelineExecutionArn"])


def describe(clients: Clients, arn: str) -> Record:
    """An execution."""
    return plain(clients.sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn))


def parameters(clients: Clients, arn: str) -> list[Record]:
    """Names and values of its parameters."""
    return list(
        pages(
            clients.sagemaker,
            "list_pipeline_parameters_for_execution",
            "PipelineParameters",
            PipelineExecutionArn=arn,
        )
    )


def steps(clients: Clients, arn: str) -> list[Record]:
    """The steps that have started, the earliest first."""
    return list(
        pages(
            clients.sagemaker,
            "list_pipeline_execution_steps",
            "PipelineExecutionSteps",
            PipelineExecutionArn=arn,
            SortOrder="Ascending",
            PaginationConfig={"PageSize": _MOST_AT_ONCE},
        )
    )


def definition(clients: Clients, arn: str) -> str:
    """The definition that it runs, as text."""
    answer = clients.sagemaker.describe_pipeline_definition_for_execution(PipelineExecutionArn=arn)
    return str(answer["PipelineDefinition"])


def step_types(clients: Clients, arn: str) -> dict[str, str]:
    """Step -> type, of everything in an execution's definition."""
    document = json.loads(definition(clients, arn))
    return {str(step["Name"]): str(step["Type"]) for step in definition_steps(document)}


def find(clients: Clients, name: str, *, pipeline: str | None = None) -> Record:
    """An execution by its ARN, its id, PIPELINE/ID, or `latest`.

    Args:
        clients: where to look.
        name: what it is called.
        pipeline: of `latest`, or of the id; None looks into every pipeline.

    Raises:
        NotFound: there is none.
    """
    if name == "latest":
        # The first pipeline that has run at all is the one that ran last.
        for owner in [pipeline] if pipeline else (str(each["PipelineName"]) for each in pipelines(clients)):
            for record in listed(clients, owner, limit=1):
                return describe(clients, str(record["PipelineExecutionArn"]))
        raise NotFound(
            f"nothing has run in {clients.region} yet; start with: workflows start PIPELINE --on aws"
            if clients.flag
            else "nothing has run here yet; start with: workflows run birds-detection --profile sample"
        )
    if not name.startswith("arn:"):
        owner, _, execution_id = name.rpartition("/")
        found = _by_id(clients, owner or pipeline, execution_id)
    else:
        found = _described(clients, name) if _ARN.fullmatch(name) else None
    if found is None:
        raise NotFound(f"no execution '{name}'; `workflows executions{clients.flag}` lists them")
    return found


def listed(clients: Clients, pipeline: str | None, *, limit: int) -> Iterator[Record]:
    """Summaries of executions, newest first: of one pipeline, or of all.

    Raises:
        ClientError: there is no such pipeline.
    """
    of = [pipeline] if pipeline else [str(entry["PipelineName"]) for entry in pipelines(clients)]
    found = [
        entry
        for name in of
        for entry in islice(
            pages(
                clients.sagemaker,
                "list_pipeline_executions",
                "PipelineExecutionSummaries",
                PipelineName=name,
                SortBy="CreationTime",
                SortOrder="Descending",
                PaginationConfig={"PageSize": min(limit, _MOST_AT_ONCE)},
            ),
            limit,
        )
    ]
    return islice(newest(found, "StartTime"), limit)


def pipelines(clients: Clients) -> list[Record]:
    """Pipelines, the one that ran last first."""
    return newest(pages(clients.sagemaker, "list_pipelines", "PipelineSummaries"), "LastExecutionTime")


def pipeline_of(record: Record) -> str:
    """The name of an execution's pipeline."""
    found = _ARN.fullmatch(str(record["PipelineExecutionArn"]))
    return found[1] if found else last_part(record.get("PipelineArn"))


def made_by_step(clients: Clients, steps: Sequence[Record], key: str) -> list[tuple[str, Record]]:
    """What steps made of one kind, described; what was deleted since is left out.

    Args:
        clients: where to look.
        steps: as ListPipelineExecutionSteps has them.
        key: of their metadata, such as TrainingJob.

    Returns:
        Names of steps, with what each made.
    """
    result = []
    for step in steps:
        found = described(clients, step, key)
        result += [(str(step["StepName"]), found)] if found else []
    return result


def described(clients: Clients, step: Record, key: str) -> Record | None:
    """The same, for one step; None if it made none, or that was deleted."""
    arn = at(step, "Metadata", key, "Arn")
    if not arn:
        return None
    call, member = _DESCRIBED[key]
    # A version in the registry goes by its ARN: GROUP/VERSION is no name.
    name = str(arn) if key == "RegisterModel" else last_part(arn)
    try:
        return plain(getattr(clients.sagemaker, call)(**{member: name}))
    except ClientError as error:
        if is_missing(error):
            return None
        raise


def failed_steps(steps: Sequence[Record]) -> list[Record]:
    """Those that have failed."""
    return [step for step in steps if step["StepStatus"] == FAILED]


def definition_steps(document: Record) -> Iterator[Record]:
    """Every step in a definition, those inside conditions included, in the order of the document."""
    for step in objects_of(document.get("Steps")):
        yield step
        for branch in BRANCHES:
            yield from definition_steps({"Steps": at(step, "Arguments", branch)})


def _by_id(clients: Clients, pipeline: str | None, execution_id: str) -> Record | None:
    for entry in pipelines(clients):
        if pipeline in (None, entry["PipelineName"]):
            found = _described(clients, f"{entry['PipelineArn']}/execution/{execution_id}")
            if found is not None:
                return found
    return None


def _described(clients: Clients, arn: str) -> Record | None:
    try:
        return describe(clients, arn)
    except ClientError as error:
        if is_missing(error):
            return None
        raise
