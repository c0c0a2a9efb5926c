"""Model, RegisterModel and EndpointConfig steps: records that later steps and endpoints use."""

from workflows.definition.model import JSON
from workflows.local.model_containers import model_of
from workflows.local.records import ENDPOINT_CONFIG, MODEL, MODEL_PACKAGE, MODEL_PACKAGE_GROUP, Record
from workflows.local.runners.base import Result, Site, StepFailed, Task


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
        model_of(variant, site.find)
    arn = site.arn(ENDPOINT_CONFIG, name)
    identity: Record = {"EndpointConfigName": name, "EndpointConfigArn": arn, "CreationTime": site.now()}
    description = {**task.request.fields, **identity}
    return Result(
        kind=ENDPOINT_CONFIG, name=name, description=description, metadata={"EndpointConfig": {"Arn": arn}}
    )


def _version(package: dict[str, JSON]) -> int:
    version = package["ModelPackageVersion"]
    return version if isinstance(version, int) else 0
