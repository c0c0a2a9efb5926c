import json
import math
import os
import shutil

import numpy as np
import pytest
from numpy.testing import assert_allclose
from PIL import Image

from processing_scripts.jobs.evaluate_classification import main
from tests.processing_scripts.job_testing import run_python, tree

NAMES = ["cactus", "dog", "hot-air-balloon"]
# Path: class, probabilities. Cacti: two of three found. Dogs: one of two. Balloons: none there.
ANSWERS = {
    "025.cactus/a.jpg": (0, [0.8, 0.15, 0.05]),
    "025.cactus/b.jpg": (0, [0.6, 0.1, 0.3]),
    "025.cactus/c.jpg": (0, [0.1, 0.7, 0.2]),
    "056.dog/d.jpg": (1, [0.2, 0.5, 0.3]),
    "056.dog/e.jpg": (1, [0.04, 0.01, 0.95]),
}


def write_answers(folder, answers):
    for path, probabilities in answers.items():
        out = folder / f"{path}.out"
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps({"prediction": probabilities}) + "\n")


@pytest.fixture
def inputs(tmp_path):
    """/opt/ml/processing/input as the pipeline fills it, with the answers above."""
    folder = tmp_path / "opt-ml" / "processing" / "input"
    lines = []
    for index, (path, (label, _)) in enumerate(ANSWERS.items()):
        lines.append(f"{index}\t{label}\t{path}\n")
        (folder / "images" / path).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (60, 40), (70, 110, 90)).save(folder / "images" / path)
    write_answers(folder / "predictions", {path: numbers for path, (_, numbers) in ANSWERS.items()})
    for kind in ("lists", "report"):
        (folder / kind).mkdir()
    (folder / "lists" / "validation.lst").write_text("".join(lines))
    (folder / "report" / "report.json").write_text(json.dumps({"class_names": NAMES}))
    return folder


def evaluate(run_job, inputs, *arguments):
    assert run_job(main, *arguments) == (0, None)
    return json.loads((inputs.parent / "output" / "evaluation" / "evaluation.json").read_text())


def test_the_evaluation_is_the_one_worked_out_by_hand(inputs, run_job):
    evaluation = evaluate(run_job, inputs, "--top-k", 2)
    metrics = evaluation["multiclass_classification_metrics"]
    # True class, then predicted class.
    assert metrics.pop("confusion_matrix") == {
        "0": {"0": 2, "1": 1, "2": 0},
        "1": {"0": 0, "1": 1, "2": 1},
        "2": {"0": 0, "1": 0, "2": 0},
    }
    values = {name: entry.pop("value") for name, entry in metrics.items()}
    assert metrics == {
        name: {"standard_deviation": "NaN"}
        for name in ("accuracy", "top_k_accuracy", "weighted_precision", "weighted_recall", "weighted_f1")
    }
    # Cacti: precision 2/2, recall 2/3, F1 4/5. Dogs: precision 1/2, recall 1/2, F1 1/2. Weights 3 and 2.
    assert_allclose(values["accuracy"], 3 / 5)
    # c has its class in second place; e has it in third.
    assert_allclose(values["top_k_accuracy"], 3 / 5)
    assert_allclose(values["weighted_precision"], (3 * 1 + 2 * 0.5) / 5)
    assert_allclose(values["weighted_recall"], 3 / 5)
    assert_allclose(values["weighted_f1"], (3 * 0.8 + 2 * 0.5) / 5)
    assert evaluation == {
        "multiclass_classification_metrics": metrics,
        "classes": [
            {"name": "cactus", "precision": 1.0, "recall": 2 / 3, "f1": 0.8, "truths": 3, "predictions": 2},
            {"name": "dog", "precision": 0.5, "recall": 0.5, "f1": 0.5, "truths": 2, "predictions": 2},
            {
                "name": "hot-air-balloon", "precision": 0.0, "recall": None, "f1": 0.0, "truths": 0,
                "predictions": 1,
            },
        ],
        "images": 5,
        "top_k": 2,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("top_k", "expected", "used"),
    [
        pytest.param(1, 3 / 5, 1, id="one"),
        pytest.param(3, 1.0, 3, id="all"),
        pytest.param(50, 1.0, 3, id="more-than-there-are"),
    ],
)
def test_top_k_counts_the_k_most_probable_classes(inputs, run_job, top_k, expected, used):
    evaluation = evaluate(run_job, inputs, "--top-k", top_k)
    found = evaluation["multiclass_classification_metrics"]["top_k_accuracy"]["value"]
    assert (found, evaluation["top_k"]) == (pytest.approx(expected), used)


