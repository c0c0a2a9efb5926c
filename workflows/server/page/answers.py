"""An endpoint's answer to a picture, as the page draws it."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass

from workflows.definition.errors import WorkflowError
from workflows.definition.model import JSON
from workflows.local.predictions import class_names, detections, numbers, padded
from workflows.server.machine import Machine
from workflows.server.page.forms import Upload

_OK = 200
_MOST_BOXES, _MOST_LABELS = 100, 5
# A colour for each class, by its number.
_COLOURS = 6


@dataclass(frozen=True, kw_only=True)
class Box:
    """One thing that was found; places are percentages of the picture's sides."""

    name: str
    score: float
    left: float
    top: float
    width: float
    height: float
    colour: int


@dataclass(frozen=True, kw_only=True)
class Label:
    """One class of a whole picture."""

    name: str
    probability: float


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """What is shown beside a picture."""

    boxes: Sequence[Box] = ()  # the surest first
    labels: Sequence[Label] = ()  # the likeliest first
    below: int = 0  # how many boxes score less than the threshold
    is_detection: bool = True
    error: str = ""
    status: int = _OK  # that the model answered with


def predict(machine: Machine, endpoint: str, picture: Upload, *, threshold: float) -> Prediction:
    """Ask an endpoint about a picture. A refusal of the model's is part of the answer.

    Raises:
        UnknownEndpoint: there is none, or it is not in service.
        WorkflowError: its container does not answer, or not as a vision model does.
    """
    kind = picture.content_type or "application/x-image"
    answer = machine.hosts.invoke(endpoint, picture.content, {"Content-Type": kind})
    if answer.status != _OK:
        return Prediction(error=answer.body.decode(errors="replace"), status=answer.status)
    try:
        document: JSON = json.loads(answer.body)
    except ValueError:
        raise WorkflowError(f"endpoint {endpoint}: the answer is not JSON") from None
    names = class_names(machine.store, endpoint)
    if isinstance(document, list):
        return Prediction(labels=_labels(numbers(document), names), is_detection=False)
    rows = detections(document, where=f"endpoint {endpoint}")
    return _detected([row for row in rows if all(map(math.isfinite, row))], names, threshold)


def _labels(probabilities: Sequence[float], names: Sequence[str]) -> list[Label]:
    known = padded(names, len(probabilities))
    order = sorted(range(len(probabilities)), key=lambda number: -probabilities[number])
    return [Label(name=known[number], probability=probabilities[number]) for number in order[:_MOST_LABELS]]


def _detected(rows: Sequence[Sequence[float]], names: Sequence[str], threshold: float) -> Prediction:
    # A class below 0 is none: what the detector has suppressed.
    found = [row for row in rows if row[0] >= 0]
    known = padded(names, max((int(row[0]) + 1 for row in found), default=0))
    sure = sorted((row for row in found if row[1] >= threshold), key=lambda row: -row[1])
    return Prediction(
        boxes=[_box(row, known[int(row[0])]) for row in sure[:_MOST_BOXES]], below=len(found) - len(sure)
    )


def _box(row: Sequence[float], name: str) -> Box:
    left, top, right, bottom = (100 * min(1.0, max(0.0, side)) for side in row[2:])
    return Box(
        name=name,
        score=row[1],
        left=round(left, 2),
        top=round(top, 2),
        width=round(max(0.0, right - left), 2),
        height=round(max(0.0, bottom - top), 2),
        colour=int(row[0]) % _COLOURS,
    )
