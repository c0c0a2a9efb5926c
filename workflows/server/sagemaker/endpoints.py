"""Endpoints: CreateEndpoint and its like. What takes time goes on in the background: endpoint_changes.py."""

from collections.abc import Mapping

from workflows.definition.errors import WorkflowError
from workflows.definition.model import JSON
from workflows.definition.records import Record, objects_of
from workflows.local import deployments
from workflows.local.deployments import IN_SERVICE
from workflows.local.hosting import served
from workflows.local.journal import now
from workflows.local.model_resources import endpoint_refusals
from workflows.local.records import ENDPOINT, ENDPOINT_CONFIG
from workflows.local.request import Request
from workflows.local.store import Write
from workflows.server.errors import AwsError, validation
from workflows.server.json_protocol import Operation
from workflows.server.machine import Machine
from workflows.server.sagemaker import endpoint_changes as changes
from workflows.server.sagemaker.endpoint_changes import CREATING, DELETING, FAILED, UPDATING
from workflows.server.sagemaker.endpoint_configs import unknown_endpoint_config
from workflows.server.sagemaker.lists import Listing
from workflows.server.sagemaker.tags import tags_write
from workflows.server.shapes import Input, Output

_IN_PROGRESS = (CREATING, UPDATING, DELETING)
_LISTING = Listing(kind=ENDPOINT, name="EndpointName", status="EndpointStatus")


def create_endpoint(machine: Machine, given: Input) -> Output:
    """CreateEndpoint."""
    name = str(given["EndpointName"])
    arn, time = machine.names.arn(ENDPOINT, name), now()
    if machine.store.find(ENDPOINT, name) is not None:
        raise validation(f'Cannot create already existing endpoint "{arn}".')
    deployed = _deployed(machine, given)
    record: Record = {
        "EndpointName": name,
        "EndpointArn": arn,
        "EndpointStatus": CREATING,
        "CreationTime": time,
        "LastModifiedTime": time,
        **deployed,
    }
    if not machine.store.write(
        Write(kind=ENDPOINT, name=name, body=record, new=True), *tags_write(arn, record, given)
    ):
        raise validation(f'Cannot create already existing endpoint "{arn}".')
    changes.begin(machine, record, deployed, if_it_fails=FAILED)
    return {"EndpointArn": arn}


def update_endpoint(machine: Machine, given: Input) -> Output:
    """UpdateEndpoint: the former container answers until the new one is proved, and stays if it is not."""
    name = str(given["EndpointName"])
    _find(machine, name)
    deployed = _deployed(machine, given)

    def begin(record: Record) -> Record:
        _refuse_change(record)
        if record["EndpointStatus"] == FAILED:
            raise validation(
                f'Cannot update endpoint "{record["EndpointArn"]}" in status {FAILED}; delete it.'
            )
        record.pop("FailureReason", None)
        time = now()
        pending: Record = {"EndpointConfigName": deployed["EndpointConfigName"], "StartTime": time}
        return {
            **record,
            "EndpointStatus": UPDATING,
            "LastModifiedTime": time,
            "PendingDeploymentSummary": pending,
        }

    record = machine.store.change(ENDPOINT, name, begin)
    if record is None:
        raise _unknown(machine, name)
    changes.begin(machine, record, deployed, if_it_fails=IN_SERVICE)
    return {"EndpointArn": record["EndpointArn"]}


def update_weights_and_capacities(machine: Machine, given: Input) -> Output:
    """UpdateEndpointWeightsAndCapacities: noted, for one container answers whatever they are."""
    name = str(given["EndpointName"])
    _find(machine, name)
    wanted = {str(entry["VariantName"]): entry for entry in objects_of(given["DesiredWeightsAndCapacities"])}

    def change(record: Record) -> Record:
        _refuse_change(record)
        variants = {str(entry["VariantName"]): entry for entry in objects_of(record["ProductionVariants"])}
        for missing in sorted(wanted.keys() - variants.keys()):
            raise validation(f'Could not find variant "{missing}" of endpoint "{record["EndpointArn"]}".')
        changed: list[JSON] = [_weighed(entry, wanted.get(key, {})) for key, entry in variants.items()]
        return {**record, "ProductionVariants": changed, "LastModifiedTime": now()}

    machine.store.change(ENDPOINT, name, change)
    return {"EndpointArn": machine.names.arn(ENDPOINT, name)}


