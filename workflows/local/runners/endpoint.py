"""Endpoint steps: CreateEndpoint."""

from workflows.definition.model import JSON
from workflows.local.model_containers import model_of
from workflows.local.model_server import ModelServer, ModelServerError
from workflows.local.records import ENDPOINT, ENDPOINT_CONFIG, Record
from workflows.local.request import Request
from workflows.local.runners.base import Result, Site, StepFailed, Task


def run(task: Task, site: Site) -> Result:
    """Start the endpoint's container, prove that it answers, and record the endpoint InService.

    The container is stopped again: whoever asks the endpoint later starts it (hosting.py). An endpoint that
    exists gets the new configuration.
    """
    name = task.request.text("EndpointName", task.name)
    config = task.request.text("EndpointConfigName")
    record = site.find(ENDPOINT_CONFIG, config)
    if record is None:
        raise StepFailed(
            f"{task.request.where}.EndpointConfigName: could not find endpoint configuration '{config}'"
        )
    variants = Request(record, f"endpoint configuration {config}").requests("ProductionVariants")
    if len(variants) != 1:
        raise StepFailed(
            f"endpoint configuration {config}: one production variant runs here, not {len(variants)}"
        )
    _prove(variants[0], task, site)
    arn = site.arn(ENDPOINT, name)
    before = site.find(ENDPOINT, name)
    description: Record = {
        "EndpointName": name,
        "EndpointArn": arn,
        "EndpointConfigName": config,
        "ProductionVariants": [_describe_variant(variants[0])],
        "EndpointStatus": "InService",
        "CreationTime": before["CreationTime"] if before else site.now(),
        "LastModifiedTime": site.now(),
    }
    return Result(kind=ENDPOINT, name=name, description=description, metadata={"Endpoint": {"Arn": arn}})


def start_variant(variant: Request, task: Task, site: Site) -> ModelServer:
    """Start the container of a production variant."""
    container = model_of(variant, site.find)
    return ModelServer(
        stand_in=site.stand_in(container.text("Image"), container.where),
        model_data=container.text("ModelDataUrl"),
        environment={**site.environment, **container.mapping("Environment")},
        objects=site.objects,
        folder=task.folder,
    )


def _prove(variant: Request, task: Task, site: Site) -> None:
    try:
        with start_variant(variant, task, site) as server:
            server.wait_until_ready()
    except ModelServerError as error:
        raise StepFailed(f"the endpoint did not become InService: {error}") from None
    site.report(task.step, "the container answers /ping")


def _describe_variant(variant: Request) -> JSON:
    count = variant.number("InitialInstanceCount", 1)
    weight = variant.find("InitialVariantWeight")
    weights: dict[str, JSON] = {
        "CurrentWeight": 1.0 if weight is None else weight,
        "CurrentInstanceCount": count,
    }
    return {"VariantName": variant.text("VariantName", "AllTraffic"), **weights}
