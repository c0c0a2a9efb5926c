"""Model, RegisterModel and EndpointConfig steps: records that later steps and endpoints use."""

from collections.abc import Iterable

from workflows.definition.records import Record
from workflows.local.model_containers import model_of
from workflows.local.model_resources import endpoint_config_refusals, model_refusals, package_refusals
from workflows.local.model_versions import next_version
from workflows.local.records import ENDPOINT_CONFIG, MODEL, MODEL_PACKAGE, MODEL_PACKAGE_GROUP
from workflows.local.runners.base import Result, Site, StepFailed, Task


def create_model(task: Task, site: Site) -> Result:
    """CreateModel."""
    _check(model_refusals(task.request.fields, task.fields.fields, task.fields.where))
    name = task.request.text("ModelName", task.name)
    arn = site.arn(MODEL, name)
    if site.find(MODEL, name) is not None:
        raise _already_there("model", arn)
    identity: Record = {"ModelName": name, "ModelArn": arn, "CreationTime": site.now()}
    description = {**task.request.fields, **identity}
    return Result(kind=MODEL, name=name, description=description, metadata={"Model": {"Arn": arn}})


def register_model(task: Task, site: Site) -> Result:
    """CreateModelPackage: a new version in a model package group, which is made with its first one."""
    _check(package_refusals(task.request.fields, task.fields.fields, task.fields.where))
    # It may be given as an ARN.
    group = task.request.text("ModelPackageGroupName").rpartition("/")[2]
    version = next_version(site.records(MODEL_PACKAGE, group), site.find(MODEL_PACKAGE_GROUP, group))
    name = f"{group}/{version}"
    arn = site.arn(MODEL_PACKAGE, name)
    description: Record = {
        "ModelApprovalStatus": "PendingManualApproval",
        **task.request.fields,
        "ModelPackageGroupName": group,
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
        group=_describe_group(group, site),
    )


def create_endpoint_config(task: Task, site: Site) -> Result:
    """CreateEndpointConfig."""
    _check(endpoint_config_refusals(task.request.fields, task.fields.fields, task.fields.where))
    name = task.request.text("EndpointConfigName", task.name)
    arn = site.arn(ENDPOINT_CONFIG, name)
    if site.find(ENDPOINT_CONFIG, name) is not None:
        raise _already_there("endpoint configuration", arn)
    for variant in task.request.requests("ProductionVariants"):
        model_of(variant, site.find)
    identity: Record = {"EndpointConfigName": name, "EndpointConfigArn": arn, "CreationTime": site.now()}
    description = {**task.request.fields, **identity}
    return Result(
        kind=ENDPOINT_CONFIG, name=name, description=description, metadata={"EndpointConfig": {"Arn": arn}}
    )


def _check(refusals: Iterable[str]) -> None:
    for reason in refusals:
        raise StepFailed(reason)


def _already_there(kind: str, arn: str) -> StepFailed:
    return StepFailed(f'ClientError: Cannot create already existing {kind} "{arn}".')


def _describe_group(group: str, site: Site) -> Record:
    """DescribeModelPackageGroup of a group that registration makes, as SageMaker Pipelines does."""
    return {
        "ModelPackageGroupName": group,
        "ModelPackageGroupArn": site.arn(MODEL_PACKAGE_GROUP, group),
        "ModelPackageGroupStatus": "Completed",
        "CreationTime": site.now(),
    }
