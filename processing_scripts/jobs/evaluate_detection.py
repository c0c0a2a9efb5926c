"""Processing job: what a batch transform of the held-out pictures predicted, compared with the truth.

    python -m processing_scripts.jobs.evaluate_detection --overlap-threshold 0.5 --score-threshold 0.4

Inputs below /opt/ml/processing/input: predictions/ (`<relative path>.out` of the batch transform), images/
(the same relative paths), lists/validation.lst (the truth) and report/report.json of the preparation. With
approved_predictions/, what the approved model predicted for the same pictures, the two are compared.
Outputs below /opt/ml/processing/output:

    evaluation/evaluation.json    pictures/detections.png    pictures/precision_recall.png
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from processing_scripts import contract
from processing_scripts.arguments import JobParser, share
from processing_scripts.contract import JobError
from processing_scripts.jobs.evaluation import (
    TRUTH_LIST,
    check_truth,
    class_names,
    compare,
    describe_comparison,
    is_finite_number,
    metric,
    number_or_none,
    read_answer,
    read_picture,
    write_evaluation,
)
from processing_scripts.outputs import OutputTree
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
    save_png,
)
from processing_scripts.vision.lists import DetectionRow, read_detection_list
from processing_scripts.vision.metrics import DetectionScores, PrecisionRecall, evaluate_detections

PREDICTION_NUMBERS = ("class", "score", "xmin", "ymin", "xmax", "ymax")
METRIC = "mean_average_precision"
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
    approved_predictions: Path  # need not be there
    overlap_threshold: float
    score_threshold: float
    allowed_drop: float


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
    for name in ("predictions", "approved_predictions", "images", "lists", "report"):
        flag = f"--{name.replace('_', '-')}"
        parser.add_argument(flag, type=Path, default=contract.processing_path("input", name))
    parser.add_argument("--output", type=Path, default=contract.processing_path("output"))
    parser.add_argument("--overlap-threshold", type=share, default=0.5)
    parser.add_argument("--score-threshold", type=share, default=0.4, help="for precision, recall, pictures")
    parser.add_argument("--allowed-drop", type=share, default=0.0, help="against the approved model")
    settings = Settings(**vars(parser.parse_args(arguments)))
    if settings.overlap_threshold == 0:
        parser.error("--overlap-threshold is 0: every detection would match; use a number above 0")
    return settings


def evaluate(settings: Settings) -> None:
    """Do the whole job.

    Raises:
        JobError: an input is missing or malformed, or the job runs on several instances.
    """
    contract.refuse_several_instances("evaluate_detection")
    names = class_names(settings.report / "report.json")
    rows = _read_truth(settings.lists / TRUTH_LIST, len(names))
    predictions = _read_predictions(settings.predictions, rows, len(names))
    scores = _score(predictions, rows, len(names), settings)
    comparison = None
    if settings.approved_predictions.is_dir():
        approved = _read_predictions(settings.approved_predictions, rows, len(names))
        comparison = compare(
            METRIC,
            new=scores.mean_average_precision,
            approved=_score(approved, rows, len(names), settings).mean_average_precision,
            allowed_drop=settings.allowed_drop,
        )
    samples = [
        Sample(path=row.path, truths=_truths(row), detections=detections)
        for row, detections in zip(rows, predictions, strict=True)
    ]
    with OutputTree(settings.output) as outputs:
        save_png(_draw_detections(samples, names, settings), outputs.stage("pictures/detections.png"))
        save_png(_draw_curves(scores, names), outputs.stage("pictures/precision_recall.png"))
        evaluation = _evaluation(scores, names, len(samples), settings)
        write_evaluation(evaluation | ({"comparison": comparison} if comparison else {}), outputs)
    if comparison:
        tell(describe_comparison(comparison))
    tell(f"mean average precision {scores.mean_average_precision:.4f} over {len(samples)} pictures")


def _score(
    predictions: Sequence[Floats], rows: Sequence[DetectionRow], num_classes: int, settings: Settings
) -> DetectionScores:
    return evaluate_detections(
        predictions,
        [_truths(row) for row in rows],
        num_classes=num_classes,
        overlap_threshold=settings.overlap_threshold,
    )


def _truths(row: DetectionRow) -> Floats:
    """[M, 5], rows (class, xmin, ymin, xmax, ymax)."""
    return np.array(row.objects, dtype=np.float64).reshape(-1, 5)


def _read_truth(truth_list: Path, num_classes: int) -> list[DetectionRow]:
    rows = read_detection_list(truth_list)
    if not rows:
        raise JobError(f"{truth_list}: has no rows, so there is nothing to evaluate")
    for number, row in enumerate(rows, start=1):
        classes = [single[0] for single in row.objects]
        check_truth(row.path, classes, num_classes, where=f"{truth_list}: row {number}")
    if not any(row.objects for row in rows):
        raise JobError(f"{truth_list}: no row has an object, so there is nothing to find")
    return rows


def _read_predictions(folder: Path, rows: Sequence[DetectionRow], num_classes: int) -> list[Floats]:
    """Per picture [N, 6], rows as in the response of the built-in Object Detection."""
    paths = [folder / f"{row.path}.out" for row in rows]
    progress = with_progress(paths, phase=f"read {folder.name}", total=len(paths))
    return [_read_prediction(path, num_classes) for path in progress]


def _read_prediction(path: Path, num_classes: int) -> Floats:
    """[N, 6], rows as in the response of the built-in Object Detection."""
    response = read_answer(path)
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


def _fault_of(row: object, num_classes: int) -> str | None:
    if not isinstance(row, list) or len(row) != len(PREDICTION_NUMBERS):
        return f"is not a row of {len(PREDICTION_NUMBERS)} numbers ({', '.join(PREDICTION_NUMBERS)})"
    if not all(map(is_finite_number, row)):
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
            METRIC: metric(scores.mean_average_precision),
            # Without a detection there is no precision; 0 keeps the value comparable in a condition.
            "precision": metric(number_or_none(scores.precision_at(threshold)) or 0.0),
            "recall": metric(scores.recall_at(threshold)),
        },
        "classes": [
            _class_evaluation(name, curve, threshold)
            for name, curve in zip(names, scores.curves, strict=True)
        ],
        "images": images,
        "overlap_threshold": settings.overlap_threshold,
        "score_threshold": threshold,
    }


def _class_evaluation(name: str, curve: PrecisionRecall, threshold: float) -> Mapping[str, object]:
    detections, found = curve.counts_at(threshold)
    return {
        "name": name,
        "average_precision": number_or_none(curve.average_precision()),
        "precision": found / detections if detections else None,
        "recall": found / curve.truths if curve.truths else None,
        "truths": curve.truths,
        "detections": detections,
    }


def _draw_detections(samples: Sequence[Sample], names: Sequence[str], settings: Settings) -> Image.Image:
    wanted = min(len(samples), GRID_ROWS * GRID_COLUMNS)
    # Spread over the list, which is ordered by class.
    positions = [number * len(samples) // wanted for number in range(wanted)]
    thumbnails = [_thumbnail(samples[position], names, settings) for position in positions]
    starts = range(0, wanted, GRID_COLUMNS)
    rows = [GridRow(name="", note="", thumbnails=thumbnails[at : at + GRID_COLUMNS]) for at in starts]
    return draw_grid(rows, cell=GRID_CELL)


def _thumbnail(sample: Sample, names: Sequence[str], settings: Settings) -> Thumbnail:
    marks = [Mark(corners=row[1:], colour=TRUTH, width_px=1) for row in sample.truths.tolist()]
    # The best detection last, so that it lies on top.
    for number, score, *corners in sorted(sample.detections.tolist(), key=lambda row: row[1]):
        if number >= 0 and score >= settings.score_threshold:
            caption = f"{readable_name(names[int(number)])} {score:.2f}"
            marks.append(Mark(corners=corners, colour=class_colour(int(number)), caption=caption))
    return Thumbnail(pixels=read_picture(settings.images / sample.path), marks=marks)


def _draw_curves(scores: DetectionScores, names: Sequence[str]) -> Image.Image:
    curves = [
        Curve(
            name=f"{readable_name(name)}  {curve.average_precision():.2f}", x=curve.recall, y=curve.precision
        )
        for name, curve in zip(names, scores.curves, strict=True)
        if curve.truths
    ]
    return draw_unit_chart(curves[:MAX_CURVES], x_label="Recall", y_label="Precision")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the job; returns the exit code."""
    return contract.run_processing(lambda: evaluate(parse(arguments)))


if __name__ == "__main__":
    sys.exit(main())
