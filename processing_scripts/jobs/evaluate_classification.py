"""Processing job: what a batch transform of the held-out pictures predicted, compared with the truth.

    python -m processing_scripts.jobs.evaluate_classification --top-k 5

Inputs below /opt/ml/processing/input: predictions/ (`<relative path>.out` of the batch transform), images/
(the same relative paths), lists/validation.lst (the truth) and report/report.json of the preparation. With
approved_predictions/, what the approved model predicted for the same pictures, the two are compared.
Outputs below /opt/ml/processing/output:

    evaluation/evaluation.json    pictures/confusion_matrix.png    pictures/examples.png
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from processing_scripts import contract
from processing_scripts.arguments import JobParser, positive, share
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
from processing_scripts.outputs import OutputTree, read_json_object
from processing_scripts.progress import tell, with_progress
from processing_scripts.vision.boxes import Floats
from processing_scripts.vision.classification import ClassificationScores, Counts, evaluate_classification
from processing_scripts.vision.confusion import draw_confusion
from processing_scripts.vision.drawing import (
    TEXT,
    GridRow,
    Line,
    Thumbnail,
    draw_grid,
    readable_name,
    save_png,
)
from processing_scripts.vision.lists import ClassificationRow, read_classification_list

METRIC = "accuracy"
# Probabilities are float32 and may be written with few decimals.
SUM_TOLERANCE = 1e-3
GRID_COLUMNS, GRID_CELL = 5, (190, 190)
MISTAKE_ROWS, HIT_ROWS = 3, 2
RIGHT, WRONG = (0, 120, 90), (190, 70, 0)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The job's arguments."""

    predictions: Path
    approved_predictions: Path  # need not be there
    images: Path
    lists: Path
    report: Path
    output: Path
    top_k: int
    allowed_drop: float


@dataclass(frozen=True, kw_only=True)
class HeldOut:
    """The held-out pictures and what the model thinks of them."""

    paths: list[str]  # N, below images/
    labels: Counts  # [N]
    probabilities: Floats  # [N, C]
    names: list[str]  # C, for people


def parse(arguments: Sequence[str] | None) -> Settings:
    """Read the command line.

    Raises:
        JobError: an argument is wrong.
    """
    parser = JobParser(prog="evaluate_classification", description=__doc__, allow_abbrev=False)
    for name in ("predictions", "approved_predictions", "images", "lists", "report"):
        flag = f"--{name.replace('_', '-')}"
        parser.add_argument(flag, type=Path, default=contract.processing_path("input", name))
    parser.add_argument("--output", type=Path, default=contract.processing_path("output"))
    parser.add_argument("--top-k", type=positive, default=5, help="at most the number of classes is used")
    parser.add_argument("--allowed-drop", type=share, default=0.0, help="against the approved model")
    return Settings(**vars(parser.parse_args(arguments)))


def evaluate(settings: Settings) -> None:
    """Do the whole job.

    Raises:
        JobError: an input is missing or malformed, or the job runs on several instances.
    """
    contract.refuse_several_instances("evaluate_classification")
    names = class_names(settings.report / "report.json")
    _refuse_several_classes(settings.report / "report.json")
    rows = _read_truth(settings.lists / TRUTH_LIST, len(names))
    held_out = HeldOut(
        paths=[row.path for row in rows],
        labels=np.array([row.label for row in rows], dtype=np.int64),
        probabilities=_read_predictions(settings.predictions, rows, len(names)),
        names=[readable_name(name) for name in names],
    )
    top_k = min(settings.top_k, len(names))
    scores = evaluate_classification(held_out.probabilities, held_out.labels, top_k=top_k)
    comparison = _compare(scores, rows, held_out.labels, settings)
    with OutputTree(settings.output) as outputs:
        confusion = draw_confusion(scores.confusion, held_out.names)
        save_png(confusion, outputs.stage("pictures/confusion_matrix.png"))
        save_png(_draw_examples(held_out, settings.images), outputs.stage("pictures/examples.png"))
        evaluation = _evaluation(scores, names)
        write_evaluation(evaluation | ({"comparison": comparison} if comparison else {}), outputs)
    if comparison:
        tell(describe_comparison(comparison))
    tell(f"accuracy {scores.accuracy:.4f} over {scores.images} pictures")


def _refuse_several_classes(report: Path) -> None:
    """Accuracy and confusion ask for the one class of a picture."""
    if read_json_object(report).get("multi_label"):
        raise JobError(
            f"{report}: its pictures have several classes each (multi_label), which this evaluation cannot "
            "score; prepare them with --labels one"
        )


def _compare(
    scores: ClassificationScores, rows: Sequence[ClassificationRow], labels: Counts, settings: Settings
) -> Mapping[str, object] | None:
    """The comparison with the approved model, if there is one."""
    if not settings.approved_predictions.is_dir():
        return None
    approved = evaluate_classification(
        _read_predictions(settings.approved_predictions, rows, len(scores.confusion)), labels, top_k=1
    )
    return compare(
        METRIC, new=scores.accuracy, approved=approved.accuracy, allowed_drop=settings.allowed_drop
    )


