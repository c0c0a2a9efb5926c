"""What endpoints of vision models answer, and what they call their classes."""

import json
from collections.abc import Sequence

from workflows.definition.errors import WorkflowError
from workflows.definition.model import JSON
from workflows.local.deployments import container_of
from workflows.local.records import MODEL_PACKAGE
from workflows.local.store import Store

_COLUMNS = 6  # class, score, xmin, ymin, xmax, ymax


def class_names(store: Store, endpoint: str) -> list[str]:
    """The names of an endpoint's classes, from the data report of the version with the same artifact.

    Empty if no version in the registry has it: classes then go by their numbers.
    """
    artifact = container_of(store, endpoint).text("ModelDataUrl")
    for package in reversed(store.all(MODEL_PACKAGE)):
        properties = package.get("CustomerMetadataProperties")
        report = properties.get("DataReport") if isinstance(properties, dict) else None
        if report and artifact in json.dumps(package.get("InferenceSpecification")):
            names = json.loads(store.objects.read(str(report))).get("class_names", [])
            return [str(name) for name in names]
    return []


def padded(names: Sequence[str], count: int) -> list[str]:
    """A name for every class; those that the registry does not know go by their number."""
    return [*names, *(f"class {number}" for number in range(len(names), count))]


def detections(answer: JSON, *, where: str) -> list[list[float]]:
    """The rows of a detector's answer: class, score, xmin, ymin, xmax, ymax; sides as fractions.

    Raises:
        WorkflowError: it is none; `where` says which.
    """
    rows = answer.get("prediction") if isinstance(answer, dict) else None
    found = [numbers(row) for row in rows] if isinstance(rows, list) else [[]]
    if any(len(row) != _COLUMNS for row in found):
        raise WorkflowError(f"{where}: the endpoint answers neither with detections nor with probabilities")
    return found


def numbers(values: JSON) -> list[float]:
    """The numbers in a list, such as the probabilities of a classifier's answer."""
    return (
        [float(value) for value in values if isinstance(value, (int, float))]
        if isinstance(values, list)
        else []
    )