def approve(inputs, *, hits):
    """Answers of an approved model that takes this many of the five pictures for their class."""
    answers = {}
    for number, (path, (label, _)) in enumerate(ANSWERS.items()):
        answers[path] = [0.1, 0.1, 0.1]
        answers[path][label if number < hits else (label + 1) % 3] = 0.8
    write_answers(inputs / "approved_predictions", answers)


@pytest.mark.parametrize(
    ("hits", "allowed_drop", "not_worse"),
    [
        pytest.param(2, 0, 1, id="better"),
        pytest.param(3, 0, 1, id="equal"),
        pytest.param(4, 0, 0, id="worse"),
        # 0.6 - 0.8 is -0.2 and a little more to a computer.
        pytest.param(4, 0.2, 1, id="just-the-allowed-drop"),
        pytest.param(4, 0.19, 0, id="a-little-more-than-allowed"),
        pytest.param(5, 0.3, 0, id="much-worse"),
    ],
)
def test_the_new_model_is_compared_with_the_approved_one(inputs, run_job, hits, allowed_drop, not_worse):
    approve(inputs, hits=hits)
    comparison = evaluate(run_job, inputs, "--allowed-drop", allowed_drop)["comparison"]
    assert comparison == {
        "metric": "accuracy",
        "new": 0.6,
        "approved": hits / 5,
        "difference": pytest.approx(0.6 - hits / 5),
        "allowed_drop": allowed_drop,
        "not_worse": not_worse,
    }
    assert type(comparison["not_worse"]) is int


def test_without_an_approved_model_there_is_no_comparison(inputs, run_job):
    assert "comparison" not in evaluate(run_job, inputs, "--allowed-drop", 0.1)


def test_a_faulty_answer_of_the_approved_model_is_named(inputs, run_job):
    approve(inputs, hits=5)
    (inputs / "approved_predictions" / "056.dog" / "d.jpg.out").unlink()
    code, message = run_job(main)
    assert code == 1
    assert "approved_predictions/056.dog/d.jpg.out: not there" in message


def colours(path):
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"))


def test_the_confusion_matrix_is_drawn(inputs, run_job):
    evaluate(run_job, inputs)
    pixels = colours(inputs.parent / "output" / "pictures" / "confusion_matrix.png")
    # Three cells of 72 pixels behind the names; corners of cells, where no number is written.
    corners = pixels[26 + 150 + 5 :: 72, 26 + 150 + 5 :: 72][:3, :3].astype(int)
    none, empty_row = [255, 255, 255], [241, 243, 245]
    assert corners[0, 2].tolist() == none
    assert corners[2].tolist() == [empty_row] * 3
    # More of a row's pictures, darker: 2/3, 1/3; 1/2 and 1/2.
    assert corners[0, 0].sum() < corners[1, 1].sum() < corners[0, 1].sum() < sum(none)
    assert corners[1, 1].tolist() == corners[1, 2].tolist()


def test_the_surest_mistakes_and_some_hits_are_drawn(inputs, run_job):
    evaluate(run_job, inputs)
    pixels = colours(inputs.parent / "output" / "pictures" / "examples.png")
    assert pixels.shape == (8 + 2 * 198, 210 + 8 + 3 * 198, 3)
    cells = [
        [pixels[8 + row * 198 :][:190, 218 + column * 198 :][:, :190] for column in range(3)]
        for row in range(2)
    ]
    wrong, right = (190, 70, 0), (0, 120, 90)
    seen = [
        [[bool((cell == colour).all(axis=2).sum() > 20) for colour in (wrong, right)] for cell in row]
        for row in cells
    ]
    assert seen == [[[True, False], [True, False], [False, False]], [[False, True]] * 3]


def test_the_surest_mistake_comes_first(inputs, run_job):
    """e is surer (0.95) than c (0.7); e's picture is made blue."""
    Image.new("RGB", (60, 40), (0, 0, 255)).save(inputs / "images" / "056.dog" / "e.jpg")
    evaluate(run_job, inputs)
    pixels = colours(inputs.parent / "output" / "pictures" / "examples.png").astype(int)
    blue = [pixels[80, 218 + column * 198 + 95].tolist()[2] > 200 for column in range(2)]
    assert blue == [True, False]


def test_without_a_mistake_there_are_only_hits(inputs, run_job):
    write_answers(
        inputs / "predictions",
        {path: [float(number == label) for number in range(3)] for path, (label, _) in ANSWERS.items()},
    )
    evaluation = evaluate(run_job, inputs)
    assert evaluation["multiclass_classification_metrics"]["accuracy"]["value"] == 1.0
    assert colours(inputs.parent / "output" / "pictures" / "examples.png").shape[0] == 8 + 198


