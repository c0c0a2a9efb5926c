"""The jobs, models and endpoints that an execution's steps made."""

from workflows.definition.model import JSON
from workflows.local.records import (
    ENDPOINT,
    MODEL_PACKAGE,
    PROCESSING_JOB,
    TRAINING_JOB,
    TRANSFORM_JOB,
    Record,
)
from workflows.local.store import Store

# Key of a step's metadata -> kind of record.
KINDS = {
    "ProcessingJob": PROCESSING_JOB,
    "TrainingJob": TRAINING_JOB,
    "TransformJob": TRANSFORM_JOB,
    "RegisterModel": MODEL_PACKAGE,
    "Endpoint": ENDPOINT,
}


def made(store: Store, steps: list[Record], key: str) -> list[Record]:
    """The resources of one kind that an execution's steps made."""
    return [found for _, found in made_by_step(store, steps, key)]


def made_by_step(store: Store, steps: list[Record], key: str) -> list[tuple[str, Record]]:
    """The same, each with its step's name."""
    result = []
    for step in steps:
        metadata = step["Metadata"]
        entry = metadata.get(key) if isinstance(metadata, dict) else None
        if isinstance(entry, dict):
            # Versions of model packages are named GROUP/VERSION.
            name = str(entry["Arn"]).partition(f":{KINDS[key]}/")[2]
            found = store.find(KINDS[key], name)
            result += [(str(step["StepName"]), found)] if found else []
    return result


def package_name(arn: str) -> str:
    """GROUP/VERSION in a model package's ARN."""
    return arn.rpartition(":model-package/")[2]


def objects_of(value: JSON) -> list[dict[str, JSON]]:
    """The objects in a list."""
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []
