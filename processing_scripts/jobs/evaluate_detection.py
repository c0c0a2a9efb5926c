"""Processing job: what a batch transform of the held-out pictures predicted, compared with the truth.

    python -m processing_scripts.jobs.evaluate_detection --overlap-threshold 0.5 --score-threshold 0.4

Inputs below /opt/ml/processing/input: predictions/ (`<relative path>.out` of the batch transform), images/
(the same relative paths), lists/validation.lst (the truth) and report/report.json of the preparation.
Outputs below /opt/ml/processing/output:

    evaluation/evaluation.json    pictures/detections.png    pictures/precision_recall.png
"""

import json
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import numpy as np
from PIL import Image

from processing_scripts import contract
from processing_scripts.contract import JobError
from processing_scripts.jobs.arguments import JobParser, share
from processing_scripts.outputs import OutputTree, is_safe_relative, read_json_object
from processing_scripts.progress import tell, with_progress
from processing_scripts.vision.boxes import Floats
from processing_scripts.vision.charts import Curve, draw_unit_chart
from processing_scripts.vision.drawing import (
    TRUTH,
    GridRow,
    Mark,
    Thumbnail,
    class_colour,
    draw_grid,
    readable_name,
)
from processing_scripts.vision.images import decode_image
from processing_scripts.vision.lists import DetectionRow, read_detection_list
from processing_scripts.vision.metrics import DetectionScores, PrecisionRecall, evaluate_detections

EVALUATION = "evaluation/evaluation.json"
TRUTH_LIST = "validation.lst"
PREDICTION_NUMBERS = ("class", "score", "xmin", "ymin", "xmax", "ymax")
GRID_ROWS, GRID_COLUMNS, GRID_CELL = 5, 4, (300, 225)
MAX_CURVES = 15


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The job's arguments."""

    predictions: Path
    images: Path
    lists: Path
    report: Path
    output: Path
    overlap_threshold: float
    score_threshold: float


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One held-out picture."""

    path: str  # below images/ and, with .out, below predictions/
    truths: Floats  # [M, 5], rows (class, xmin, ymin, xmax, ymax)
    detections: Floats  # [N, 6], rows (class, score, xmin, ymin, xmax, ymax)


def parse(arguments: Sequence[str] | None) -> Settings:
    """Read the command line.

    Raises:
        JobError: an argument is wrong.
    """
    parser = JobParser(prog="evaluate_detection", description=__doc__, allow_abbrev=False)
    for name in ("predictions", "images", "lists", "report"):
        parser.add_argument(f"--{name}", type=Path, default=contract.processing_path("input", name))
    parser.add_argument("--output", type=Path, default=contract.processing_path("output"))
    parser.add_argument("--overlap-threshold", type=share, default=0.5)
    parser.add_argument("--score-threshold", type=share, default=0.4, help="for precision, recall, pictures")
    settings = Settings(**vars(parser.parse_args(arguments)))
    if settings.overlap_threshold == 0:
        parser.error("--overlap-threshold is 0: every detection would match; use a number above 0")
    return settings


def evaluate(settings: Settings) -> None:
    """Do the whole job.

    Raises:
        JobError: an input is missing or malformed.
    """
    names = _class_names(settings.report / "report.json")
    samples = _read_samples(settings, num_classes=len(names))
    scores = evaluate_detections(
        [sample.detections for sample in samples],
        [sample.truths for sample in samples],
        num_classes=len(names),
        overlap_threshold=settings.overlap_threshold,
    )
    with OutputTree(settings.output) as outputs:
        _save(_draw_detections(samples, names, settings), outputs.stage("pictures/detections.png"))
        _save(_draw_curves(scores, names), outputs.stage("pictures/precision_recall.png"))
        outputs.commit(EVALUATION, _evaluation(scores, names, len(samples), settings))
    tell(f"mean average precision {scores.mean_average_precision:.4f} over {len(samples)} pictures")


def _class_names(report: Path) -> list[str]:
    names = read_json_object(report).get("class_names")
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise JobError(f"{report}: class_names is not a list of names; was it written by prepare_detection?")
    return names


def _read_samples(settings: Settings, *, num_classes: int) -> list[Sample]:
    truth_list = settings.lists / TRUTH_LIST
    rows = read_detection_list(truth_list)
    if not rows:
        raise JobError(f"{truth_list}: has no rows, so there is nothing to evaluate")
    for number, row in enumerate(rows, start=1):
        _check_truth(row, f"{truth_list}: row {number}", num_classes)
    return [
        Sample(
            path=row.path,
            truths=np.array(row.objects, dtype=np.float64).reshape(-1, 5),
            detections=_read_prediction(settings.predictions / f"{row.path}.out", num_classes),
        )
        for row in with_progress(rows, phase="read predictions", total=len(rows))
    ]


def _check_truth(row: DetectionRow, where: str, num_classes: int) -> None:
    if not is_safe_relative(row.path):
        raise JobError(f"{where}: '{row.path}' leaves the folder of pictures")
    for number in (single[0] for single in row.objects):
        if number not in range(num_classes):
            raise JobError(f"{where}: class {number:g} is not one of the report's {num_classes} classes")


def _read_prediction(path: Path, num_classes: int) -> Floats:
    """[N, 6], rows as in the response of the built-in Object Detection."""
    try:
        response = json.loads(path.read_bytes(), parse_constant=_refuse_constant)
    except FileNotFoundError:
        raise JobError(
            f"{path}: not there; the batch transform made no prediction for this picture"
        ) from None
    except ValueError as error:
        raise JobError(f"{path}: not one line of JSON: {error}") from None
    rows = response.get("prediction") if isinstance(response, dict) else None
    if not isinstance(rows, list):
        raise JobError(
            f'{path}: not of the form {{"prediction": [[class, score, xmin, ymin, xmax, ymax], ...]}}'
        )
    for number, row in enumerate(rows, start=1):
        fault = _fault_of(row, num_classes)
        if fault:
            raise JobError(f"{path}: prediction {number} {fault}")
    return np.array(rows, dtype=np.float64).reshape(-1, len(PREDICTION_NUMBERS))


def _refuse_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not a number")


def _fault_of(row: object, num_classes: int) -> str | None:
    if not isinstance(row, list) or len(row) != len(PREDICTION_NUMBERS):
        return f"is not a row of {len(PREDICTION_NUMBERS)} numbers ({', '.join(PREDICTION_NUMBERS)})"
    # JSON's true is a number to Python; 1e999 becomes infinite.
    if not all(type(value) in (int, float) and math.isfinite(value) for value in row):
        return f"holds something other than finite numbers: {row}"
    if row[0] >= 0 and row[0] not in range(num_classes):
        return f"has class {row[0]:g}; the report has {num_classes} classes"
    if not 0 <= row[1] <= 1:
        return f"has score {row[1]:g}, not one between 0 and 1"
    return None


def _evaluation(
    scores: DetectionScores, names: Sequence[str], images: int, settings: Settings
) -> dict[str, object]:
    """The report; its metrics have the form that a model package's quality statistics want."""
    threshold = settings.score_threshold
    return {
        "object_detection_metrics": {
            "mean_average_precision": _metric(scores.mean_average_precision),
            # Without a detection there is no precision; 0 keeps the value comparable in a condition.
            "precision": _metric(_number(scores.precision_at(threshold)) or 0.0),
            "recall": _metric(scores.recall_at(threshold)),
        },
        "classes": [
            _class_evaluation(name, curve, threshold)
            for name, curve in zip(names, scores.curves, strict=True)
        ],
        "images": images,
        "overlap_threshold": settings.overlap_threshold,
        "score_threshold": threshold,
    }


