"""Endpoint steps: CreateEndpoint."""

import hashlib
import json

from workflows.definition.model import JSON
from workflows.definition.records import Record
from workflows.local.images import StandIn
from workflows.local.model_containers import model_of
from workflows.local.model_resources import endpoint_refusals
from workflows.local.model_server import ModelServer, ModelServerError
from workflows.local.records import ENDPOINT, ENDPOINT_CONFIG
from workflows.local.request import Request
from workflows.local.runners.base import Result, Site, StepFailed, Task
from workflows.local.stopping import ended_by

_PROVED = "ProvedContainer"  # beside what DescribeEndpoint returns: which container has answered /ping


def run(task: Task, site: Site) -> Result:
    """Start the endpoint's container, prove that it answers, and record the endpoint InService.

    The container is stopped again: whoever asks the endpoint later starts it (hosting.py). An endpoint that
    exists gets the new configuration; if its container is the one that was proved before, it is not started.
    """
    for reason in endpoint_refusals(task.request.fields, task.fields.fields, task.fields.where):
        raise StepFailed(reason)
    name = task.request.text("EndpointName", task.name)
    config = task.request.text("EndpointConfigName")
    variant = _only_variant(config, task, site)
    before = site.find(ENDPOINT, name) or {}
    proof = _prove(model_of(variant, site.find), before.get(_PROVED), task, site)
    arn = site.arn(ENDPOINT, name)
    now = site.now()
    description: Record = {
        "EndpointName": name,
        "EndpointArn": arn,
        "EndpointConfigName": config,
        "ProductionVariants": [_describe_variant(variant)],
        "EndpointStatus": "InService",
        "CreationTime": before.get("CreationTime", now),
        "LastModifiedTime": now,
        _PROVED: proof,
    }
    return Result(kind=ENDPOINT, name=name, description=description, metadata={"Endpoint": {"Arn": arn}})


def _only_variant(config: str, task: Task, site: Site) -> Request:
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
    return variants[0]


def _prove(container: Request, proved: JSON, task: Task, site: Site) -> str:
    """Start the container unless it is the one that was proved; returns what tells it from others."""
    stand_in = site.stand_in(container.text("Image"), container.where)
    environment = {**site.environment, **container.mapping("Environment")}
    identity = _identity(container, stand_in, environment, site)
    if identity == proved:
        site.report(task.step, "the same container has answered /ping before; it is not started again")
        return identity
    try:
        with (
            ModelServer(
                stand_in=stand_in,
                model_data=container.text("ModelDataUrl"),
                environment=environment,
                objects=site.objects,
                folder=task.folder,
            ) as server,
            ended_by(site.stopped, server.stop),
        ):
            server.wait_until_ready()
    except ModelServerError as error:
        if site.stopped.is_set():
            raise StepFailed("the execution was stopped") from None
        raise StepFailed(f"the endpoint did not become InService: {error}") from None
    site.report(task.step, "the container answers /ping")
    return identity


def _identity(container: Request, stand_in: StandIn, environment: dict[str, str], site: Site) -> str:
    """Changes with the image, what stands in for it, the environment and the artifact's file."""
    artifact = site.objects.path(container.text("ModelDataUrl"))
    state = artifact.stat() if artifact.is_file() else None
    parts = [
        container.text("Image"),
        list(stand_in.command or ()),
        stand_in.docker_image,
        sorted(environment.items()),
        str(artifact),
        [state.st_ino, state.st_size, state.st_mtime_ns] if state else None,
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _describe_variant(variant: Request) -> JSON:
    count = variant.number("InitialInstanceCount", 1)
    weight = variant.find("InitialVariantWeight")
    weights: dict[str, JSON] = {
        "CurrentWeight": 1.0 if weight is None else weight,
        "CurrentInstanceCount": count,
    }
    return {"VariantName": variant.text("VariantName"), **weights}
