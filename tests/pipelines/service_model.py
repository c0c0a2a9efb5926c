"""Checks step arguments against the service model that botocore ships."""

import re
from collections.abc import Iterator
from typing import Any

import botocore.session
from botocore.model import ListShape, MapShape, Shape, StringShape, StructureShape
from botocore.validate import ParamValidator

# Step type -> operation, and the fields that Pipelines fills in itself.
OPERATIONS = {
    "Processing": ("CreateProcessingJob", {"ProcessingJobName": "generated"}),
    "Training": ("CreateTrainingJob", {"TrainingJobName": "generated"}),
    "Transform": ("CreateTransformJob", {"TransformJobName": "generated"}),
    "Model": ("CreateModel", {"ModelName": "generated"}),
    "RegisterModel": ("CreateModelPackage", {}),
    "EndpointConfig": ("CreateEndpointConfig", {}),
    "Endpoint": ("CreateEndpoint", {}),
}
_EXPRESSIONS = ("Get", "Std:Join", "Std:JsonGet")
_SAGEMAKER = botocore.session.Session().get_service_model("sagemaker")


def faults(step: dict[str, Any]) -> list[str]:
    """What CreateX would refuse in a step's arguments, expressions taken to be right."""
    operation, generated = OPERATIONS[step["Type"]]
    shape = _SAGEMAKER.operation_model(operation).input_shape
    request = _fill(step["Arguments"] | generated, shape)
    report = ParamValidator().validate(request, shape).generate_report()
    return [*filter(None, [report]), *_literal_faults(step["Arguments"], shape, step["Name"])]


def is_expression(value: Any) -> bool:
    return isinstance(value, dict) and len(value) == 1 and next(iter(value)) in _EXPRESSIONS


def _fill(value: Any, shape: Shape) -> Any:
    """Put a value of the right type where an expression stands."""
    if is_expression(value):
        return {"string": "resolved", "integer": 1, "float": 1.0}[shape.type_name]
    if isinstance(shape, StructureShape) and isinstance(value, dict):
        return {k: _fill(v, shape.members[k]) if k in shape.members else v for k, v in value.items()}
    if isinstance(shape, ListShape) and isinstance(value, list):
        return [_fill(entry, shape.member) for entry in value]
    if isinstance(shape, MapShape) and isinstance(value, dict):
        return {key: _fill(entry, shape.value) for key, entry in value.items()}
    return value


def _literal_faults(value: Any, shape: Shape, where: str) -> Iterator[str]:
    """Enumerations, lengths and patterns, which botocore itself leaves to the service."""
    if is_expression(value):
        return
    if isinstance(shape, StructureShape):
        for key, entry in value.items():
            if key in shape.members:
                yield from _literal_faults(entry, shape.members[key], f"{where}.{key}")
    elif isinstance(shape, ListShape):
        for index, entry in enumerate(value):
            yield from _literal_faults(entry, shape.member, f"{where}[{index}]")
    elif isinstance(shape, MapShape):
        for key, entry in value.items():
            yield from _literal_faults(entry, shape.value, f"{where}.{key}")
    elif isinstance(shape, StringShape) and isinstance(value, str):
        yield from _string_faults(value, shape, where)


def _string_faults(value: str, shape: StringShape, where: str) -> Iterator[str]:
    if shape.enum and value not in shape.enum:
        yield f"{where}: {value!r} is not one of {shape.enum}"
    if len(value) > shape.metadata.get("max", len(value)):
        yield f"{where}: longer than {shape.metadata['max']}"
    pattern = shape.metadata.get("pattern")
    # Classes such as \p{L} are Java's.
    if pattern and r"\p" not in pattern and not re.fullmatch(pattern, value):
        yield f"{where}: {value!r} does not match {pattern}"
