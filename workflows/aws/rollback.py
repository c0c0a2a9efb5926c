"""Brings an endpoint back to what it had before."""

from botocore.exceptions import ClientError

from workflows.aws import endpoints
from workflows.aws.clients import Clients, pages, plain
from workflows.aws.deployment import REPLACES, CannotDeploy, Shift, refuse_endpoint
from workflows.aws.errors import is_missing
from workflows.definition.records import Record, newest, objects_of


def previous_config(clients: Clients, endpoint: str) -> str:
    """The configuration that an endpoint had before the one that it has.

    Raises:
        CannotDeploy: there is none, or the endpoint is in no state to be changed.
        NotFound: there is no such endpoint.
    """
    record = endpoints.get(clients, endpoint)
    refuse_endpoint(record)
    found = find_previous(clients, record)
    if found is None:
        raise CannotDeploy(
            f"endpoint '{endpoint}' has nothing to go back to: no earlier configuration of it is left beside "
            f"'{record['EndpointConfigName']}'"
        )
    return found


def find_previous(clients: Clients, endpoint: Record) -> str | None:
    """The same, of an endpoint's description; None if there is none.

    By the tag of its configuration; where there is none, as in what a pipeline has deployed, the newest older
    one whose name begins with the endpoint's.
    """
    current = str(endpoint["EndpointConfigName"])
    described = _config(clients, current)
    tagged = _tag(clients, str(described["EndpointConfigArn"]), REPLACES) if described else None
    if tagged and _config(clients, tagged) is not None:
        return tagged
    before = str(described["CreationTime"]) if described else ""
    for entry in newest(configs_of(clients, str(endpoint["EndpointName"])), "CreationTime"):
        if entry["EndpointConfigName"] != current and (not before or str(entry["CreationTime"]) < before):
            return str(entry["EndpointConfigName"])
    return None


def go_back(clients: Clients, endpoint: str, config: str) -> None:
    """Update an endpoint to a configuration that it had, all at once."""
    clients.sagemaker.update_endpoint(
        EndpointName=endpoint,
        EndpointConfigName=config,
        DeploymentConfig=Shift(terminate_after_s=0, wait_s=0).config(),
    )


def configs_of(clients: Clients, endpoint: str) -> list[Record]:
    """Summaries of the endpoint configurations whose names begin with an endpoint's."""
    found = pages(clients.sagemaker, "list_endpoint_configs", "EndpointConfigs", NameContains=endpoint)
    return [entry for entry in found if str(entry["EndpointConfigName"]).startswith(f"{endpoint}-")]


def model_of_config(clients: Clients, config: str) -> str | None:
    """The model of a configuration's first variant; None if the configuration is gone."""
    described = _config(clients, config)
    variants = objects_of(described.get("ProductionVariants")) if described else []
    return str(variants[0].get("ModelName")) if variants else None


def _config(clients: Clients, name: str) -> Record | None:
    try:
        return plain(clients.sagemaker.describe_endpoint_config(EndpointConfigName=name))
    except ClientError as error:
        if is_missing(error):
            return None
        raise


def _tag(clients: Clients, arn: str, key: str) -> str | None:
    for entry in pages(clients.sagemaker, "list_tags", "Tags", ResourceArn=arn):
        if entry["Key"] == key:
            return str(entry["Value"])
    return None
