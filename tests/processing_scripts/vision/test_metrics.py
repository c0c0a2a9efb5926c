import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from processing_scripts.vision.metrics import evaluate_detections

BOX = (0.1, 0.1, 0.5, 0.5)
FAR = (0.6, 0.6, 0.9, 0.9)


def overlap_slowly(first, second):
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    if width <= 0 or height <= 0:
        return 0.0
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (first, second)]
    return width * height / (sum(areas) - width * height)


def average_precision_slowly(detections, truths, number, threshold):
    """One detection after the other, as the challenge's text has it."""
    ranked = [
        (-row[1], image, position, row)
        for image, rows in enumerate(detections)
        for position, row in enumerate(rows)
        if row[0] == number
    ]
    total = sum(row[0] == number for rows in truths for row in rows)
    if total == 0:
        return None
    taken, found, curve = set(), 0, []
    for rank, (_, image, _, row) in enumerate(sorted(ranked, key=lambda entry: entry[:3]), start=1):
        best, best_overlap = None, -1.0
        for position, truth in enumerate(truths[image]):
            overlap = overlap_slowly(row[2:], truth[1:])
            if truth[0] == number and overlap > best_overlap:
                best, best_overlap = (image, position), overlap
        if best_overlap >= threshold and best not in taken:
            taken.add(best)
            found += 1
        curve.append((found, found / rank))
    levels = [max((p for f, p in curve if 10 * f >= level * total), default=0.0) for level in range(11)]
    return sum(levels) / 11


# Corners on a coarse grid, so that equal overlaps, equal scores and exact thresholds happen often.
sides = st.tuples(st.integers(0, 3), st.integers(1, 3)).map(
    lambda pair: (pair[0] / 8, (pair[0] + pair[1]) / 8)
)
boxes = st.tuples(sides, sides).map(lambda axes: (axes[0][0], axes[1][0], axes[0][1], axes[1][1]))
truth_rows = st.tuples(st.integers(0, 2), boxes).map(lambda row: (row[0], *row[1]))
detection_rows = st.tuples(st.integers(-1, 2), st.integers(0, 4), boxes).map(
    lambda row: (row[0], row[1] / 4, *row[2])
)
images = st.lists(
    st.tuples(st.lists(detection_rows, max_size=5), st.lists(truth_rows, max_size=4)), max_size=5
)


@settings(max_examples=300, deadline=None)
@given(images, st.sampled_from([0.25, 0.5, 1.0]))
def test_average_precision_agrees_with_the_slow_reference(pairs, threshold):
    detections, truths = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    scores = evaluate_detections(detections, truths, num_classes=3, overlap_threshold=threshold)
    expected = [average_precision_slowly(detections, truths, number, threshold) for number in range(3)]
    assert_allclose(scores.average_precision, [math.nan if value is None else value for value in expected])
    known = [value for value in expected if value is not None]
    assert_allclose(scores.mean_average_precision, sum(known) / len(known) if known else math.nan)


@pytest.mark.parametrize(
    ("detections", "truths", "expected"),
    [
        pytest.param([(0, 0.9, *BOX)], [(0, *BOX)], 1.0, id="found"),
        pytest.param([], [(0, *BOX)], 0.0, id="missed"),
        pytest.param([(0, 0.9, *FAR)], [(0, *BOX)], 0.0, id="elsewhere"),
        pytest.param([(-1, 0.9, *BOX)], [(0, *BOX)], 0.0, id="padding-row-ignored"),
        # The false alarm comes first: precision 1/2 at every recall.
        pytest.param([(0, 0.9, *FAR), (0, 0.8, *BOX)], [(0, *BOX)], 0.5, id="false-alarm-first"),
        pytest.param([(0, 0.8, *FAR), (0, 0.9, *BOX)], [(0, *BOX)], 1.0, id="false-alarm-last"),
        # One of two truths: recall 0 ... 0.5 are reached, six of eleven levels.
        pytest.param([(0, 0.9, *BOX)], [(0, *BOX), (0, *FAR)], 6 / 11, id="one-of-two"),
        # The second detection of a truth is a false alarm: precision 1, 1/2, 2/3 at recall 1/2, 1/2, 1.
        pytest.param(
            [(0, 0.9, *BOX), (0, 0.8, *BOX), (0, 0.7, *FAR)],
            [(0, *BOX), (0, *FAR)],
            (6 * 1 + 5 * 2 / 3) / 11,
            id="found-twice",
        ),
    ],
)
def test_average_precision_of_one_image(detections, truths, expected):
    scores = evaluate_detections([detections], [truths], num_classes=1)
    assert_allclose(scores.average_precision, [expected])
    assert_allclose(scores.mean_average_precision, expected)


