import json
import math
import os
import shutil

import numpy as np
import pytest
from numpy.testing import assert_allclose
from PIL import Image

from processing_scripts.jobs.evaluate_detection import main
from tests.processing_scripts.job_testing import run_python, tree

NAMES = ["017.Cardinal", "073.Blue_Jay"]
# index, class, box in hundredths; two cardinals, two jays
TRUTHS = {
    "017.Cardinal/a.jpg": (0, 10, 10, 50, 50),
    "017.Cardinal/b.jpg": (0, 20, 20, 80, 80),
    "073.Blue_Jay/c.jpg": (1, 0, 0, 100, 100),
    "073.Blue_Jay/d.jpg": (1, 30, 30, 60, 90),
}
PREDICTIONS = {
    # found, and a false alarm with a lower score
    "017.Cardinal/a.jpg": [
        [0.0, 0.9, 0.1, 0.1, 0.5, 0.5],
        [0.0, 0.5, 0.6, 0.6, 0.9, 0.9],
        [-1, 0, 0, 0, 0, 0],
    ],
    "017.Cardinal/b.jpg": [],
    # both jays found, the second below the score threshold of 0.4
    "073.Blue_Jay/c.jpg": [[1.0, 0.8, 0.0, 0.0, 1.0, 0.9]],
    "073.Blue_Jay/d.jpg": [[1.0, 0.3, 0.3, 0.3, 0.6, 0.9]],
}


@pytest.fixture
def inputs(tmp_path):
    """/opt/ml/processing/input as the pipeline fills it, with the pictures and answers above."""
    folder = tmp_path / "opt-ml" / "processing" / "input"
    lines = []
    for index, (path, (number, *box)) in enumerate(TRUTHS.items()):
        numbers = [number, *(side / 100 for side in box)]
        lines.append("\t".join([str(index), "2", "5", *(f"{value:.4f}" for value in numbers), path]) + "\n")
        for kind, name in (("images", path), ("predictions", f"{path}.out")):
            (folder / kind / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (100, 100), (70, 110, 90)).save(folder / "images" / path)
        answer = json.dumps({"prediction": PREDICTIONS[path]})
        (folder / "predictions" / f"{path}.out").write_text(answer + "\n")
    for kind in ("lists", "report"):
        (folder / kind).mkdir()
    (folder / "lists" / "validation.lst").write_text("".join(lines))
    (folder / "report" / "report.json").write_text(json.dumps({"class_names": NAMES}))
    return folder


def evaluate(run_job, inputs, *arguments):
    assert run_job(main, *arguments) == (0, None)
    return json.loads((inputs.parent / "output" / "evaluation" / "evaluation.json").read_text())


def test_the_evaluation_is_the_one_worked_out_by_hand(inputs, run_job):
    evaluation = evaluate(run_job, inputs)
    # Cardinals: one of two found, first: levels 0 ... 0.5. Jays: both found, no false alarm.
    cardinals, jays = 6 / 11, 1.0
    metrics = evaluation["object_detection_metrics"]
    assert_allclose(metrics["mean_average_precision"].pop("value"), (cardinals + jays) / 2)
    # With a score of 0.4 or more: three detections, two of them right, four truths.
    assert_allclose(metrics["precision"].pop("value"), 2 / 3)
    assert_allclose(metrics["recall"].pop("value"), 2 / 4)
    assert metrics == {
        name: {"standard_deviation": "NaN"} for name in ("mean_average_precision", "precision", "recall")
    }
    assert_allclose(evaluation["classes"][0].pop("average_precision"), cardinals)
    assert evaluation == {
        "object_detection_metrics": metrics,
        "classes": [
            {"name": "017.Cardinal", "precision": 0.5, "recall": 0.5, "truths": 2, "detections": 2},
            {
                "name": "073.Blue_Jay",
                "average_precision": 1.0,
                "precision": 1.0,
                "recall": 0.5,
                "truths": 2,
                "detections": 1,
            },
        ],
        "images": 4,
        "overlap_threshold": 0.5,
        "score_threshold": 0.4,
    }


def test_thresholds_are_obeyed(inputs, run_job):
    strict = evaluate(run_job, inputs, "--overlap-threshold", 0.95, "--score-threshold", 0.3)
    # The first jay overlaps by 0.9 and becomes a false alarm before the second, which is exact: precision
    # 1/2 at a recall of 1/2.
    assert_allclose(strict["classes"][1]["average_precision"], 0.5 * 6 / 11)
    assert strict["classes"][1]["detections"] == 2


def test_detections_and_truth_are_drawn(inputs, run_job):
    evaluate(run_job, inputs)
    with Image.open(inputs.parent / "output" / "pictures" / "detections.png") as picture:
        pixels = np.asarray(picture.convert("RGB"))
    cells = [pixels[8:233, 8 + number * 308 :][:, :300] for number in range(4)]
    drawn = [
        [(cell == colour).all(axis=2).sum() > 200 for colour in ((213, 94, 0), (0, 114, 178))]
        for cell in cells
    ]
    # The last jay's score lies below the threshold.
    assert drawn == [[True, False], [False, False], [False, True], [False, False]]
    assert all((cell == 255).all(axis=2).sum() > 100 for cell in cells)


def test_the_curves_are_drawn(inputs, run_job):
    evaluate(run_job, inputs)
    with Image.open(inputs.parent / "output" / "pictures" / "precision_recall.png") as picture:
        pixels = np.asarray(picture.convert("RGB"))
    # Jays: precision 1 from a recall of 1/2 to 1, which is 220 pixels at the top edge of the plot.
    plot = pixels[20:30, 60:501].astype(int)
    like_jays = (np.abs(plot - (0, 114, 178)).sum(axis=2) < 60).any(axis=0)
    assert abs(like_jays.sum() - 220) < 15


def test_a_class_without_truth_counts_for_nothing(inputs, run_job):
    (inputs / "report" / "report.json").write_text(
        json.dumps({"class_names": [*NAMES, "080.Green_Kingfisher"]})
    )
    evaluation = evaluate(run_job, inputs)
    assert evaluation["classes"][2]["average_precision"] is None
    assert evaluation["classes"][2]["recall"] is None
    assert_allclose(
        evaluation["object_detection_metrics"]["mean_average_precision"]["value"], (6 / 11 + 1) / 2
    )


def test_no_detection_at_all_is_a_result_of_zero(inputs, run_job):
    for path in (inputs / "predictions").rglob("*.out"):
        path.write_text('{"prediction": []}')
    evaluation = evaluate(run_job, inputs)
    values = {name: metric["value"] for name, metric in evaluation["object_detection_metrics"].items()}
    assert values == {"mean_average_precision": 0.0, "precision": 0.0, "recall": 0.0}
    assert evaluation["classes"][0]["precision"] is None


def approve(inputs, answers):
    """Answers of the approved model for the same pictures."""
    for path in TRUTHS:
        out = inputs / "approved_predictions" / f"{path}.out"
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps({"prediction": answers.get(path, [])}))


ALL_FOUND = {path: [[float(row[0]), 0.9, *(side / 100 for side in row[1:])]] for path, row in TRUTHS.items()}
# The new model's mean average precision, worked out above.
NEW = (6 / 11 + 1) / 2


@pytest.mark.parametrize(
    ("answers", "approved", "allowed_drop", "not_worse"),
    [
        pytest.param({}, 0.0, 0, 1, id="better"),
        pytest.param(PREDICTIONS, NEW, 0, 1, id="equal"),
        pytest.param(ALL_FOUND, 1.0, 0, 0, id="worse"),
        pytest.param(ALL_FOUND, 1.0, 5 / 22, 1, id="just-the-allowed-drop"),
        pytest.param(ALL_FOUND, 1.0, 0.22, 0, id="a-little-more-than-allowed"),
    ],
)
def test_the_new_model_is_compared_with_the_approved_one(
    inputs, run_job, answers, approved, allowed_drop, not_worse
):
    approve(inputs, answers)
    comparison = evaluate(run_job, inputs, "--allowed-drop", allowed_drop)["comparison"]
    assert comparison == {
        "metric": "mean_average_precision",
        "new": pytest.approx(NEW),
        "approved": pytest.approx(approved),
        "difference": pytest.approx(NEW - approved),
        "allowed_drop": pytest.approx(allowed_drop),
        "not_worse": not_worse,
    }


def test_without_an_approved_model_there_is_no_comparison(inputs, run_job):
    assert "comparison" not in evaluate(run_job, inputs, "--allowed-drop", 0.1)


def test_a_faulty_answer_of_the_approved_model_is_named(inputs, run_job):
    approve(inputs, PREDICTIONS)
    (inputs / "approved_predictions" / "073.Blue_Jay" / "d.jpg.out").write_text("{}")
    code, message = run_job(main)
    assert code == 1
    assert "approved_predictions/073.Blue_Jay/d.jpg.out: not of the form" in message


def test_a_truth_without_any_object_is_refused(inputs, run_job):
    (inputs / "lists" / "validation.lst").write_text("0\t2\t5\t017.Cardinal/a.jpg\n")
    code, message = run_job(main)
    assert (code, "validation.lst: no row has an object" in message) == (1, True)


FIRST = "predictions/017.Cardinal/a.jpg.out"


def answer(row):
    return (FIRST, json.dumps({"prediction": [[0, 0.9, 0, 0, 1, 1], row]}))


