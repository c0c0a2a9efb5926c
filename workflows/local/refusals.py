"""What of a definition cannot run on this machine, known before anything starts; by step, with the remedy."""

from collections.abc import Callable, Iterator, Mapping

from workflows.definition.model import JSON, Step
from workflows.local import callbacks, functions, model_resources
from workflows.local.functions import Function, function_name
from workflows.local.images import ImageTable
from workflows.local.ledger import fields
from workflows.local.runners.base import no_stand_in
from workflows.local.transform.refusals import refusals as transform_refusals
from workflows.local.tuning.refusals import image_refusals
from workflows.local.tuning.refusals import refusals as tuning_refusals

CONTROL_TYPES = ("Condition", "Fail")

# Step type -> where its container image stands.
_IMAGES: Mapping[str, tuple[str, ...]] = {
    "Processing": ("AppSpecification", "ImageUri"),
    "Training": ("AlgorithmSpecification", "TrainingImage"),
    "Model": ("PrimaryContainer", "Image"),
}
# Step type -> what of its arguments and fields cannot be taken, each with its place.
_BY_TYPE: Mapping[str, Callable[[Mapping[str, JSON], Mapping[str, JSON], str], Iterator[str]]] = {
    "Transform": transform_refusals,
    "Model": model_resources.model_refusals,
    "RegisterModel": model_resources.package_refusals,
    "EndpointConfig": model_resources.endpoint_config_refusals,
    "Endpoint": model_resources.endpoint_refusals,
    "Lambda": functions.refusals,
    "Callback": callbacks.refusals,
}


def refusals(
    step: Step, *, images: ImageTable, handlers: Mapping[str, Function], step_types: frozenset[str]
) -> Iterator[str]:
    """Why a step cannot run here.

    Args:
        step: with every expression that parameters decide replaced by its value.
        images: what stands in for container images.
        handlers: the Lambda functions that have a handler here.
        step_types: the types that have a runner.
    """
    if step.type not in step_types and step.type not in CONTROL_TYPES:
        known = ", ".join(sorted(step_types))
        yield f"{step.where}: steps of type {step.type} do not run on this machine; it runs {known}"
        return
    yield from _image(step, images)
    yield from _handler(step, handlers)
    if step.type in _BY_TYPE:
        yield from _BY_TYPE[step.type](step.arguments, step.fields, step.where)
    if step.type == "Tuning":
        yield from _tuning(step, images)
    for path, key, value in fields(dict(step.arguments)):
        if reason := _field(step.type, key, value):
            yield f"{step.where} {path}: {reason}"


def _image(step: Step, images: ImageTable) -> Iterator[str]:
    image: JSON = dict(step.arguments)
    for key in _IMAGES.get(step.type, ("",)):
        image = image.get(key) if isinstance(image, dict) else None
    if not isinstance(image, str):
        return
    stand_in = images.find(image)
    if stand_in is None:
        yield no_stand_in(image, step.where, images)
    elif stand_in.max_instances is not None:
        for path, key, count in fields(dict(step.arguments)):
            if key == "InstanceCount" and isinstance(count, int) and count > stand_in.max_instances:
                yield (
                    f"{step.where} {path}: what stands in for '{stand_in.repository}' runs on at most "
                    f"{stand_in.max_instances} instances, not {count}; lower it for a local run"
                )


def _handler(step: Step, handlers: Mapping[str, Function]) -> Iterator[str]:
    arn = step.fields.get("FunctionArn")
    if step.type != "Lambda" or not isinstance(arn, str):
        return
    handler = handlers.get(function_name(arn))
    if handler is None:
        yield (
            f"{step.where}: no handler stands in for function '{function_name(arn)}'; add it to [functions] "
            f"in workflows.toml (listed: {', '.join(sorted(handlers))})"
        )
    elif handler.fault:
        yield f"{step.where}: function '{function_name(arn)}': {handler.fault}"


def _tuning(step: Step, images: ImageTable) -> Iterator[str]:
    where = f"{step.where} Arguments"
    wrong = list(tuning_refusals(step.arguments, where))
    yield from wrong
    if not wrong:
        yield from image_refusals(step.arguments, where, images)


def _field(step_type: str, key: str, value: JSON) -> str | None:
    if key in ("DatasetDefinition", "FileSystemDataSource") and value:
        return f"{key} is not available on this machine; use S3"
    if key in ("TrainingInputMode", "InputMode", "S3InputMode") and value == "Pipe":
        return "Pipe mode is not available on this machine; use File"
    if step_type == "Transform":  # which unpacks and reads manifests
        return None
    if key == "S3DataType" and isinstance(value, str) and value != "S3Prefix":
        return f"{value} is not available on this machine; use S3Prefix"
    if key == "CompressionType" and value == "Gzip" and step_type == "Training":
        return "Gzip inputs are not unpacked on this machine; store them unpacked"
    return None
