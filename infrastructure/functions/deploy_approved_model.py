"""A function for EventBridge: a version of a model became approved, so its group's endpoint is to serve it.

It begins the deployment with the code of `workflows deploy` and does not wait for its end. Runs in AWS Lambda
as `deploy_approved_model.handler`; region, credentials and endpoint (AWS_ENDPOINT_URL) come from the
environment, as boto3 finds them.

Events come at least once, and late ones after newer ones: what counts is what the registry says when the
function looks. An endpoint is for the version that was approved last; the registry has no time of an approval
but that of a version's last change.
"""

import os
from collections.abc import Mapping
from itertools import islice
from typing import Any

from workflows.aws import deployment, endpoints, executions, registry
from workflows.aws.clients import Clients, pages
from workflows.aws.deployment import Deployment
from workflows.definition.records import Record, at, objects_of, package_name

_APPROVAL = "ModelApprovalStatus"
_REGISTERED_BY = "PipelineExecutionArn"
# The newest versions of the group that may have been approved later.
_LOOKED_THROUGH = 20
# Of versions that name none.
_INSTANCE_TYPE = "ml.m5.large"


def handler(event: Mapping[str, Any], _context: object) -> dict[str, str]:
    """Begin to deploy the version that an event is about, if it is still to be deployed.

    Args:
        event: "SageMaker Model Package State Change" of EventBridge.
        _context: what Lambda tells about the call; unused.

    Returns:
        ModelPackageArn, EndpointName, and Action: create, update or nothing, with its Reason.

    Raises:
        EndpointBusy: the endpoint is being changed. Lambda tries again, and tells of it if that is in vain.
        CannotDeploy: the version or the endpoint is not in a state in which it can be deployed.
    """
    clients = Clients(os.environ["AWS_REGION"])
    package = registry.describe(clients, str(event["detail"]["ModelPackageArn"]))
    endpoint = str(package["ModelPackageGroupName"])
    reason = _reason_to_leave(clients, package, endpoints.find(clients, endpoint))
    action = deployment.NOTHING if reason else _begin(clients, package, endpoint)
    answer = {"ModelPackageArn": str(package["ModelPackageArn"]), "EndpointName": endpoint, "Action": action}
    answer |= {"Reason": reason} if reason else {}
    print(answer)  # noqa: T201 - the function's log
    return answer


def _begin(clients: Clients, package: Record, endpoint: str) -> str:
    types = at(package, "InferenceSpecification", "SupportedRealtimeInferenceInstanceTypes")
    wanted = Deployment(
        package=package,
        endpoint=endpoint,
        role=os.environ["ENDPOINT_ROLE_ARN"],
        instance_type=str(types[0]) if isinstance(types, list) and types else _INSTANCE_TYPE,
    )
    planned = deployment.plan(clients, wanted)
    deployment.begin(clients, planned)
    return planned.action


def _reason_to_leave(clients: Clients, package: Record, current: Record | None) -> str | None:
    """Why nothing is to be done; None: the version is to be deployed."""
    if package[_APPROVAL] != registry.APPROVED:
        return f"the version is {package[_APPROVAL]} by now"
    if _is_deployed_by_its_pipeline(clients, package):
        return "the pipeline that registered it as approved is still running, and deploys it itself"
    newer = _approved_later(clients, package)
    if newer:
        return f"{newer} was approved later"
    if current is not None and _serves(clients, current, package):
        return "the endpoint serves it already"
    return None


def _is_deployed_by_its_pipeline(clients: Clients, package: Record) -> bool:
    """Two deployments at once would be in each other's way."""
    arn = at(package, "CustomerMetadataProperties", _REGISTERED_BY)
    if not arn:
        return False
    execution = executions.describe(clients, str(arn))
    if execution["PipelineExecutionStatus"] not in executions.GOING_ON:
        return False
    given = {entry["Name"]: entry["Value"] for entry in executions.parameters(clients, str(arn))}
    return given.get(_APPROVAL) == registry.APPROVED


def _approved_later(clients: Clients, package: Record) -> str | None:
    found = pages(
        clients.sagemaker,
        "list_model_packages",
        "ModelPackageSummaryList",
        ModelPackageGroupName=package["ModelPackageGroupName"],
        ModelApprovalStatus=registry.APPROVED,
        SortBy="CreationTime",
        SortOrder="Descending",
    )
    for entry in islice(found, _LOOKED_THROUGH):
        other = registry.describe(clients, str(entry["ModelPackageArn"]))
        if _changed(other) > _changed(package):
            return package_name(other["ModelPackageArn"])
    return None


def _changed(package: Record) -> str:
    """When it was changed last: text in UTC, always of one form."""
    return str(package.get("LastModifiedTime") or package["CreationTime"])


def _serves(clients: Clients, current: Record, package: Record) -> bool:
    if current["EndpointStatus"] != deployment.IN_SERVICE:
        return False
    containers = objects_of(at(package, "InferenceSpecification", "Containers"))
    artifact = endpoints.artifact_of(clients, current)
    return artifact is not None and artifact in [entry.get("ModelDataUrl") for entry in containers]