def _metric(value: float) -> dict[str, object]:
    return {"value": value, "standard_deviation": "NaN"}


def _class_evaluation(name: str, curve: PrecisionRecall, threshold: float) -> Mapping[str, object]:
    detections, found = curve.counts_at(threshold)
    return {
        "name": name,
        "average_precision": _number(curve.average_precision()),
        "precision": found / detections if detections else None,
        "recall": found / curve.truths if curve.truths else None,
        "truths": curve.truths,
        "detections": detections,
    }


def _number(value: float) -> float | None:
    """JSON has no NaN."""
    return None if math.isnan(value) else value


def _draw_detections(samples: Sequence[Sample], names: Sequence[str], settings: Settings) -> Image.Image:
    wanted = min(len(samples), GRID_ROWS * GRID_COLUMNS)
    # Spread over the list, which is ordered by class.
    positions = [number * len(samples) // wanted for number in range(wanted)]
    thumbnails = [_thumbnail(samples[position], names, settings) for position in positions]
    starts = range(0, wanted, GRID_COLUMNS)
    rows = [GridRow(name="", note="", thumbnails=thumbnails[at : at + GRID_COLUMNS]) for at in starts]
    return draw_grid(rows, cell=GRID_CELL)


def _thumbnail(sample: Sample, names: Sequence[str], settings: Settings) -> Thumbnail:
    path = settings.images / sample.path
    try:
        pixels = decode_image(path.read_bytes(), source=str(path))
    except FileNotFoundError:
        raise JobError(f"{path}: not there; give the job the pictures that were predicted") from None
    marks = [Mark(corners=row[1:], colour=TRUTH, width_px=1) for row in sample.truths.tolist()]
    # The best detection last, so that it lies on top.
    for number, score, *corners in sorted(sample.detections.tolist(), key=lambda row: row[1]):
        if number >= 0 and score >= settings.score_threshold:
            caption = f"{readable_name(names[int(number)])} {score:.2f}"
            marks.append(Mark(corners=corners, colour=class_colour(int(number)), caption=caption))
    return Thumbnail(pixels=pixels, marks=marks)


def _draw_curves(scores: DetectionScores, names: Sequence[str]) -> Image.Image:
    curves = [
        Curve(
            name=f"{readable_name(name)}  {curve.average_precision():.2f}", x=curve.recall, y=curve.precision
        )
        for name, curve in zip(names, scores.curves, strict=True)
        if curve.truths
    ]
    return draw_unit_chart(curves[:MAX_CURVES], x_label="Recall", y_label="Precision")


def _save(picture: Image.Image, path: Path) -> None:
    with contract.published(path) as file:
        picture.save(file, format="PNG")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the job; returns the exit code."""
    return contract.run_processing(lambda: evaluate(parse(arguments)))


if __name__ == "__main__":
    sys.exit(main())
