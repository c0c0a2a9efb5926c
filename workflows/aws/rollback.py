"""Brings an endpoint back to what it had before."""

import re

from botocore.exceptions import ClientError

from workflows.aws import endpoints
from workflows.aws.clients import Clients, pages, plain
from workflows.aws.deployment import REPLACES, SERVES, CannotDeploy, Shift, refuse_endpoint, version_in
from workflows.aws.errors import is_missing
from workflows.definition.records import Record, newest

_EXECUTION_ID = "[a-z0-9]{12}"  # what our pipelines add to the name of an endpoint


def previous_config(clients: Clients, endpoint: str) -> str:
    """The configuration that an endpoint had before the one that it has.

    Raises:
        CannotDeploy: there is none, or the endpoint is in no state to be changed.
        NotFound: there is no such endpoint.
    """
    record = endpoints.get(clients, endpoint)
    refuse_endpoint(clients, record)
    found = find_previous(clients, record)
    if found is None:
        raise CannotDeploy(
            f"endpoint '{endpoint}' has nothing to go back to: no earlier configuration of it is left beside "
            f"'{record['EndpointConfigName']}'"
        )
    return found


def find_previous(clients: Clients, endpoint: Record) -> str | None:
    """The same, of an endpoint's description; None if there is none.

    By the tag of its configuration. What a pipeline has deployed has none: there it is the newest older one
    that is named as those of the endpoint are.
    """
    current = str(endpoint["EndpointConfigName"])
    described = _config(clients, current)
    tags = _tags(clients, str(described["EndpointConfigArn"])) if described else {}
    if REPLACES in tags or SERVES in tags:
        tagged = tags.get(REPLACES)
        return tagged if tagged and _config(clients, tagged) is not None else None
    before = str(described["CreationTime"]) if described else ""
    for entry in newest(_configs_of(clients, str(endpoint["EndpointName"])), "CreationTime"):
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


def _configs_of(clients: Clients, endpoint: str) -> list[Record]:
    """Summaries of the configurations with an endpoint's name and what a deployment or an execution adds."""
    listed = pages(clients.sagemaker, "list_endpoint_configs", "EndpointConfigs")
    by_execution = re.compile(rf"{re.escape(endpoint)}-{_EXECUTION_ID}")
    return [
        entry
        for entry in listed
        if by_execution.fullmatch(name := str(entry["EndpointConfigName"]))
        or version_in(name, stem=endpoint) is not None
    ]


def _config(clients: Clients, name: str) -> Record | None:
    try:
        return plain(clients.sagemaker.describe_endpoint_config(EndpointConfigName=name))
    except ClientError as error:
        if is_missing(error):
            return None
        raise


def _tags(clients: Clients, arn: str) -> dict[str, str]:
    return {
        str(entry["Key"]): str(entry["Value"])
        for entry in pages(clients.sagemaker, "list_tags", "Tags", ResourceArn=arn)
    }
