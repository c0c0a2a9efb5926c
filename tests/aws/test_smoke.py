"""Which answers of a detector and of a classifier pass."""

import pytest

from workflows.aws.smoke import SmokeTestFailed, check_answer


@pytest.mark.parametrize(
    ("answer", "classes", "told"),
    [
        pytest.param({"prediction": []}, 3, "0 detections, the best with score 0.000", id="nothing-found"),
        pytest.param(
            {"prediction": [[0.0, 0.25, 0.0, 0.0, 1.0, 1.0], [2.0, 0.75, -0.1, 0.0, 1.2, 1.0]]},
            3,
            "2 detections, the best with score 0.750",
            id="boxes-over-the-edge",
        ),
        pytest.param({"prediction": [[9, 1, 0, 0, 0, 0]]}, None, "1 detections", id="classes-unknown"),
        pytest.param([0.25, 0.75], 2, "class 1 with probability 0.750", id="probabilities"),
        pytest.param([1 / 3] * 3, 3, "class 0", id="rounded"),
    ],
)
def test_answers_that_pass(answer, classes, told):
    assert check_answer(answer, classes=classes).startswith(told)


@pytest.mark.parametrize(
    ("answer", "classes", "reason"),
    [
        pytest.param({"predictions": []}, 3, "neither", id="another-member"),
        pytest.param("cardinal", 3, "neither", id="text"),
        pytest.param(None, 3, "neither", id="null"),
        pytest.param(
            {"prediction": [[0, 0.5, 0, 0, 1]]}, 3, r"prediction\[0\] has 5 values, not 6", id="short"
        ),
        pytest.param({"prediction": [7]}, 3, r"prediction\[0\] is no list", id="no-row"),
        pytest.param({"prediction": [[3, 0.5, 0, 0, 1, 1]]}, 3, "3 is no class of 3", id="class"),
        pytest.param({"prediction": [[0.5, 0.5, 0, 0, 1, 1]]}, None, "0.5 is no class$", id="half-a-class"),
        pytest.param({"prediction": [[-1, 0.5, 0, 0, 1, 1]]}, None, "-1 is no class$", id="negative-class"),
        pytest.param({"prediction": [[0, 1.5, 0, 0, 1, 1]]}, 3, "score 1.5 is not", id="score"),
        pytest.param({"prediction": [[0, 0.5, 0.9, 0, 0.1, 1]]}, 3, "ends before it begins", id="box"),
        pytest.param({"prediction": [[0, float("nan"), 0, 0, 1, 1]]}, 3, "nan is no finite number", id="nan"),
        pytest.param({"prediction": [[0, True, 0, 0, 1, 1]]}, 3, "True is no finite number", id="true"),
        pytest.param([0.5, 0.5], 3, "2 probabilities for 3 classes", id="count"),
        pytest.param([], None, "0 probabilities", id="empty"),
        pytest.param([0.5, 0.6], 2, "add up to 1.1, not 1", id="sum"),
        pytest.param([1.5, -0.5], 2, "not between 0 and 1", id="negative"),
        pytest.param([0.5, "0.5"], 2, "'0.5' is no finite number", id="strings"),
    ],
)
def test_answers_that_do_not_pass(answer, classes, reason):
    with pytest.raises(SmokeTestFailed, match=reason):
        check_answer(answer, classes=classes)
