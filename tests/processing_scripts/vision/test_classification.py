import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.testing import assert_allclose

from processing_scripts.vision.classification import evaluate_classification


def slowly(probabilities, labels, top_k):
    """Accuracy, top-k accuracy, and per class precision, recall, F1, the obvious way."""
    classes = range(len(probabilities[0]))
    ranked = [sorted(classes, key=lambda number: (-row[number], number)) for row in probabilities]
    hits = [ranks[0] == label for ranks, label in zip(ranked, labels, strict=True)]
    in_top = [label in ranks[:top_k] for ranks, label in zip(ranked, labels, strict=True)]
    figures = []
    for number in classes:
        found = sum(ranks[0] == number == label for ranks, label in zip(ranked, labels, strict=True))
        taken = sum(ranks[0] == number for ranks in ranked)
        there = labels.count(number)
        precision = found / taken if taken else np.nan
        recall = found / there if there else np.nan
        harmonic = 2 * found / (taken + there) if taken + there else np.nan
        figures.append((precision, recall, harmonic))
    return np.mean(hits), np.mean(in_top), figures


few_values = st.sampled_from([0.0, 0.25, 0.5, 1.0])  # many ties


@given(
    arrays.arrays(np.float64, st.tuples(st.integers(1, 6), st.integers(1, 4)), elements=few_values),
    st.data(),
)
def test_figures_are_those_of_the_slow_reference(probabilities, data):
    count, classes = probabilities.shape
    labels = data.draw(st.lists(st.integers(0, classes - 1), min_size=count, max_size=count))
    top_k = data.draw(st.integers(1, 5))
    scores = evaluate_classification(probabilities, np.array(labels), top_k=top_k)
    accuracy, in_top, figures = slowly(probabilities.tolist(), labels, top_k)
    assert_allclose([scores.accuracy, scores.top_k_accuracy], [accuracy, in_top])
    assert_allclose(np.stack([scores.precision, scores.recall, scores.f1], 1), figures)
    # The recall, weighted by the classes' pictures, is the accuracy.
    assert_allclose(scores.weighted(scores.recall), accuracy)


def test_among_equal_probabilities_the_lower_class_comes_first():
    scores = evaluate_classification(np.full((4, 4), 0.25), np.arange(4), top_k=2)
    assert scores.predictions.tolist() == [4, 0, 0, 0]
    assert (scores.accuracy, scores.top_k_accuracy) == (0.25, 0.5)


def test_among_hundreds_of_equal_probabilities_too():
    """Sorting many numbers takes other ways than sorting a few."""
    rng = np.random.default_rng(0)
    probabilities = rng.choice([0.0, 0.5, 1.0], (20, 300))
    labels = rng.integers(0, 300, 20)
    scores = evaluate_classification(probabilities, labels, top_k=60)
    accuracy, in_top, _ = slowly(probabilities.tolist(), labels.tolist(), 60)
    assert (scores.accuracy, scores.top_k_accuracy) == (accuracy, in_top)
    lowest = [row.index(1.0) for row in probabilities.tolist()]
    assert scores.predictions.tolist() == np.bincount(lowest, minlength=300).tolist()


@pytest.mark.parametrize(
    ("probabilities", "labels"),
    [
        pytest.param(np.ones((2, 3)), [0], id="lengths"),
        pytest.param(np.ones(3), [0], id="one-axis"),
        pytest.param(np.ones((0, 3)), [], id="nothing"),
        pytest.param(np.ones((1, 3)), [3], id="label-too-high"),
        pytest.param(np.ones((1, 3)), [-1], id="label-negative"),
    ],
)
def test_what_does_not_fit_together_is_refused(probabilities, labels):
    with pytest.raises(ValueError, match=r"shape|labels"):
        evaluate_classification(probabilities, np.array(labels, dtype=np.int64), top_k=1)
