"""Whether an endpoint's answer to a picture is one that the algorithm's format allows.

Sources: SageMaker Developer Guide, Object Detection Request and Response Formats; Use Image Classification.
"""

import math

from workflows.definition.errors import Failed
from workflows.definition.model import JSON

_COLUMNS = 6  # class, score, xmin, ymin, xmax, ymax
# Probabilities are float32 and printed.
_SUM_TOLERANCE = 1e-3


class SmokeTestFailed(Failed):
    """An endpoint answers, but not with what its model should."""


def check_answer(answer: JSON, *, classes: int | None) -> str:
    """Look at an answer; returns what it is, in words.

    Args:
        answer: of the endpoint, as JSON.
        classes: how many there are; None: unknown.

    Raises:
        SmokeTestFailed: with what is wrong.
    """
    if isinstance(answer, dict) and isinstance(answer.get("prediction"), list):
        return _check_detections(answer["prediction"], classes)
    if isinstance(answer, list):
        return _check_probabilities(answer, classes)
    raise SmokeTestFailed("the answer is neither {'prediction': [...]} nor a list of probabilities")


def _check_detections(rows: JSON, classes: int | None) -> str:
    best = 0.0
    for number, row in enumerate(rows if isinstance(rows, list) else []):
        values = _numbers(row, f"prediction[{number}]")
        if len(values) != _COLUMNS:
            raise SmokeTestFailed(f"prediction[{number}] has {len(values)} values, not {_COLUMNS}")
        kind, score, left, top, right, bottom = values
        if not kind.is_integer() or kind < 0 or (classes is not None and kind >= classes):
            of = "" if classes is None else f" of {classes}"
            raise SmokeTestFailed(f"prediction[{number}]: {kind:g} is no class{of}")
        if not 0 <= score <= 1:
            raise SmokeTestFailed(f"prediction[{number}]: its score {score:g} is not between 0 and 1")
        if left > right or top > bottom:
            raise SmokeTestFailed(f"prediction[{number}]: the box ends before it begins")
        best = max(best, score)
    count = len(rows) if isinstance(rows, list) else 0
    return f"{count} detections, the best with score {best:.3f}"


def _check_probabilities(answer: list[JSON], classes: int | None) -> str:
    values = _numbers(answer, "the answer")
    if not values or (classes is not None and len(values) != classes):
        raise SmokeTestFailed(f"the answer has {len(values)} probabilities for {classes} classes")
    if min(values) < 0 or max(values) > 1:
        raise SmokeTestFailed("a probability is not between 0 and 1")
    if abs(sum(values) - 1) > _SUM_TOLERANCE:
        raise SmokeTestFailed(f"the probabilities add up to {sum(values):g}, not 1")
    return f"class {values.index(max(values))} with probability {max(values):.3f}"


def _numbers(values: JSON, where: str) -> list[float]:
    if not isinstance(values, list):
        raise SmokeTestFailed(f"{where} is no list")
    for value in values:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            raise SmokeTestFailed(f"{where}: {value!r} is no finite number")
    return [float(value) for value in values if isinstance(value, (int, float))]
