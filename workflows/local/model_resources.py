"""What SageMaker would not accept of models, model packages and endpoints, and what does not run here.

Sources: CreateModel, CreateModelPackage, CreateEndpointConfig and CreateEndpoint in the service model, whose
patterns and limits these are.
"""

from collections.abc import Iterator, Mapping

from workflows.definition.model import JSON
from workflows.local import constraints
from workflows.local.request import Request

APPROVAL_STATUSES = ("Approved", "Rejected", "PendingManualApproval")
_NAME = r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}"
_MODEL_NAME = r"[a-zA-Z0-9]([\-a-zA-Z0-9]*[a-zA-Z0-9])?"
_ARN_OR_NAME = (
    r"(arn:aws[a-z\-]*:sagemaker:[a-z0-9\-]*:[0-9]{12}:[a-z\-]*\/)?([a-zA-Z0-9]([a-zA-Z0-9-]){0,62})(?<!-)"
)
_LONGEST_NAME, _LONGEST_ARN = 63, 170
_MOST_VARIABLES = 100
_MOST_PROPERTIES = 50


def model_refusals(arguments: Mapping[str, JSON], _fields: Mapping[str, JSON], where: str) -> Iterator[str]:
    """Of a Model step, as far as its values are known."""
    request = Request(arguments, f"{where} Arguments")
    yield from constraints.name(request, "ModelName", _MODEL_NAME, longest=_LONGEST_NAME)
    has_one = not constraints.is_missing(request, "PrimaryContainer")
    has_list = not constraints.is_missing(request, "Containers")
    if has_one == has_list:
        yield f"{request.where}: a model needs either PrimaryContainer or Containers"
    containers = constraints.objects(request, "Containers")
    if len(containers) > 1:
        yield f"{request.where}.Containers: several containers behind each other do not run on this machine"
    primary = constraints.known(request, "PrimaryContainer")
    if isinstance(primary, dict):
        containers = [Request(primary, f"{request.where}.PrimaryContainer")]
    for container in containers:
        yield from _container(container)


def _container(container: Request) -> Iterator[str]:
    if container.find("ModelPackageName") is not None:
        yield (
            f"{container.where}.ModelPackageName: models are not made from model packages on this machine; "
            "give the package's Image and ModelDataUrl"
        )
    elif constraints.is_missing(container, "Image"):
        yield f"{container.where}.Image: is missing"
    elif constraints.is_missing(container, "ModelDataUrl"):
        yield f"{container.where}.ModelDataUrl: is missing; on this machine a model is a model.tar.gz"
    for field in ("ModelDataSource", "AdditionalModelDataSources"):
        if container.find(field):
            yield f"{container.where}.{field}: is not available on this machine; use ModelDataUrl"
    if constraints.known(container, "Mode") == "MultiModel":
        yield f"{container.where}.Mode: multi-model containers do not run on this machine"
    else:
        yield from constraints.one_of(container, "Mode", ("SingleModel",))
    yield from constraints.at_most(container, "Environment", _MOST_VARIABLES)


def package_refusals(arguments: Mapping[str, JSON], _fields: Mapping[str, JSON], where: str) -> Iterator[str]:
    """Of a RegisterModel step, as far as its values are known."""
    request = Request(arguments, f"{where} Arguments")
    if request.find("ModelPackageName") is not None:
        yield (
            f"{request.where}.ModelPackageName: model packages without versions are not available on this "
            "machine; give a ModelPackageGroupName instead"
        )
    elif constraints.is_missing(request, "ModelPackageGroupName"):
        yield f"{request.where}: ModelPackageGroupName is missing"
    yield from constraints.name(request, "ModelPackageGroupName", _ARN_OR_NAME, longest=_LONGEST_ARN)
    yield from constraints.one_of(request, "ModelApprovalStatus", APPROVAL_STATUSES)
    yield from constraints.at_most(request, "CustomerMetadataProperties", _MOST_PROPERTIES)
    has_specification = not constraints.is_missing(request, "InferenceSpecification")
    if has_specification and constraints.is_missing(request, "InferenceSpecification.Containers"):
        yield f"{request.where}.InferenceSpecification: Containers is missing"


def endpoint_config_refusals(
    arguments: Mapping[str, JSON], _fields: Mapping[str, JSON], where: str
) -> Iterator[str]:
    """Of an EndpointConfig step, as far as its values are known."""
    request = Request(arguments, f"{where} Arguments")
    yield from constraints.name(request, "EndpointConfigName", _NAME, longest=_LONGEST_NAME)
    variants = constraints.known(request, "ProductionVariants")
    if constraints.is_missing(request, "ProductionVariants") or variants == []:
        yield f"{request.where}: ProductionVariants is missing"
    elif isinstance(variants, list) and len(variants) > 1:
        yield f"{request.where}.ProductionVariants: one runs on this machine, not {len(variants)}"
    for variant in constraints.objects(request, "ProductionVariants"):
        yield from _variant(variant)


def _variant(variant: Request) -> Iterator[str]:
    if constraints.is_missing(variant, "VariantName"):
        yield f"{variant.where}: VariantName is missing"
    if constraints.is_missing(variant, "ModelName"):
        yield f"{variant.where}: ModelName is missing; inference components do not run on this machine"
    kinds = ("InstanceType", "InstancePools", "ServerlessConfig")
    if all(constraints.is_missing(variant, kind) for kind in kinds):
        yield f"{variant.where}: one of {', '.join(kinds)} is needed"
    yield from constraints.name(variant, "VariantName", _NAME, longest=_LONGEST_NAME)
    yield from constraints.name(variant, "ModelName", _MODEL_NAME, longest=_LONGEST_NAME)
    yield from constraints.whole_number(variant, "InitialInstanceCount", 1)


def endpoint_refusals(
    arguments: Mapping[str, JSON], _fields: Mapping[str, JSON], where: str
) -> Iterator[str]:
    """Of an Endpoint step, as far as its values are known."""
    request = Request(arguments, f"{where} Arguments")
    if constraints.is_missing(request, "EndpointConfigName"):
        yield f"{request.where}: EndpointConfigName is missing"
    yield from constraints.name(request, "EndpointConfigName", _NAME, longest=_LONGEST_NAME)
    yield from constraints.name(request, "EndpointName", _NAME, longest=_LONGEST_NAME)