def describe_endpoint(machine: Machine, given: Input) -> Output:
    """DescribeEndpoint."""
    return _find(machine, str(given["EndpointName"]))


def list_endpoints(machine: Machine, given: Input) -> Output:
    """ListEndpoints."""
    listed, token = _LISTING.page(machine.store, given)
    return {"Endpoints": list[JSON](listed), "NextToken": token}


def delete_endpoint(machine: Machine, given: Input) -> Output:
    """DeleteEndpoint: its container ends in the background."""
    name = str(given["EndpointName"])

    def begin(record: Record) -> Record:
        _refuse_change(record)
        return {**record, "EndpointStatus": DELETING, "LastModifiedTime": now()}

    if machine.store.change(ENDPOINT, name, begin) is None:
        raise _unknown(machine, name)

    changes.end(machine, name)
    return {}


OPERATIONS: Mapping[str, Operation] = {
    "CreateEndpoint": create_endpoint,
    "UpdateEndpoint": update_endpoint,
    "UpdateEndpointWeightsAndCapacities": update_weights_and_capacities,
    "DescribeEndpoint": describe_endpoint,
    "ListEndpoints": list_endpoints,
    "DeleteEndpoint": delete_endpoint,
}


def _find(machine: Machine, name: str) -> Record:
    record = machine.store.find(ENDPOINT, name)
    if record is None:
        raise _unknown(machine, name)
    return record


def _unknown(machine: Machine, name: str) -> AwsError:
    return validation(f'Could not find endpoint "{machine.names.arn(ENDPOINT, name)}".')


def _refuse_change(record: Record) -> None:
    if record["EndpointStatus"] in _IN_PROGRESS:
        raise validation(f'Cannot update in-progress endpoint "{record["EndpointArn"]}".')


def _deployed(machine: Machine, given: Input) -> Record:
    """What an endpoint's record says of a configuration: its variant, and the container behind it."""
    if reasons := list(endpoint_refusals(given, {}, "EndpointConfigName")):
        raise validation("; ".join(reasons))
    name = str(given["EndpointConfigName"])
    config = machine.store.find(ENDPOINT_CONFIG, name)
    if config is None:
        raise unknown_endpoint_config(machine, name)
    try:
        container = deployments.container_of_config(machine.store, config)
    except WorkflowError as error:
        raise validation(f"{error}") from None
    variants = objects_of(config["ProductionVariants"])
    return {
        "EndpointConfigName": name,
        "ProductionVariants": [_variant(entry, container) for entry in variants],
        # None where there is none: an update takes away what the former configuration had.
        "AsyncInferenceConfig": config.get("AsyncInferenceConfig"),
        "DataCaptureConfig": _capture(config.get("DataCaptureConfig")),
        deployments.SERVED: served(container),
    }


def _variant(configured: Record, container: Request) -> JSON:
    image = container.text("Image")
    weight, count = configured.get("InitialVariantWeight"), configured.get("InitialInstanceCount")
    variant: Record = {
        "VariantName": configured["VariantName"],
        "DeployedImages": [{"SpecifiedImage": image, "ResolvedImage": image, "ResolutionTime": now()}],
        "CurrentWeight": 1.0 if weight is None else weight,
        "DesiredWeight": 1.0 if weight is None else weight,
        "CurrentInstanceCount": 1 if count is None else count,
        "DesiredInstanceCount": 1 if count is None else count,
    }
    if "ServerlessConfig" in configured:
        variant["CurrentServerlessConfig"] = configured["ServerlessConfig"]
    return variant


def _capture(configured: JSON) -> JSON:
    """DataCaptureConfigSummary: nothing is captured here, and that is what it says."""
    if not isinstance(configured, dict):
        return None
    percentage = configured.get("InitialSamplingPercentage")
    return {**configured, "CaptureStatus": "Stopped", "CurrentSamplingPercentage": percentage, "KmsKeyId": ""}


def _weighed(variant: Record, wanted: Record) -> JSON:
    changed = dict(variant)
    for name in ("Weight", "InstanceCount"):
        if wanted.get(f"Desired{name}") is not None:
            changed[f"Current{name}"] = changed[f"Desired{name}"] = wanted[f"Desired{name}"]
    return changed