def _read_truth(truth_list: Path, num_classes: int) -> list[ClassificationRow]:
    rows = read_classification_list(truth_list)
    if not rows:
        raise JobError(f"{truth_list}: has no rows, so there is nothing to evaluate")
    for number, row in enumerate(rows, start=1):
        check_truth(row.path, [row.label], num_classes, where=f"{truth_list}: row {number}")
    return rows


def _read_predictions(folder: Path, rows: Sequence[ClassificationRow], num_classes: int) -> Floats:
    """[N, C], the probabilities as the built-in Image Classification answers."""
    paths = [folder / f"{row.path}.out" for row in rows]
    progress = with_progress(paths, phase=f"read {folder.name}", total=len(paths))
    return np.array([_read_prediction(path, num_classes) for path in progress], dtype=np.float64)


def _read_prediction(path: Path, num_classes: int) -> list[float]:
    answer = read_answer(path)
    numbers = answer.get("prediction") if isinstance(answer, dict) else None
    if not isinstance(numbers, list):
        raise JobError(f'{path}: not of the form {{"prediction": [p0, p1, ...]}}')
    if len(numbers) != num_classes:
        raise JobError(
            f"{path}: has {len(numbers)} probabilities, the report has {num_classes} classes; "
            "was the model trained on another preparation?"
        )
    for position, number in enumerate(numbers):
        if not is_finite_number(number) or number < 0:
            raise JobError(f"{path}: the probability of class {position} is {number!r}, not a number from 0")
    if abs(sum(numbers) - 1) > SUM_TOLERANCE:
        raise JobError(f"{path}: the probabilities sum to {sum(numbers):g}, not to 1")
    return numbers


def _evaluation(scores: ClassificationScores, names: Sequence[str]) -> dict[str, object]:
    """The report; its metrics have the form that a model package's quality statistics want."""
    confusion = {
        str(truth): {str(predicted): count for predicted, count in enumerate(row)}
        for truth, row in enumerate(scores.confusion.tolist())
    }
    figures = zip(
        names,
        scores.precision.tolist(),
        scores.recall.tolist(),
        scores.f1.tolist(),
        scores.truths.tolist(),
        scores.predictions.tolist(),
        strict=True,
    )
    return {
        "multiclass_classification_metrics": {
            METRIC: metric(scores.accuracy),
            "top_k_accuracy": metric(scores.top_k_accuracy),
            "weighted_precision": metric(scores.weighted(scores.precision)),
            "weighted_recall": metric(scores.weighted(scores.recall)),
            "weighted_f1": metric(scores.weighted(scores.f1)),
            "confusion_matrix": confusion,  # true class, then predicted class
        },
        "classes": [
            {
                "name": name,
                "precision": number_or_none(precision),
                "recall": number_or_none(recall),
                "f1": number_or_none(f1),
                "truths": truths,
                "predictions": predictions,
            }
            for name, precision, recall, f1, truths, predictions in figures
        ],
        "images": scores.images,
        "top_k": scores.top_k,
    }


def _draw_examples(held_out: HeldOut, images: Path) -> Image.Image:
    """The mistakes that the model is surest of, and some hits."""
    predicted = held_out.probabilities.argmax(axis=1)
    confidence = held_out.probabilities.max(axis=1)
    wrong = np.flatnonzero(predicted != held_out.labels)
    right = np.flatnonzero(predicted == held_out.labels)
    surest = wrong[np.argsort(-confidence[wrong], kind="stable")]
    # Spread over the list, which is ordered by class.
    wanted = min(len(right), HIT_ROWS * GRID_COLUMNS)
    spread = right[[number * len(right) // wanted for number in range(wanted)]]
    groups = [
        ("Mistakes", f"{len(wrong)}, the surest first", surest[: MISTAKE_ROWS * GRID_COLUMNS]),
        ("Hits", f"{len(right)}, some of them", spread),
    ]
    rows = []
    for name, note, positions in groups:
        for start in range(0, len(positions), GRID_COLUMNS):
            thumbnails = [
                _thumbnail(held_out, int(at), images) for at in positions[start : start + GRID_COLUMNS]
            ]
            first = start == 0
            rows.append(
                GridRow(name=name if first else "", note=note if first else "", thumbnails=thumbnails)
            )
    return draw_grid(rows, cell=GRID_CELL)


def _thumbnail(held_out: HeldOut, position: int, images: Path) -> Thumbnail:
    probabilities, label = held_out.probabilities[position], int(held_out.labels[position])
    predicted = int(probabilities.argmax())
    colour = RIGHT if predicted == label else WRONG
    lines = [Line(text=f"{probabilities[predicted]:.2f} {held_out.names[predicted]}", colour=colour)]
    if predicted != label:
        lines.append(Line(text=f"{probabilities[label]:.2f} {held_out.names[label]} (truth)", colour=TEXT))
    return Thumbnail(pixels=read_picture(images / held_out.paths[position]), lines=lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the job; returns the exit code."""
    return contract.run_processing(lambda: evaluate(parse(arguments)))


if __name__ == "__main__":
    sys.exit(main())
