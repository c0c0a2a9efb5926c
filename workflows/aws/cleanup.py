"""What a pipeline has left on an account and nobody needs any more. `plan` only reads; `carry_out` deletes.

Data in S3, versions in the registry, logs and images are never deleted from here: they cost little, and are
the record of what ran.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from botocore.exceptions import ClientError

from workflows.aws import endpoints, executions, pipelines, rollback, schedules
from workflows.aws.clients import Clients, pages, plain
from workflows.aws.deployment import CHANGING, EndpointBusy, version_in
from workflows.aws.errors import is_missing
from workflows.definition.errors import WorkflowError
from workflows.definition.records import Record, at, last_part, objects_of, package_name

SCHEDULE, ENDPOINT, CONFIG, MODEL, PIPELINE = (
    "schedule",
    "endpoint",
    "endpoint configuration",
    "model",
    "pipeline",
)
# Of so many executions, the newest, it is known what they have made.
_EXECUTIONS = 50
_DELETING = "Deleting"


class StillInUse(WorkflowError):
    """The pipeline runs."""


@dataclass(frozen=True, kw_only=True)
class Leftover:
    """One thing to delete."""

    kind: str
    name: str
    why: str
    costs_while_idle: bool = False

    def record(self) -> Record:
        """As JSON."""
        return {
            "Kind": self.kind,
            "Name": self.name,
            "Why": self.why,
            "CostsWhileIdle": self.costs_while_idle,
        }


@dataclass(frozen=True, kw_only=True)
class _Made:
    """Names of what a pipeline has made, and what deployments have made of its versions."""

    endpoints: frozenset[str]
    configs: frozenset[str]
    models: frozenset[str]
    versions: frozenset[tuple[str, int]]  # group and number

    def has_model(self, name: str) -> bool:
        """Whether a model is one of these."""
        return name in self.models or any(
            version_in(name, stem=group) == number for group, number in self.versions
        )


def plan(clients: Clients, pipeline: str, *, everything: bool) -> list[Leftover]:
    """What there is to delete, in the order in which it can be.

    What somebody else's endpoints serve, or would go back to, is never among it, nor what a running execution
    has made. An execution that has failed cannot be retried once its model is gone.

    Args:
        clients: where to look.
        pipeline: whose.
        everything: also what is in use: schedules, endpoints and what they serve, the pipeline itself.

    Raises:
        NotFound: there is no such pipeline.
        EndpointBusy: an endpoint is being changed.
        StillInUse: everything is wanted, and an execution runs.
    """
    pipelines.get(clients, pipeline)
    if everything:
        _refuse_running(clients, pipeline)
    made = _made(clients, pipeline)
    models_of = _models_of_configs(clients)
    living = [entry for entry in endpoints.listed(clients) if entry["EndpointStatus"] != _DELETING]
    own_configs = [
        name for name, models in models_of.items() if name in made.configs or any(map(made.has_model, models))
    ]
    own = [entry for entry in living if _is_own(entry, made, own_configs, models_of)]
    _refuse_busy(own)
    staying = [entry for entry in living if entry not in own] if everything else living
    kept = _needed(clients, staying)
    going = [name for name in own_configs if name not in kept]
    used = {model for config, models in models_of.items() if config not in going for model in models}
    left = [*_in_use(clients, pipeline, own)] if everything else []
    left += [
        Leftover(kind=CONFIG, name=name, why="no endpoint serves it, nor would a rollback go to it")
        for name in going
    ]
    left += [
        Leftover(kind=MODEL, name=name, why="no configuration that stays uses it")
        for name in _all_models(clients)
        if made.has_model(name) and name not in used
    ]
    if everything:
        left.append(Leftover(kind=PIPELINE, name=pipeline, why="everything of it goes"))
    return left


def carry_out(clients: Clients, left: list[Leftover], *, report: Callable[[Leftover], None]) -> None:
    """Delete; what is gone already is no fault, so that it can be repeated."""
    calls: dict[str, Callable[[str], object]] = {
        SCHEDULE: lambda name: clients.scheduler.delete_schedule(Name=name),
        ENDPOINT: lambda name: clients.sagemaker.delete_endpoint(EndpointName=name),
        CONFIG: lambda name: clients.sagemaker.delete_endpoint_config(EndpointConfigName=name),
        MODEL: lambda name: clients.sagemaker.delete_model(ModelName=name),
        PIPELINE: lambda name: clients.sagemaker.delete_pipeline(PipelineName=name),
    }
    for leftover in left:
        try:
            calls[leftover.kind](leftover.name)
        except ClientError as error:
            if not is_missing(error):
                raise
        report(leftover)


def _made(clients: Clients, pipeline: str) -> _Made:
    found: dict[str, list[str]] = {"Endpoint": [], "EndpointConfig": [], "Model": [], "RegisterModel": []}
    for execution in executions.listed(clients, pipeline, limit=_EXECUTIONS):
        if execution["PipelineExecutionStatus"] in executions.GOING_ON:
            continue  # it needs what it has made
        for step in executions.steps(clients, str(execution["PipelineExecutionArn"])):
            for key, arns in found.items():
                if arn := at(step, "Metadata", key, "Arn"):
                    arns.append(str(arn))
    versions = (package_name(arn).rpartition("/") for arn in found["RegisterModel"])
    return _Made(
        endpoints=frozenset(map(last_part, found["Endpoint"])),
        configs=frozenset(map(last_part, found["EndpointConfig"])),
        models=frozenset(map(last_part, found["Model"])),
        versions=frozenset((group, int(number)) for group, _, number in versions if group),
    )


def _models_of_configs(clients: Clients) -> dict[str, list[str]]:
    """Every endpoint configuration, with the names of its models."""
    found = {}
    for entry in pages(clients.sagemaker, "list_endpoint_configs", "EndpointConfigs"):
        name = str(entry["EndpointConfigName"])
        try:
            described = plain(clients.sagemaker.describe_endpoint_config(EndpointConfigName=name))
        except ClientError as error:
            if not is_missing(error):
                raise
            continue  # it has gone meanwhile
        variants = objects_of(described.get("ProductionVariants"))
        found[name] = [str(variant["ModelName"]) for variant in variants if variant.get("ModelName")]
    return found


def _is_own(
    endpoint: Record, made: _Made, own_configs: Sequence[str], models_of: Mapping[str, Sequence[str]]
) -> bool:
    """By what an endpoint serves; by its name, where its configuration has been deleted."""
    config = str(endpoint["EndpointConfigName"])
    return config in own_configs if config in models_of else str(endpoint["EndpointName"]) in made.endpoints


def _needed(clients: Clients, staying: list[Record]) -> set[str]:
    """The configurations that endpoints serve or are about to, and those that a rollback would go to."""
    found = (
        name
        for endpoint in staying
        for name in (
            endpoint["EndpointConfigName"],
            at(endpoint, "PendingDeploymentSummary", "EndpointConfigName"),
            rollback.find_previous(clients, endpoint),
        )
    )
    return {str(name) for name in found if name}


def _all_models(clients: Clients) -> list[str]:
    return sorted(str(entry["ModelName"]) for entry in pages(clients.sagemaker, "list_models", "Models"))


def _in_use(clients: Clients, pipeline: str, own: list[Record]) -> Iterator[Leftover]:
    for schedule in schedules.listed(clients):
        if schedules.pipeline_of(schedule) == pipeline:
            yield Leftover(kind=SCHEDULE, name=str(schedule["Name"]), why="it starts the pipeline")
    for endpoint in own:
        yield Leftover(
            kind=ENDPOINT, name=str(endpoint["EndpointName"]), why="it serves a model", costs_while_idle=True
        )


def _refuse_busy(own: Sequence[Record]) -> None:
    for endpoint in own:
        if endpoint["EndpointStatus"] in CHANGING:
            raise EndpointBusy(
                f"endpoint '{endpoint['EndpointName']}' is {endpoint['EndpointStatus']}; wait until that has "
                "ended, then clean up"
            )


def _refuse_running(clients: Clients, pipeline: str) -> None:
    for execution in executions.listed(clients, pipeline, limit=_EXECUTIONS):
        if execution["PipelineExecutionStatus"] in executions.GOING_ON:
            name = last_part(execution["PipelineExecutionArn"])
            raise StillInUse(
                f"execution {name} of {pipeline} is {execution['PipelineExecutionStatus']}; stop it first: "
                f"workflows stop {name}{clients.flag}"
            )
