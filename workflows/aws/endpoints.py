"""Endpoints: listed, asked, deleted; and what is behind them."""

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from botocore.exceptions import ClientError

from workflows.aws import objects, registry
from workflows.aws.clients import Clients, pages, plain
from workflows.aws.errors import CloudError, NotFound, is_missing, message_of
from workflows.definition.errors import WorkflowError, did_you_mean
from workflows.definition.model import JSON
from workflows.definition.records import Record, at, newest, objects_of

_MODEL_ERROR = "ModelError"
# The versions in the registry that are looked through for the one that an endpoint serves.
_LOOKED_THROUGH = 50


def listed(clients: Clients) -> Iterator[Record]:
    """Every endpoint, described, by name."""
    found = pages(clients.sagemaker, "list_endpoints", "Endpoints", SortBy="Name", SortOrder="Ascending")
    for entry in found:
        described = find(clients, str(entry["EndpointName"]))
        if described is not None:  # it may have gone meanwhile
            yield described


def find(clients: Clients, name: str) -> Record | None:
    """An endpoint; None if there is none."""
    return _described(clients, "describe_endpoint", EndpointName=name)


def get(clients: Clients, name: str) -> Record:
    """The same.

    Raises:
        NotFound: no endpoint has this name.
    """
    found = find(clients, name)
    if found is None:
        everyone = pages(clients.sagemaker, "list_endpoints", "Endpoints")
        known = [str(entry["EndpointName"]) for entry in everyone]
        raise NotFound(f"no endpoint is named '{name}'{did_you_mean(name, known)}")
    return found


def delete(clients: Clients, name: str) -> None:
    """Delete an endpoint; its configuration, its model and the version in the registry stay.

    Raises:
        NotFound: no endpoint has this name.
    """
    get(clients, name)
    clients.sagemaker.delete_endpoint(EndpointName=name)


def ask(clients: Clients, endpoint: str, picture: Path, *, content_type: str) -> JSON:
    """An endpoint's answer to a picture.

    Raises:
        CloudError: the model refuses the picture, or fails; with its own words.
        WorkflowError: the answer is not JSON.
    """
    try:
        answer = clients.runtime.invoke_endpoint(
            EndpointName=endpoint,
            ContentType=content_type,
            Accept="application/json",
            Body=picture.read_bytes(),
        )
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") != _MODEL_ERROR:
            raise
        status = error.response.get("OriginalStatusCode", "")
        told = error.response.get("OriginalMessage") or message_of(error)
        raise CloudError(f"{picture}: the endpoint answered {status}: {told}", code=_MODEL_ERROR) from None
    with answer["Body"] as body:
        content = body.read()
    try:
        document: JSON = json.loads(content)
    except ValueError:
        raise WorkflowError(f"{picture}: the endpoint's answer is not JSON") from None
    return document


def artifact_of(clients: Clients, endpoint: Record) -> str | None:
    """The S3 URI of the model.tar.gz that an endpoint serves; None if its configuration or model is gone."""
    config = _described(
        clients, "describe_endpoint_config", EndpointConfigName=str(endpoint["EndpointConfigName"])
    )
    variants = objects_of(config.get("ProductionVariants")) if config else []
    name = str(variants[0].get("ModelName", "")) if variants else ""
    model = _described(clients, "describe_model", ModelName=name) if name else None
    if model is None:
        return None
    containers = [at(model, "PrimaryContainer"), *objects_of(model.get("Containers"))]
    for container in containers:
        if isinstance(container, dict):
            found = container.get("ModelDataUrl") or _artifact_of_package(clients, container)
            return str(found) if found else None
    return None


def class_names(clients: Clients, endpoint: Record) -> list[str]:
    """The names of an endpoint's classes, from the data report of the version with the same artifact.

    Empty if none of the newest versions in the registry has it: classes then go by their numbers.
    """
    artifact = artifact_of(clients, endpoint)
    if artifact is None:
        return []
    found = [
        entry
        for group in registry.groups(clients)
        for entry in islice(registry.newest_first(clients, group), _LOOKED_THROUGH)
    ]
    for entry in newest(found, "CreationTime")[:_LOOKED_THROUGH]:
        version = registry.describe(clients, str(entry["ModelPackageArn"]))
        report = at(version, "CustomerMetadataProperties", "DataReport")
        if report and artifact in json.dumps(version.get("InferenceSpecification")):
            return _names_in(clients, str(report))
    return []


def _names_in(clients: Clients, report: str) -> list[str]:
    try:
        document = objects.read_json(clients, report)
    except ClientError as error:
        if is_missing(error):
            return []  # it was deleted since
        raise
    names = document.get("class_names") if isinstance(document, dict) else None
    return [str(name) for name in names] if isinstance(names, list) else []


def _artifact_of_package(clients: Clients, container: Record) -> JSON:
    arn = container.get("ModelPackageName")
    if not arn:
        return None
    version = registry.describe(clients, str(arn))
    containers = objects_of(at(version, "InferenceSpecification", "Containers"))
    return containers[0].get("ModelDataUrl") if containers else None


def _described(clients: Clients, call: str, **name: str) -> Record | None:
    try:
        return plain(getattr(clients.sagemaker, call)(**name))
    except ClientError as error:
        if is_missing(error):
            return None
        raise
