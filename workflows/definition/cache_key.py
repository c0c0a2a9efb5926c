"""What decides whether a cached step must run again.

Source: SageMaker Developer Guide, "Caching Pipeline Steps".
"""

from collections.abc import Mapping

from workflows.definition.model import JSON

# Step type -> the fields of its arguments that must be the same. All others may differ: outputs, instances,
# roles, limits.
KEY_FIELDS: Mapping[str, tuple[str, ...]] = {
    "Processing": ("AppSpecification", "Environment", "ProcessingInputs"),
    "Training": (
        "AlgorithmSpecification",
        "CheckpointConfig",
        "DebugHookConfig",
        "DebugRuleConfigurations",
        "Environment",
        "HyperParameters",
        "InputDataConfig",
    ),
    "Tuning": (
        "HyperParameterTuningJobConfig",
        "TrainingJobDefinition.AlgorithmSpecification",
        "TrainingJobDefinition.HyperParameterRanges",
        "TrainingJobDefinition.InputDataConfig",
        "TrainingJobDefinition.StaticHyperParameters",
        "TrainingJobDefinition.TuningObjective",
        "TrainingJobDefinitions",
    ),
    "Transform": ("DataProcessing", "Environment", "ModelName", "TransformInput"),
}


def key_of(step_type: str, arguments: Mapping[str, JSON]) -> dict[str, JSON]:
    """Field -> value of everything that decides whether a step must run again; absent fields are left out."""
    found = {field: _at(arguments, field) for field in KEY_FIELDS[step_type]}
    return {field: value for field, value in found.items() if value is not None}


def _at(arguments: Mapping[str, JSON], path: str) -> JSON:
    value: JSON = dict(arguments)
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value
