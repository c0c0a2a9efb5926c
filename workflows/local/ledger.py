"""The ledger of differences: every field of a definition that means less here than on SageMaker, by step."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from workflows.definition.model import JSON, Step
from workflows.local.tuning import differences as tuning

# Field, at any depth of a step's arguments -> what it means here.
_IGNORED: Mapping[str, str] = {
    "InstanceType": "instance types mean nothing here: every job runs on this machine",
    "RoleArn": "roles are not assumed, permissions are not checked",
    "ExecutionRoleArn": "roles are not assumed, permissions are not checked",
    "VpcConfig": "VPC settings are ignored: jobs have this machine's network",
    "EnableNetworkIsolation": "network isolation is ignored: jobs have this machine's network",
    "EnableInterContainerTrafficEncryption": "traffic between hosts does not leave this machine",
    "VolumeKmsKeyId": "KMS keys are ignored: nothing is encrypted here",
    "KmsKeyId": "KMS keys are ignored: nothing is encrypted here",
    "EnableManagedSpotTraining": "spot training is interrupted only when asked for with --inject",
    "VolumeSizeInGB": "volume sizes are not enforced",
    "InitialInstanceCount": "one container answers for the endpoint",
    "DebugHookConfig": "Debugger does not run here",
    "DebugRuleConfigurations": "Debugger does not run here",
    "ProfilerConfig": "Profiler does not run here",
    "ExperimentConfig": "experiments are not tracked",
    "Tags": "tags are kept, and nothing reads them",
}
_KEPT = "kept with the resource; nothing here reads it"
_UNUSED_ON_ENDPOINTS = "ignored: one container answers all requests"
# Step type -> the same for fields that only it has.
_IGNORED_BY_TYPE: Mapping[str, Mapping[str, str]] = {
    "Transform": {
        "InstanceCount": "one container does the work of all instances",
        "DataCaptureConfig": "requests and answers are not captured",
    },
    "Tuning": tuning.IGNORED,
    "Model": {
        "ImageConfig": "images are not pulled: a stand-in runs",
        "InferenceExecutionConfig": _KEPT,
        "MultiModelConfig": _KEPT,
    },
    "RegisterModel": {
        "ValidationSpecification": "no validation runs",
        "DriftCheckBaselines": _KEPT,
        "ModelCard": _KEPT,
        "SecurityConfig": _KEPT,
    },
    "EndpointConfig": {
        "DataCaptureConfig": "requests and answers are not captured",
        "AsyncInferenceConfig": _KEPT,
        "ShadowProductionVariants": _UNUSED_ON_ENDPOINTS,
        "ExplainerConfig": _UNUSED_ON_ENDPOINTS,
        "ServerlessConfig": _UNUSED_ON_ENDPOINTS,
        "ManagedInstanceScaling": _UNUSED_ON_ENDPOINTS,
        "RoutingConfig": _UNUSED_ON_ENDPOINTS,
    },
    "Endpoint": {"DeploymentConfig": "the new configuration takes over at once"},
}
# Step type -> field -> values with which nothing is different.
_NO_DIFFERENCE: Mapping[str, Mapping[str, tuple[JSON, ...]]] = {
    "Tuning": tuning.NO_DIFFERENCE,
    "Transform": {"InstanceCount": (1,)},
}
# Step type -> (field, what is different about every step of this type).
_BY_TYPE: Mapping[str, tuple[str, str]] = {
    "Endpoint": (
        "EndpointName",
        "an endpoint's container runs while `workflows serve` or `predict` needs it",
    ),
    "Lambda": ("FunctionArn", "a local handler runs in place of the deployed function"),
    "Callback": (
        "SqsQueueUrl",
        "the message waits here, in `workflows callbacks`; a stop does not wait for the answer",
    ),
}
# Their keys are names of users, not of SageMaker.
_MAPS_OF_USERS = ("HyperParameters", "StaticHyperParameters", "Environment", "CustomerMetadataProperties")


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One field that is ignored or approximated."""

    step: str
    field: str  # path in the step's arguments
    value: JSON
    effect: str

    def record(self) -> dict[str, JSON]:
        """As it stands in the execution's record."""
        return {"StepName": self.step, "Field": self.field, "Value": self.value, "Effect": self.effect}


def differences(steps: Iterable[Step]) -> Iterator[Difference]:
    """Everything that this machine does not do as SageMaker does, of steps as the plan knows them."""
    for step in steps:
        for field, key, value in fields(dict(step.arguments)):
            effect = _effect(step.type, key, value)
            if effect is not None:
                yield Difference(step=step.name, field=field, value=value, effect=effect)
        if step.type in _BY_TYPE:
            field, effect = _BY_TYPE[step.type]
            value = step.arguments.get(field, step.fields.get(field))
            yield Difference(step=step.name, field=field, value=value, effect=effect)


def _effect(step_type: str, key: str, value: JSON) -> str | None:
    """What a field means here, where that is less than on SageMaker."""
    if value in (None, False, [], {}) or value in _NO_DIFFERENCE.get(step_type, {}).get(key, ()):
        return None
    return _IGNORED_BY_TYPE.get(step_type, {}).get(key) or _IGNORED.get(key)


def fields(node: JSON, path: str = "") -> Iterator[tuple[str, str, JSON]]:
    """Every field of a request below a node: its path, its name, its value; not what users put into maps."""
    if isinstance(node, list):
        for index, item in enumerate(node):
            yield from fields(item, f"{path}[{index}]")
    elif isinstance(node, dict):
        for key, value in node.items():
            here = f"{path}.{key}" if path else key
            yield here, key, value
            if key not in _MAPS_OF_USERS:
                yield from fields(value, here)
