"""What a pipeline has left on an account and nobody needs any more. `plan` only reads; `carry_out` deletes.

Data in S3, versions in the registry, logs and images are never deleted from here: they cost little, and are
the record of what ran.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from botocore.exceptions import ClientError

from workflows.aws import endpoints, executions, pipelines, rollback, schedules
from workflows.aws.clients import Clients, pages
from workflows.aws.deployment import EndpointBusy, refuse_endpoint
from workflows.aws.errors import is_missing
from workflows.definition.records import Record, at, last_part, newest

SCHEDULE, ENDPOINT, CONFIG, MODEL, PIPELINE = (
    "schedule",
    "endpoint",
    "endpoint configuration",
    "model",
    "pipeline",
)
_EXECUTIONS = 50


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


def plan(clients: Clients, pipeline: str, *, everything: bool) -> list[Leftover]:
    """What there is to delete, in the order in which it can be.

    Args:
        clients: where to look.
        pipeline: whose.
        everything: also what is in use: schedules, the endpoint and what it serves, the pipeline itself.

    Raises:
        NotFound: there is no such pipeline.
        EndpointBusy: an endpoint is being changed.
    """
    pipelines.get(clients, pipeline)
    made = _made(clients, pipeline)
    names = list(dict.fromkeys([*made["Endpoint"], pipeline]))
    living = [found for name in names if (found := endpoints.find(clients, name))]
    for endpoint in living:
        if endpoint["EndpointStatus"] != "Failed":
            _refuse_busy(endpoint)
    configs = _configs(clients, names, made["EndpointConfig"])
    kept = set() if everything else _needed(clients, living)
    models = {name for config in configs if (name := rollback.model_of_config(clients, config))}
    needed_models = {name for config in kept if (name := rollback.model_of_config(clients, config))}
    left = [*_in_use(clients, pipeline, living)] if everything else []
    left += [
        Leftover(kind=CONFIG, name=name, why="no endpoint serves it, nor would a rollback go to it")
        for name in configs
        if name not in kept
    ]
    left += [
        Leftover(kind=MODEL, name=name, why="no configuration that stays uses it")
        for name in _existing_models(clients, {*models, *made["Model"]} - needed_models)
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


def _made(clients: Clients, pipeline: str) -> dict[str, list[str]]:
    """Kind -> names of what the steps of the newest executions made."""
    found: dict[str, list[str]] = {"Endpoint": [], "EndpointConfig": [], "Model": []}
    for execution in executions.listed(clients, pipeline, limit=_EXECUTIONS):
        for step in executions.steps(clients, str(execution["PipelineExecutionArn"])):
            for key, names in found.items():
                arn = at(step, "Metadata", key, "Arn")
                if arn:
                    names.append(last_part(arn))
    return found


def _configs(clients: Clients, names: list[str], made: list[str]) -> list[str]:
    """The configurations that still exist, of these endpoints and out of these names."""
    listed = pages(clients.sagemaker, "list_endpoint_configs", "EndpointConfigs")
    everyone = [str(entry["EndpointConfigName"]) for entry in newest(listed, "CreationTime")]
    stems = tuple(f"{name}-" for name in names)
    return [config for config in everyone if config in made or config.startswith(stems)]


def _needed(clients: Clients, living: list[Record]) -> set[str]:
    """The configurations that endpoints serve, and those that a rollback would go to."""
    kept = set()
    for endpoint in living:
        kept.add(str(endpoint["EndpointConfigName"]))
        before = rollback.find_previous(clients, endpoint)
        if before:
            kept.add(before)
    return kept


def _existing_models(clients: Clients, names: set[str]) -> list[str]:
    listed = (str(entry["ModelName"]) for entry in pages(clients.sagemaker, "list_models", "Models"))
    return sorted(name for name in listed if name in names)


def _in_use(clients: Clients, pipeline: str, living: list[Record]) -> Iterator[Leftover]:
    for schedule in schedules.listed(clients):
        if schedules.pipeline_of(schedule) == pipeline:
            yield Leftover(kind=SCHEDULE, name=str(schedule["Name"]), why="it starts the pipeline")
    for endpoint in living:
        yield Leftover(
            kind=ENDPOINT, name=str(endpoint["EndpointName"]), why="it serves a model", costs_while_idle=True
        )


def _refuse_busy(endpoint: Record) -> None:
    try:
        refuse_endpoint(endpoint)
    except EndpointBusy as busy:
        raise EndpointBusy(f"{busy}; then clean up") from None
