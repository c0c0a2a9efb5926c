import pytest

from algorithms.schedule import EarlyStopping, LearningRate, warm_up_updates


@pytest.mark.parametrize(
    ("update", "expected"),
    [
        pytest.param(0, 0.5, id="first"),
        pytest.param(9, 0.5, id="before-the-step"),
        pytest.param(10, 0.05, id="at-the-step"),
        pytest.param(25, 0.005, id="after-both-steps"),
    ],
)
def test_the_rate_falls_at_each_step(update, expected):
    assert LearningRate(base=0.5, steps=(10, 20)).at(update) == pytest.approx(expected)


def test_the_rate_rises_evenly_while_warming_up_and_is_exact_afterwards():
    rate = LearningRate(base=0.4, warm_up=3)
    assert [rate.at(update) for update in range(5)] == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.4])


@pytest.mark.parametrize(
    ("updates_in_epoch", "from_scratch", "expected"),
    [
        pytest.param(18, True, 9, id="half-an-epoch"),
        pytest.param(10_000, True, 500, id="long-epoch"),
        pytest.param(18, False, 0, id="trained-weights"),
        pytest.param(1, True, 0, id="one-update"),
    ],
)
def test_warm_up_is_short_and_only_for_random_weights(updates_in_epoch, from_scratch, expected):
    assert warm_up_updates(updates_in_epoch, from_scratch=from_scratch) == expected


@pytest.mark.parametrize(
    ("scores", "tolerance", "stops"),
    [
        pytest.param([0.5, 0.4, 0.4], 0.0, True, id="no-gain-for-two-epochs"),
        pytest.param([0.5, 0.5, 0.5], 0.0, True, id="equal-is-no-gain"),
        pytest.param([0.5, 0.4, 0.6], 0.0, False, id="gain-in-the-last"),
        pytest.param([0.4, 0.5, 0.4], 0.0, False, id="one-epoch-without-gain"),
        pytest.param([0.5, 0.52, 0.54], 0.1, True, id="gains-below-the-tolerance"),
        # 0.56 is more than a tenth above 0.5, the score that last counted as better.
        pytest.param([0.5, 0.54, 0.56], 0.1, False, id="gains-add-up"),
        pytest.param([0.0, 0.0, 0.0], 0.0, True, id="never-anything"),
        pytest.param([0.5, 0.4], 0.0, False, id="too-few-epochs"),
    ],
)
def test_training_stops_after_patience_epochs_without_gain(scores, tolerance, stops):
    rule = EarlyStopping(min_epochs=3, patience=2, tolerance=tolerance)
    assert rule.stops_after(scores) is stops
