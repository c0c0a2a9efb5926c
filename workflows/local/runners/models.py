"""Model, RegisterModel and EndpointConfig steps: records that later steps and endpoints use."""

from workflows.definition.model import JSON
from workflows.local.request import Request
from workflows.local.runners.base import Result, Site, StepFailed, Task
from workflows.local.store import ENDPOINT_CONFIG, MODEL, MODEL_PACKAGE, MODEL_PACKAGE_GROUP, Record


def create_model(task: Task, site: Site) -> Result:
    """CreateModel."""
    name = task.request.text("ModelName", task.name)
    arn = site.arn(MODEL, name)
    description: Record = {
        **task.request.fields,
        "ModelName": name,
        "ModelArn": arn,
        "CreationTime": site.now(),
    }
    if not ({"PrimaryContainer", "Containers"} & set(description)):
        raise StepFailed(f"{task.request.where}: a model needs a PrimaryContainer or Containers")
    return Result(kind=MODEL, name=name, description=description, metadata={"Model": {"Arn": arn}})


def register_model(task: Task, site: Site) -> Result:
    """CreateModelPackage: a new version in a model package group."""
    group = task.request.text("ModelPackageGroupName")
    version = 1 + max((_version(entry) for entry in site.records(MODEL_PACKAGE, group)), default=0)
    name = f"{group}/{version}"
    arn = site.arn(MODEL_PACKAGE, name)
    description: Record = {
        "ModelApprovalStatus": "PendingManualApproval",
        **task.request.fields,
        "ModelPackageVersion": version,
        "ModelPackageArn": arn,
        "ModelPackageStatus": "Completed",
        "CreationTime": site.now(),
    }
    return Result(
        kind=MODEL_PACKAGE,
        name=name,
        description=description,
        metadata={"RegisterModel": {"Arn": arn}},
        parent=group,
    )


def describe_group(group: str, site: Site) -> Record:
    """DescribeModelPackageGroup of a group that registration makes, as SageMaker Pipelines does."""
    return {
        "ModelPackageGroupName": group,
        "ModelPackageGroupArn": site.arn(MODEL_PACKAGE_GROUP, group),
        "ModelPackageGroupStatus": "Completed",
        "CreationTime": site.now(),
    }


def create_endpoint_config(task: Task, site: Site) -> Result:
    """CreateEndpointConfig."""
    name = task.request.text("EndpointConfigName", task.name)
    for variant in task.request.requests("ProductionVariants"):
        model_of(variant, site)
    arn = site.arn(ENDPOINT_CONFIG, name)
    identity: Record = {"EndpointConfigName": name, "EndpointConfigArn": arn, "CreationTime": site.now()}
    description = {**task.request.fields, **identity}
    return Result(
        kind=ENDPOINT_CONFIG, name=name, description=description, metadata={"EndpointConfig": {"Arn": arn}}
    )


def model_of(variant: Request, site: Site) -> Request:
    """The container of the model that a variant names.

    Raises:
        StepFailed: there is no such model.
    """
    name = variant.text("ModelName")
    model = site.find(MODEL, name)
    if model is None:
        raise StepFailed(f"{variant.where}.ModelName: could not find model '{name}'")
    return primary_container(model)


def primary_container(model: Record) -> Request:
    """The container that answers requests: image, artifact and environment.

    Raises:
        StepFailed: the model is a pipeline of several containers.
    """
    where = f"model {model['ModelName']}"
    containers = Request(model, where).requests("Containers")
    if len(containers) > 1:
        raise StepFailed(f"{where}: inference pipelines of several containers do not run on this machine")
    if containers:
        return containers[0]
    container = model["PrimaryContainer"]
    return Request(container if isinstance(container, dict) else {}, f"{where}.PrimaryContainer")


def _version(package: dict[str, JSON]) -> int:
    version = package["ModelPackageVersion"]
    return version if isinstance(version, int) else 0
