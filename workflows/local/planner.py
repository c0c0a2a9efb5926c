"""Decides, before anything runs, whether and how a definition runs on this machine. Reads only."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from graphlib import TopologicalSorter

from workflows.definition.errors import RefusedByPlan, UnresolvedValue
from workflows.definition.model import JSON, Definition, Scalar, Step
from workflows.local.functions import function_name
from workflows.local.images import ImageTable
from workflows.local.resolver import Scope, resolve
from workflows.local.runners.base import no_stand_in

CONTROL_TYPES = ("Condition", "Fail")

# Step type -> where its container image stands.
_IMAGES: Mapping[str, tuple[str, ...]] = {
    "Processing": ("AppSpecification", "ImageUri"),
    "Training": ("AlgorithmSpecification", "TrainingImage"),
    "Model": ("PrimaryContainer", "Image"),
}

# Fields that this machine ignores, and what that means. Told after every run.
_IGNORED: Mapping[str, str] = {
    "InstanceType": "instance types mean nothing here: every job runs on this machine",
    "RoleArn": "roles are not assumed, permissions are not checked",
    "ExecutionRoleArn": "roles are not assumed, permissions are not checked",
    "VpcConfig": "VPC settings are ignored: jobs have this machine's network",
    "EnableNetworkIsolation": "network isolation is ignored: jobs have this machine's network",
    "VolumeKmsKeyId": "KMS keys are ignored: nothing is encrypted here",
    "KmsKeyId": "KMS keys are ignored: nothing is encrypted here",
    "EnableManagedSpotTraining": "spot training is not interrupted here",
    "VolumeSizeInGB": "volume sizes are not enforced",
}


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What would run, in an order that is possible, and what is different from SageMaker."""

    definition: Definition
    parameters: Mapping[str, Scalar]
    order: tuple[str, ...]
    differences: tuple[str, ...]


def plan(
    definition: Definition,
    parameters: Mapping[str, Scalar],
    *,
    images: ImageTable,
    functions: Collection[str],
    step_types: frozenset[str],
) -> Plan:
    """Check that every step can run here.

    Args:
        definition: what is to run.
        parameters: a value for each of its parameters.
        images: what stands in for container images.
        functions: the Lambda functions that have a handler here.
        step_types: the types that have a runner.

    Raises:
        RefusedByPlan: with every reason, each naming its step.
    """
    scope = _scope(definition, parameters)
    reasons: list[str] = []
    for step in definition.steps.values():
        reasons += _refusals(step, scope, images, step_types)
        reasons += _missing_handler(step, scope, functions)
    if reasons:
        raise RefusedByPlan(reasons)
    position = {name: index for index, name in enumerate(definition.steps)}
    order = sorted_steps(definition.needs, position.__getitem__)
    return Plan(
        definition=definition, parameters=parameters, order=tuple(order), differences=_differences(definition)
    )


def sorted_steps(needs: Mapping[str, frozenset[str]], key: Callable[[str], int]) -> list[str]:
    """An order in which every step comes after those it needs; ties in document order."""
    sorter = TopologicalSorter(needs)
    sorter.prepare()
    order: list[str] = []
    while sorter.is_active():
        ready = sorted(sorter.get_ready(), key=key)
        order += ready
        sorter.done(*ready)
    return order


def _scope(definition: Definition, parameters: Mapping[str, Scalar]) -> Scope:
    def nothing(uri: str) -> bytes:
        raise UnresolvedValue(f"{uri} does not exist yet")

    return Scope(
        definition=definition, parameters=parameters, variables={}, properties={}, read_object=nothing
    )


def _refusals(step: Step, scope: Scope, images: ImageTable, step_types: frozenset[str]) -> Iterator[str]:
    if step.type not in step_types and step.type not in CONTROL_TYPES:
        known = ", ".join(sorted(step_types))
        yield f"{step.where}: steps of type {step.type} do not run on this machine; it runs {known}"
        return
    image = _image(step, scope)
    if image is not None and images.find(image) is None:
        yield no_stand_in(image, step.where, images)
    for place, key, value in _fields(dict(step.arguments), step.where):
        refused = _refused_field(key, _known(value, scope))
        if refused:
            yield f"{place}: {refused}"


def _missing_handler(step: Step, scope: Scope, functions: Collection[str]) -> Iterator[str]:
    arn = _known(step.fields.get("FunctionArn"), scope) if step.type == "Lambda" else None
    if isinstance(arn, str) and function_name(arn) not in functions:
        yield (
            f"{step.where}: no handler stands in for function '{function_name(arn)}'; add it to [functions] "
            f"in workflows.toml (listed: {', '.join(sorted(functions))})"
        )


def _refused_field(key: str, value: JSON) -> str | None:
    if key in ("InstanceCount", "InitialInstanceCount") and isinstance(value, int) and value != 1:
        return f"jobs of {value} instances do not run on one machine; set it to 1 for a local run"
    if key in ("TrainingInputMode", "InputMode", "S3InputMode") and value == "Pipe":
        return "Pipe mode is not available on this machine; use File"
    if key == "S3DataType" and value != "S3Prefix" and isinstance(value, str):
        return f"{value} is not available on this machine; use S3Prefix"
    if key == "CompressionType" and value == "Gzip":
        return "Gzip inputs are not unpacked on this machine; store them unpacked"
    if key in ("DatasetDefinition", "FileSystemDataSource"):
        return f"{key} is not available on this machine; use S3"
    return None


def _image(step: Step, scope: Scope) -> str | None:
    value: JSON = dict(step.arguments)
    for key in _IMAGES.get(step.type, ()):
        value = value.get(key) if isinstance(value, dict) else None
    known = _known(value, scope)
    return known if isinstance(known, str) else None


def _known(value: JSON, scope: Scope) -> JSON:
    """The value where parameters alone decide it; None where an earlier step does."""
    try:
        return resolve(value, scope, where="plan")
    except UnresolvedValue:
        return None


def _fields(node: JSON, where: str) -> Iterator[tuple[str, str, JSON]]:
    if isinstance(node, list):
        for index, item in enumerate(node):
            yield from _fields(item, f"{where}[{index}]")
    elif isinstance(node, dict):
        for key, value in node.items():
            yield f"{where} {key}", key, value
            yield from _fields(value, where)


def _differences(definition: Definition) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for step in definition.steps.values():
        for _, key, value in _fields(dict(step.arguments), step.where):
            if key in _IGNORED and value not in (None, False):
                found[_IGNORED[key]] = None
        if step.cached:
            found["step caching is not applied: every step runs"] = None
        if step.retried:
            found["retry policies are not applied: a step that fails is not tried again"] = None
        if step.type == "Endpoint":
            found["an endpoint's container runs while `workflows serve` or `predict` needs it"] = None
    return tuple(found)
