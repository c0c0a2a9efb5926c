"""Which container answers for an endpoint, as its record says."""

from collections.abc import Mapping
from dataclasses import dataclass

from workflows.definition.errors import WorkflowError, did_you_mean
from workflows.definition.model import JSON
from workflows.definition.records import Record
from workflows.local.model_containers import model_of
from workflows.local.records import ENDPOINT, ENDPOINT_CONFIG
from workflows.local.request import Request
from workflows.local.store import Store

# Beside what DescribeEndpoint returns: the container that was deployed. As on SageMaker, an endpoint goes on
# when its configuration or its model is deleted.
SERVED = "ServedContainer"
IN_SERVICE = "InService"
# An endpoint that is being updated goes on with what it had.
_ANSWERING = (IN_SERVICE, "Updating", "SystemUpdating", "RollingBack")
_DEFAULT_VARIANT = "AllTraffic"


class UnknownEndpoint(WorkflowError):
    """No endpoint has this name, or it is not in service."""


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """What is to answer for an endpoint."""

    endpoint: str
    created: str  # of the endpoint: its name may become that of another one
    config: str
    variant: str
    record: Mapping[str, JSON]  # of the endpoint

    @property
    def identity(self) -> tuple[str, str]:
        """Tells it from what answered before."""
        return self.created, self.config


def find_endpoint(store: Store, name: str) -> Record:
    """The record of an endpoint.

    Raises:
        UnknownEndpoint: there is none of this name.
    """
    record = store.find(ENDPOINT, name)
    if record is None:
        known = [str(entry["EndpointName"]) for entry in store.all(ENDPOINT)]
        raise UnknownEndpoint(f"no endpoint is named '{name}'{did_you_mean(name, known)}")
    return record


def deployment_of(store: Store, endpoint: str) -> Deployment:
    """What is to answer for an endpoint now.

    Raises:
        UnknownEndpoint: there is none of this name, or it is not in service.
    """
    record = find_endpoint(store, endpoint)
    status = record.get("EndpointStatus", IN_SERVICE)
    if status not in _ANSWERING:
        raise UnknownEndpoint(f"endpoint '{endpoint}' is {status}, not {IN_SERVICE}")
    return deployment(record)


def deployment(record: Record) -> Deployment:
    """What an endpoint's record says."""
    variants = Request(record, f"endpoint {record['EndpointName']}").requests("ProductionVariants")
    return Deployment(
        endpoint=str(record["EndpointName"]),
        created=str(record.get("CreationTime", "")),
        config=str(record["EndpointConfigName"]),
        variant=variants[0].text("VariantName") if variants else _DEFAULT_VARIANT,
        record=record,
    )


def container_of(store: Store, endpoint: str) -> Request:
    """The inference container of an endpoint's only variant.

    Raises:
        UnknownEndpoint: there is no such endpoint.
        WorkflowError: its configuration or its model is gone.
    """
    return container(store, find_endpoint(store, endpoint))


def container(store: Store, record: Mapping[str, JSON]) -> Request:
    """The same, of an endpoint's record.

    Raises:
        WorkflowError: its configuration or its model is gone.
    """
    name, config_name = record["EndpointName"], str(record["EndpointConfigName"])
    served = record.get(SERVED)
    if isinstance(served, dict):
        return Request(served, f"endpoint {name}")
    config = store.find(ENDPOINT_CONFIG, config_name)
    if config is None:
        raise WorkflowError(f"endpoint '{name}': its configuration '{config_name}' is gone")
    return container_of_config(store, config)


def container_of_config(store: Store, config: Record) -> Request:
    """The inference container of the only variant of an endpoint configuration.

    Raises:
        WorkflowError: its model is gone.
    """
    where = f"endpoint configuration {config['EndpointConfigName']}"
    return model_of(Request(config, where).requests("ProductionVariants")[0], store.find)
