"""Models: CreateModel and its like."""

from collections.abc import Mapping

from workflows.definition.model import JSON
from workflows.definition.records import Record, objects_of, package_name
from workflows.local.journal import now
from workflows.local.model_resources import model_refusals
from workflows.local.records import MODEL, MODEL_PACKAGE, TAGS
from workflows.local.runners.base import no_stand_in
from workflows.local.store import Write
from workflows.server.errors import AwsError, validation
from workflows.server.json_protocol import Operation
from workflows.server.machine import Machine
from workflows.server.sagemaker.lists import Listing
from workflows.server.sagemaker.tags import tags_write, without_tags
from workflows.server.shapes import Input, Output

_LISTING = Listing(kind=MODEL, name="ModelName")


def create_model(machine: Machine, given: Input) -> Output:
    """CreateModel: from containers, or from the containers of a model package."""
    name = str(given["ModelName"])
    arn = machine.names.arn(MODEL, name)
    request = _with_packages(machine, without_tags(given))
    _check(machine, request)
    record: Record = {**request, "ModelArn": arn, "CreationTime": now()}
    made = Write(kind=MODEL, name=name, body=record, new=True)
    if not machine.store.write(made, *tags_write(arn, record, given)):
        raise validation(f'Cannot create already existing model "{arn}".')
    return {"ModelArn": arn}


def describe_model(machine: Machine, given: Input) -> Output:
    """DescribeModel."""
    name = str(given["ModelName"])
    record = machine.store.find(MODEL, name)
    if record is None:
        raise unknown_model(machine, name)
    return record


def list_models(machine: Machine, given: Input) -> Output:
    """ListModels."""
    listed, token = _LISTING.page(machine.store, given)
    return {"Models": list[JSON](listed), "NextToken": token}


def delete_model(machine: Machine, given: Input) -> Output:
    """DeleteModel: endpoints that it serves go on."""
    name = str(given["ModelName"])
    if not machine.store.delete(MODEL, name):
        raise unknown_model(machine, name)
    machine.store.delete(TAGS, machine.names.arn(MODEL, name))
    return {}


OPERATIONS: Mapping[str, Operation] = {
    "CreateModel": create_model,
    "DescribeModel": describe_model,
    "ListModels": list_models,
    "DeleteModel": delete_model,
}


def unknown_model(machine: Machine, name: str) -> AwsError:
    """There is no such model."""
    return validation(f'Could not find model "{machine.names.arn(MODEL, name)}".')


def _check(machine: Machine, request: Record) -> None:
    reasons = list(model_refusals(_without_package_names(request), {}, "CreateModel"))
    images = machine.engine.place.images
    for container in _containers(request):
        image = container.get("Image")
        if isinstance(image, str) and images.find(image) is None:
            reasons.append(no_stand_in(image, "CreateModel", images))
    if reasons:
        raise validation("; ".join(reasons))


def _containers(request: Record) -> list[Record]:
    primary = request.get("PrimaryContainer")
    return [*objects_of([primary]), *objects_of(request.get("Containers"))]


def _with_packages(machine: Machine, request: Record) -> Record:
    """The request in which a container that names a model package has its image and artifact, too."""
    primary, several = request.get("PrimaryContainer"), request.get("Containers")
    changed = dict(request)
    if isinstance(primary, dict):
        changed["PrimaryContainer"] = _with_package(machine, primary)
    if several is not None:
        changed["Containers"] = [_with_package(machine, container) for container in objects_of(several)]
    return changed


def _with_package(machine: Machine, container: Record) -> Record:
    name = container.get("ModelPackageName")
    if name is None:
        return container
    package = machine.store.find(MODEL_PACKAGE, package_name(str(name)))
    if package is None:
        raise validation(f"ModelPackage {name} does not exist.")
    status = package["ModelApprovalStatus"]
    if status != "Approved":
        # CreateModelPackage: "must be set to Approved to deploy the model".
        raise validation(f"ModelPackage {name} must be Approved to be deployed; its status is {status}.")
    specification = package.get("InferenceSpecification")
    found = objects_of(specification.get("Containers") if isinstance(specification, dict) else None)
    if len(found) != 1:
        raise validation(
            f"ModelPackage {name} has {len(found)} containers; on this machine a model has exactly one"
        )
    return _merged(found[0], container)


def _merged(packaged: Record, container: Record) -> Record:
    kept = ("Image", "ModelDataUrl", "ModelDataSource", "Environment")
    base: Record = {key: packaged[key] for key in kept if packaged.get(key)}
    own, given = base.get("Environment"), container.get("Environment")
    merged = {**base, **container}
    if isinstance(own, dict) and isinstance(given, dict):
        merged["Environment"] = {**own, **given}
    return merged


def _without_package_names(request: Record) -> Record:
    """For what is checked of containers: an image from a package is as good as any."""

    def plain(container: JSON) -> JSON:
        fields = container if isinstance(container, dict) else {}
        return {key: value for key, value in fields.items() if key != "ModelPackageName"}

    changed = dict(request)
    if "PrimaryContainer" in request:
        changed["PrimaryContainer"] = plain(request["PrimaryContainer"])
    if "Containers" in request:
        changed["Containers"] = [plain(container) for container in objects_of(request["Containers"])]
    return changed