@pytest.mark.parametrize(
    ("file", "content", "fault"),
    [
        pytest.param(
            FIRST, None, "a.jpg.out: not there; the batch transform made no prediction", id="no-prediction"
        ),
        pytest.param(FIRST, "Internal Server Error", "a.jpg.out: not one line of JSON", id="not-json"),
        pytest.param(
            FIRST, '{"prediction": []}\n{"prediction": []}', "a.jpg.out: not one line of JSON", id="two-lines"
        ),
        pytest.param(FIRST, "[]", "a.jpg.out: not of the form", id="list"),
        pytest.param(FIRST, '{"predictions": []}', "a.jpg.out: not of the form", id="other-key"),
        pytest.param(
            *answer([0, 0.9, 0, 0, 1]), "a.jpg.out: prediction 2 is not a row of 6 numbers", id="short-row"
        ),
        pytest.param(*answer(7), "a.jpg.out: prediction 2 is not a row of 6 numbers", id="number-for-row"),
        pytest.param(
            *answer([0, math.nan, 0, 0, 1, 1]),
            "a.jpg.out: not one line of JSON: NaN is not a number",
            id="nan",
        ),
        pytest.param(
            FIRST, '{"prediction": [[0, 0.9, 0, 0, 1e999, 1]]}', "other than finite numbers", id="infinite"
        ),
        pytest.param(
            *answer([0, "0.9", 0, 0, 1, 1]), "prediction 2 holds something other than finite", id="string"
        ),
        pytest.param(
            *answer([True, 0.9, 0, 0, 1, 1]), "prediction 2 holds something other than finite", id="boolean"
        ),
        pytest.param(
            *answer([2, 0.9, 0, 0, 1, 1]), "prediction 2 has class 2; the report has 2 classes", id="class"
        ),
        pytest.param(*answer([0.5, 0.9, 0, 0, 1, 1]), "prediction 2 has class 0.5", id="fractional-class"),
        pytest.param(*answer([0, 1.2, 0, 0, 1, 1]), "prediction 2 has score 1.2", id="score"),
        pytest.param(
            "images/017.Cardinal/a.jpg", None, "a.jpg: not there; give the job the pictures", id="no-picture"
        ),
        pytest.param(
            "images/017.Cardinal/a.jpg", "text", "a.jpg: is not a readable JPEG or PNG file", id="bad-picture"
        ),
        pytest.param("lists/validation.lst", None, "validation.lst: not there", id="no-list"),
        pytest.param("lists/validation.lst", "", "validation.lst: has no rows", id="empty-list"),
        pytest.param(
            "lists/validation.lst",
            "0\t2\t5\t9\t0\t0\t1\t1\ta.jpg\n",
            "row 1: class 9 is not one of",
            id="truth-class",
        ),
        pytest.param(
            "lists/validation.lst",
            "0\t2\t5\t../a.jpg\n",
            "row 1: '../a.jpg' leaves the folder",
            id="truth-path",
        ),
        pytest.param("report/report.json", None, "report.json: not there", id="no-report"),
        pytest.param("report/report.json", "{", "report.json: not JSON", id="damaged-report"),
        pytest.param(
            "report/report.json", '{"class_names": []}', "class_names is not a list of names", id="no-names"
        ),
    ],
)
def test_a_faulty_input_is_named_and_the_evaluation_before_stays(inputs, run_job, file, content, fault):
    evaluate(run_job, inputs)
    before = tree(inputs.parent / "output")
    if content is None:
        (inputs / file).unlink()
    else:
        (inputs / file).write_text(content)
    code, message = run_job(main)
    assert code == 1
    assert fault in message
    assert "\n" not in message
    assert tree(inputs.parent / "output") == before


def test_a_threshold_of_zero_is_refused(inputs, run_job):
    code, message = run_job(main, "--overlap-threshold", 0)
    assert (code, "--overlap-threshold is 0" in message) == (1, True)


def test_what_prepare_detection_wrote_can_be_evaluated(drawn_birds, tmp_path):
    """Both jobs as processes, with answers that repeat the truth."""
    environment = {"OPT_ML": str(tmp_path / "ml")}
    processing = tmp_path / "ml" / "processing"
    shutil.copytree(drawn_birds, processing / "input" / "data", copy_function=os.link)
    done = run_python("-m", "processing_scripts.jobs.prepare_detection", "--resize", 64, **environment)
    assert done.returncode == 0, done.stderr
    for name, source in (("images", "validation_images"), ("lists", "lists"), ("report", "report")):
        (processing / "output" / source).rename(processing / "input" / name)
    for line in (processing / "input" / "lists" / "validation.lst").read_text().splitlines():
        *_, number, xmin, ymin, xmax, ymax, path = line.split("\t")
        rows = [[float(number), 0.75, float(xmin), float(ymin), float(xmax), float(ymax)]]
        out = processing / "input" / "predictions" / f"{path}.out"
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps({"prediction": rows}))
    done = run_python("-m", "processing_scripts.jobs.evaluate_detection", **environment)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("mean average precision 1.0000 over 15 pictures\n")
