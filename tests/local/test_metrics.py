"""Metrics out of logs."""

from workflows.local.metrics import MetricPatterns
from workflows.local.request import Request


def test_what_a_regex_finds_and_is_no_number_is_no_metric():
    definitions = [
        {"Name": "loss", "Regex": r"loss=([0-9.]+)"},
        {"Name": "rate", "Regex": r"rate(?:=(\S+))?"},
    ]
    request = Request({"AlgorithmSpecification": {"MetricDefinitions": definitions}}, "Train")
    patterns = MetricPatterns(request, {})
    lines = ["loss=0.5 rate=0.1", "loss=1.2.3 rate", "loss=0.25 rate=off"]
    found = [pair for line in lines for pair in patterns.find(line)]
    assert found == [("loss", 0.5), ("rate", 0.1), ("loss", 0.25)]
