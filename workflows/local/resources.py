"""The jobs, models and endpoints that an execution's steps made or took over."""

from workflows.definition.records import Record
from workflows.local.records import (
    ENDPOINT,
    ENDPOINT_CONFIG,
    HYPER_PARAMETER_TUNING_JOB,
    MODEL,
    MODEL_PACKAGE,
    PROCESSING_JOB,
    TRAINING_JOB,
    TRANSFORM_JOB,
)
from workflows.local.store import Store

# Key of a step's metadata -> kind of record.
KINDS = {
    "ProcessingJob": PROCESSING_JOB,
    "TrainingJob": TRAINING_JOB,
    "TransformJob": TRANSFORM_JOB,
    "TuningJob": HYPER_PARAMETER_TUNING_JOB,
    "Model": MODEL,
    "RegisterModel": MODEL_PACKAGE,
    "EndpointConfig": ENDPOINT_CONFIG,
    "Endpoint": ENDPOINT,
}


def made(store: Store, steps: list[Record], key: str) -> list[Record]:
    """The resources of one kind that an execution's steps made."""
    return [found for _, found in made_by_step(store, steps, key)]


def made_by_step(store: Store, steps: list[Record], key: str) -> list[tuple[str, Record]]:
    """The same, each with its step's name."""
    result = []
    for step in steps:
        name = resource_name(step, key)
        found = store.find(KINDS[key], name) if name else None
        result += [(str(step["StepName"]), found)] if found else []
    return result


def resource_name(step: Record, key: str) -> str | None:
    """The name of the resource of one kind in a step's metadata; versions are named GROUP/VERSION."""
    metadata = step["Metadata"]
    entry = metadata.get(key) if isinstance(metadata, dict) else None
    return str(entry["Arn"]).partition(f":{KINDS[key]}/")[2] if isinstance(entry, dict) else None
