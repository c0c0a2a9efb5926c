"""What has to hold of a notebook's path, whichever client took it."""

import json
import re

import pytest

_MAP = re.compile(r"validation mAP <score>=\(([-+0-9.eE]+)\)")
_ACCURACY = re.compile(r"Epoch\[\d+\] Validation-accuracy=([-+0-9.eE]+)")


def map_series(text):
    """mAP of each epoch, as the notebook's chart reads it from the log."""
    return [float(value) for value in _MAP.findall(text)]


def accuracy_series(text):
    return [float(value) for value in _ACCURACY.findall(text)]


def truth_of(folder):
    return json.loads((folder / "truth.json").read_text())


def recipe_of(folder):
    return json.loads((folder / "recipe.json").read_text())


def final_metric(job, name):
    """A metric of DescribeTrainingJob's answer."""
    (value,) = [entry["Value"] for entry in job["FinalMetricDataList"] if entry["MetricName"] == name]
    return value


def assert_trained(job, series, *, metric, epochs):
    """The job has ended well, and what it reports is what its log says of the last epoch."""
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Completed", "Completed")
    assert len(series) == epochs
    # The service keeps metrics in single precision.
    assert final_metric(job, metric) == pytest.approx(series[-1], rel=1e-6)


def assert_detections(rows):
    """Rows are [class, score, xmin, ymin, xmax, ymax]; corners are fractions of the picture."""
    assert rows
    for _, score, xmin, ymin, xmax, ymax in rows:
        assert 0 <= score <= 1
        assert 0 <= xmin <= xmax <= 1
        assert 0 <= ymin <= ymax <= 1


def assert_finds_objects(answers, truth):
    """The best box of most pictures lies on the object and has its class."""
    hits = 0
    for rows, (kind, *box) in zip(answers, truth, strict=True):
        assert_detections(rows)
        best = max(rows, key=lambda row: row[1])
        hits += best[0] == kind and overlap(best[2:], box) > 0.5
    # A few seconds of training: most of the pictures, not all.
    assert hits > len(truth) / 2


def assert_gone(gone):
    """What AWS says of an endpoint, its configuration and its model after they were deleted."""
    for message, noun in zip(gone, ("endpoint", "endpoint configuration", "model"), strict=True):
        assert message.startswith(f'ValidationException: Could not find {noun} "arn:aws:sagemaker:us-east-1:')


def assert_names_things(answers, truth):
    """Each answer has a probability for every class; most pictures get their own."""
    for probabilities in answers:
        assert sum(probabilities) == pytest.approx(1, abs=1e-4)
        assert min(probabilities) >= 0
    named = [max(range(len(row)), key=row.__getitem__) for row in answers]
    assert sum(name == kind for name, kind in zip(named, truth, strict=True)) > len(truth) / 2


def overlap(one, other):
    """Intersection over union of two boxes (xmin, ymin, xmax, ymax)."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    both = max(width, 0) * max(height, 0)
    return both / (sum((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)) - both)
