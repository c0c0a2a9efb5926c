"""Endpoint configurations: CreateEndpointConfig and its like."""

from collections.abc import Mapping

from workflows.definition.model import JSON
from workflows.definition.records import Record, objects_of
from workflows.local.journal import now
from workflows.local.model_resources import endpoint_config_refusals
from workflows.local.records import ENDPOINT_CONFIG, MODEL, TAGS
from workflows.local.store import Write
from workflows.server.errors import AwsError, validation
from workflows.server.json_protocol import Operation
from workflows.server.machine import Machine
from workflows.server.sagemaker.lists import Listing
from workflows.server.sagemaker.models import unknown_model
from workflows.server.sagemaker.tags import tags_write, without_tags
from workflows.server.shapes import Input, Output

_LISTING = Listing(kind=ENDPOINT_CONFIG, name="EndpointConfigName")


def create_endpoint_config(machine: Machine, given: Input) -> Output:
    """CreateEndpointConfig."""
    name = str(given["EndpointConfigName"])
    arn = machine.names.arn(ENDPOINT_CONFIG, name)
    request = without_tags(given)
    if reasons := list(endpoint_config_refusals(request, {}, "CreateEndpointConfig")):
        raise validation("; ".join(reasons))
    for variant in objects_of(request["ProductionVariants"]):
        if machine.store.find(MODEL, str(variant["ModelName"])) is None:
            raise unknown_model(machine, str(variant["ModelName"]))
    record: Record = {**request, "EndpointConfigArn": arn, "CreationTime": now()}
    made = Write(kind=ENDPOINT_CONFIG, name=name, body=record, new=True)
    if not machine.store.write(made, *tags_write(arn, record, given)):
        raise validation(f'Cannot create already existing endpoint configuration "{arn}".')
    return {"EndpointConfigArn": arn}


def describe_endpoint_config(machine: Machine, given: Input) -> Output:
    """DescribeEndpointConfig."""
    name = str(given["EndpointConfigName"])
    record = machine.store.find(ENDPOINT_CONFIG, name)
    if record is None:
        raise unknown_endpoint_config(machine, name)
    return record


def list_endpoint_configs(machine: Machine, given: Input) -> Output:
    """ListEndpointConfigs."""
    listed, token = _LISTING.page(machine.store, given)
    return {"EndpointConfigs": list[JSON](listed), "NextToken": token}


def delete_endpoint_config(machine: Machine, given: Input) -> Output:
    """DeleteEndpointConfig: endpoints that were made of it go on."""
    name = str(given["EndpointConfigName"])
    if not machine.store.delete(ENDPOINT_CONFIG, name):
        raise unknown_endpoint_config(machine, name)
    machine.store.delete(TAGS, machine.names.arn(ENDPOINT_CONFIG, name))
    return {}


OPERATIONS: Mapping[str, Operation] = {
    "CreateEndpointConfig": create_endpoint_config,
    "DescribeEndpointConfig": describe_endpoint_config,
    "ListEndpointConfigs": list_endpoint_configs,
    "DeleteEndpointConfig": delete_endpoint_config,
}


def unknown_endpoint_config(machine: Machine, name: str) -> AwsError:
    """There is no such configuration."""
    return validation(f'Could not find endpoint configuration "{machine.names.arn(ENDPOINT_CONFIG, name)}".')