FIRST = "predictions/025.cactus/a.jpg.out"


def answer(*probabilities):
    return FIRST, json.dumps({"prediction": list(probabilities)})


@pytest.mark.parametrize(
    ("file", "content", "fault"),
    [
        pytest.param(FIRST, None, "a.jpg.out: not there; the batch transform made no prediction", id="none"),
        pytest.param(FIRST, "Internal Server Error", "a.jpg.out: not one line of JSON", id="not-json"),
        pytest.param(FIRST, "[0.8, 0.1, 0.1]", "a.jpg.out: not of the form", id="endpoint-form"),
        pytest.param(FIRST, '{"prediction": 1}', "a.jpg.out: not of the form", id="number"),
        pytest.param(
            *answer(0.5, 0.5), "a.jpg.out: has 2 probabilities, the report has 3 classes", id="short"
        ),
        pytest.param(*answer(0.25, 0.25, 0.25, 0.25), "has 4 probabilities", id="long"),
        pytest.param(
            *answer(math.nan, 0.5, 0.5), "a.jpg.out: not one line of JSON: NaN is not a number", id="nan"
        ),
        pytest.param(
            FIRST, '{"prediction": [0.5, 1e999, 0.5]}', "the probability of class 1 is inf", id="infinite"
        ),
        pytest.param(
            FIRST,
            '{"prediction": [0.5, 0.5, 1' + "0" * 400 + "]}",
            "a.jpg.out: the probability of class 2 is 1000",
            id="huge-whole-number",
        ),
        pytest.param(*answer(-0.1, 0.6, 0.5), "the probability of class 0 is -0.1, not a", id="negative"),
        pytest.param(*answer(0.5, "0.5", 0), "the probability of class 1 is '0.5'", id="string"),
        pytest.param(*answer(0, 0, True), "the probability of class 2 is True", id="boolean"),
        pytest.param(*answer(0, [1], 0), "the probability of class 1 is [1]", id="list"),
        pytest.param(*answer(0.5, 0.5, 0.1), "a.jpg.out: the probabilities sum to 1.1, not to 1", id="sum"),
        pytest.param(*answer(0, 0, 0), "the probabilities sum to 0, not to 1", id="zeros"),
        pytest.param(
            "images/056.dog/e.jpg", None, "e.jpg: not there; give the job the pictures", id="no-picture"
        ),
        pytest.param("lists/validation.lst", None, "validation.lst: not there", id="no-list"),
        pytest.param("lists/validation.lst", "", "validation.lst: has no rows", id="empty-list"),
        pytest.param(
            "lists/validation.lst", "0\t3\ta.jpg\n", "row 1: class 3 is not one of the", id="truth-class"
        ),
        pytest.param(
            "lists/validation.lst", "0\t1\t../a.jpg\n", "row 1: '../a.jpg' leaves the", id="truth-path"
        ),
        pytest.param("report/report.json", None, "report.json: not there", id="no-report"),
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


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        pytest.param(["--top-k", 0], "argument --top-k: 0 is below 1", id="top-k"),
        pytest.param(["--allowed-drop", -0.1], "-0.1 is not between 0 and 1", id="allowed-drop"),
    ],
)
def test_a_wrong_argument_is_named(inputs, run_job, arguments, fault):
    code, message = run_job(main, *arguments)
    assert (code, fault in message) == (1, True)


def test_what_prepare_classification_wrote_can_be_evaluated(drawn_things, tmp_path):
    """Both jobs as processes, with answers that are right but for the spiders."""
    environment = {"OPT_ML": str(tmp_path / "ml")}
    processing = tmp_path / "ml" / "processing"
    shutil.copytree(drawn_things, processing / "input" / "data", copy_function=os.link)
    arguments = ("--resize", 64, "--image-shape", "3,64,64", "--training-per-class", 5)
    done = run_python("-m", "processing_scripts.jobs.prepare_classification", *arguments, **environment)
    assert done.returncode == 0, done.stderr
    for name, source in (("images", "validation_images"), ("lists", "lists"), ("report", "report")):
        (processing / "output" / source).rename(processing / "input" / name)
    answers = {}
    for line in (processing / "input" / "lists" / "validation.lst").read_text().splitlines():
        _, label, path = line.split("\t")
        answers[path] = [0.1, 0.1, 0.1, 0.1]
        answers[path][0 if label == "3" else int(label)] = 0.7
    write_answers(processing / "input" / "predictions", answers)
    done = run_python("-m", "processing_scripts.jobs.evaluate_classification", **environment)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("accuracy 0.7500 over 8 pictures\n")