@pytest.mark.parametrize(
    ("xmax", "expected"),
    [
        pytest.param(0.5, 1.0, id="exactly-the-threshold-counts"),
        pytest.param(0.49, 0.0, id="just-below-does-not"),
    ],
)
def test_overlap_threshold_is_inclusive(xmax, expected):
    # The truth is 1 wide and the detection lies inside it, so the overlap is its width.
    scores = evaluate_detections([[(0, 0.9, 0, 0, xmax, 1)]], [[(0, 0, 0, 1, 1)]], num_classes=1)
    assert scores.average_precision == (expected,)


def test_a_recall_of_three_tenths_reaches_the_level_of_three_tenths():
    # 3 of 10 truths, no false alarm: levels 0, 0.1, 0.2, 0.3. In floating point 0.1 * 3 is above 0.3.
    truths = [[(0, *BOX)]] * 10
    detections = [[(0, 0.9, *BOX)]] * 3 + [[]] * 7
    scores = evaluate_detections(detections, truths, num_classes=1)
    assert_allclose(scores.average_precision, [4 / 11])


def test_a_detection_claims_only_the_truth_it_overlaps_most():
    # Both detections fit the first truth best; the second truth stays unfound although it is near enough.
    truths = [(0, 0, 0, 1, 1), (0, 0, 0, 0.8, 1)]
    detections = [(0, 0.9, 0, 0, 1, 1), (0, 0.8, 0, 0, 0.95, 1)]
    scores = evaluate_detections([detections], [truths], num_classes=1)
    assert scores.curves[0].true_positives.tolist() == [1, 1]


def test_a_class_without_truth_has_no_average_precision_and_leaves_the_mean_alone():
    scores = evaluate_detections([[(0, 0.9, *BOX), (1, 0.9, *BOX)]], [[(0, *BOX)]], num_classes=3)
    assert_allclose(scores.average_precision, [1.0, math.nan, math.nan])
    assert scores.mean_average_precision == 1.0


def test_among_equal_scores_the_earlier_image_comes_first():
    # Image 0 has a false alarm, image 1 the truth: precision 1/2; the other way round 1.
    alarm, hit = [(0, 0.5, *FAR)], [(0, 0.5, *BOX)]
    alarm_first = evaluate_detections([alarm, hit], [[], [(0, *BOX)]], num_classes=1)
    hit_first = evaluate_detections([hit, alarm], [[(0, *BOX)], []], num_classes=1)
    assert alarm_first.average_precision == (0.5,)
    assert hit_first.average_precision == (1.0,)


def test_precision_and_recall_at_a_score():
    # Scores 0.9 hit, 0.6 false alarm (class 0); 0.4 hit (class 1); one truth of class 0 is never found.
    detections = [[(0, 0.9, *BOX), (0, 0.6, *FAR), (1, 0.4, *FAR)]]
    truths = [[(0, *BOX), (0, 0, 0, 0.05, 0.05), (1, *FAR)]]
    scores = evaluate_detections(detections, truths, num_classes=2)
    assert (scores.precision_at(0.7), scores.recall_at(0.7)) == (1.0, 1 / 3)
    assert (scores.precision_at(0.6), scores.recall_at(0.6)) == (0.5, 1 / 3)
    assert (scores.precision_at(0.4), scores.recall_at(0.4)) == (2 / 3, 2 / 3)
    assert math.isnan(scores.precision_at(0.95))
    assert scores.recall_at(0.95) == 0.0
    assert_allclose(scores.curves[0].precision, [1, 1 / 2])
    assert_allclose(scores.curves[0].recall, [1 / 2, 1 / 2])
    assert scores.curves[0].counts_at(0.6) == (2, 1)


@pytest.mark.parametrize(
    ("detections", "truths", "fault"),
    [
        pytest.param([[]], [], "1 images with detections, 0 with truths", id="lengths"),
        pytest.param([[(0, 0.9, 0, 0, 1)]], [[]], r"image 0: detections have shape \(1, 5\)", id="short-row"),
        pytest.param(
            [[], []], [[], [(0, 0, 0, 1)]], r"image 1: truths have shape \(1, 4\)", id="short-truth"
        ),
        pytest.param(
            [[(0, math.nan, 0, 0, 1, 1)]], [[]], "image 0: detections hold a number that is not", id="nan"
        ),
        pytest.param(
            [[(2, 0.5, 0, 0, 1, 1)]], [[]], "image 0: detections hold class 2 of 2 classes", id="class"
        ),
    ],
)
def test_malformed_arrays_are_refused(detections, truths, fault):
    with pytest.raises(ValueError, match=fault):
        evaluate_detections(detections, truths, num_classes=2)


def test_nothing_to_evaluate_gives_no_number():
    scores = evaluate_detections([], [], num_classes=2)
    assert math.isnan(scores.mean_average_precision)
    assert np.isnan(scores.average_precision).all()
