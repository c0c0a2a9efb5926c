"""Members that the service adds to what a job's request left out; clients read them as if they were there.

A mapping fills the object that is there, a list of one mapping each object of the list that is there.
"""

from collections.abc import Mapping

from workflows.definition.model import JSON
from workflows.definition.records import Record

_CHANNEL: JSON = {
    "CompressionType": "None",
    "RecordWrapperType": "None",
    "DataSource": {"S3DataSource": {"S3DataDistributionType": "FullyReplicated"}},
}
_INPUT: JSON = {
    "AppManaged": False,
    "S3Input": {"S3DataDistributionType": "FullyReplicated", "S3CompressionType": "None"},
}
TRAINING: Record = {
    "InputDataConfig": [_CHANNEL],
    "OutputDataConfig": {"KmsKeyId": "", "CompressionType": "GZIP"},
    "EnableNetworkIsolation": False,
    "EnableInterContainerTrafficEncryption": False,
    "EnableManagedSpotTraining": False,
}
PROCESSING: Record = {
    "ProcessingInputs": [_INPUT],
    "ProcessingOutputConfig": {"Outputs": [{"AppManaged": False}]},
}
TRANSFORM: Record = {
    "TransformInput": {"CompressionType": "None", "SplitType": "None"},
    "TransformOutput": {"AssembleWith": "None", "KmsKeyId": ""},
}
TUNING: Record = {
    "HyperParameterTuningJobConfig": {"TrainingJobEarlyStoppingType": "Off"},
    "TrainingJobDefinition": dict(TRAINING),
    "TrainingJobDefinitions": [dict(TRAINING)],
}
_TIME_LIMIT: JSON = {"MaxRuntimeInSeconds": 86400}


def with_defaults(record: Record, defaults: Mapping[str, JSON]) -> Record:
    """A job's record, with what its request left out."""
    filled = _filled(record, dict(defaults))
    # This one is there even where the request has no such object; jobs without it do not show it.
    return {"StoppingCondition": _TIME_LIMIT, **(filled if isinstance(filled, dict) else {})}


def _filled(value: JSON, default: JSON) -> JSON:
    if isinstance(value, dict) and isinstance(default, dict):
        absent = {key: item for key, item in default.items() if key not in value}
        added = {key: item for key, item in absent.items() if not isinstance(item, (dict, list))}
        inside = {key: _filled(value[key], item) for key, item in default.items() if key in value}
        return {**added, **value, **inside}
    if isinstance(value, list) and isinstance(default, list):
        return [_filled(item, default[0]) for item in value]
    return value
