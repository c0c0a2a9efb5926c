"""What the evaluation jobs share: their inputs, the comparison with an approved model, their outputs."""

import json
import math
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NoReturn

from processing_scripts.contract import JobError
from processing_scripts.outputs import OutputTree, is_safe_relative, read_json_object, write_json
from processing_scripts.vision.images import Pixels, decode_image

EVALUATION = "evaluation/evaluation.json"
OUTPUTS = "evaluation/outputs.json"
TRUTH_LIST = "validation.lst"
# A drop of just the allowed size must pass although 0.9 - 0.85 is a little more than 0.05 to a computer;
# one picture more or less moves a metric by far more than this.
ROUNDING = 1e-9


def class_names(report: Path) -> list[str]:
    """The names in the report of the preparation; a class's number is its position.

    Raises:
        JobError: the report has none.
    """
    names = read_json_object(report).get("class_names")
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise JobError(f"{report}: class_names is not a list of names; was it written by the preparation?")
    return names


def check_truth(path: str, classes: Iterable[float], num_classes: int, *, where: str) -> None:
    """Check that a row of the truth stays in the folder of pictures and names classes of the report.

    Raises:
        JobError: it does not; the message begins with `where`.
    """
    if not is_safe_relative(path):
        raise JobError(f"{where}: '{path}' leaves the folder of pictures")
    for number in classes:
        if number not in range(num_classes):
            raise JobError(f"{where}: class {number:g} is not one of the report's {num_classes} classes")


def read_answer(path: Path) -> object:
    """What a batch transform wrote for one picture: one line of JSON.

    Raises:
        JobError: the file is missing or holds something else.
    """
    try:
        return json.loads(path.read_bytes(), parse_constant=_refuse_constant)
    except FileNotFoundError:
        raise JobError(
            f"{path}: not there; the batch transform made no prediction for this picture"
        ) from None
    except ValueError as error:
        raise JobError(f"{path}: not one line of JSON: {error}") from None


def _refuse_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not a number")


def is_finite_number(value: object) -> bool:
    """Whether a value of JSON is a number; true is not one, and 1e999 becomes infinite."""
    # Compared with the largest number, because JSON's whole numbers have no bound and Python keeps them.
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


def metric(value: float) -> dict[str, object]:
    """The form that a model package's quality statistics want; one evaluation has no deviation."""
    return {"value": value, "standard_deviation": "NaN"}


def number_or_none(value: float) -> float | None:
    """JSON has no NaN."""
    return None if math.isnan(value) else value


def compare(name: str, *, new: float, approved: float, allowed_drop: float) -> Mapping[str, object]:
    """Whether the new model is as good as the approved one, up to a drop that is allowed."""
    difference = new - approved
    return {
        "metric": name,
        "new": new,
        "approved": approved,
        "difference": difference,
        "allowed_drop": allowed_drop,
        # A number, because a pipeline's condition compares numbers.
        "not_worse": int(difference >= -allowed_drop - ROUNDING),
    }


def describe_comparison(comparison: Mapping[str, object]) -> str:
    """The comparison as one line of a log."""
    verdict = "not worse" if comparison["not_worse"] else "worse"
    return (
        f"{comparison['metric']} {comparison['new']:.4f}, approved model {comparison['approved']:.4f}: "
        f"{verdict}, with an allowed drop of {comparison['allowed_drop']:g}"
    )


def read_picture(path: Path) -> Pixels:
    """One of the pictures that were predicted.

    Raises:
        JobError: it is missing or cannot be decoded.
    """
    try:
        return decode_image(path.read_bytes(), source=str(path))
    except FileNotFoundError:
        raise JobError(f"{path}: not there; give the job the pictures that were predicted") from None


def write_evaluation(evaluation: Mapping[str, object], outputs: OutputTree) -> None:
    """Write the report of an evaluation, and put all outputs in their places."""
    write_json(outputs.stage(EVALUATION), evaluation)
    outputs.commit(OUTPUTS)
