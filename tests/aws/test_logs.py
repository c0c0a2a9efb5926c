"""Logs of jobs and the metrics in them, out of CloudWatch Logs."""

import pytest

from workflows.aws import metrics
from workflows.aws.logs import StepLog, Tail, tail_of_endpoint, tail_of_step
from workflows.aws.metrics import Patterns

GROUP = "/aws/sagemaker/TrainingJobs"


def job(name):
    return f"arn:aws:sagemaker:eu-west-1:123456789012:training-job/{name}"


def training(name):
    return {"StepName": "Train", "Metadata": {"TrainingJob": {"Arn": job(name)}}}


class Written:
    """Streams that grow; an answer holds two events, and a page may be empty though more follows."""

    def __init__(self, answers):
        self.streams, self.listed = {}, 0
        answers.by("DescribeLogStreams", self._list)
        answers.by("GetLogEvents", self._read)

    def write(self, stream, *texts):
        events = self.streams.setdefault(stream, [])
        events += [(10 * len(events) + len(self.streams), text) for text in texts]

    def _list(self, request):
        self.listed += 1
        found = [name for name in self.streams if name.startswith(request.get("logStreamNamePrefix", ""))]
        return {"logStreams": [{"logStreamName": name} for name in found]}

    def _read(self, request):
        events = self.streams[request["logStreamName"]]
        if not request.get("startFromHead"):
            chosen = events[-request["limit"] :]
            return {"events": _events(chosen), "nextForwardToken": "end"}
        # A token counts half pages: of every second one nothing is shown.
        half = int(request.get("nextToken", "0"))
        start = 2 * (half // 2)
        if start >= len(events):
            return {"events": [], "nextForwardToken": str(half)}
        shown = events[start : start + 2] if half % 2 else []
        return {"events": _events(shown), "nextForwardToken": str(half + 1)}


def _events(chosen):
    return [{"timestamp": time, "message": text} for time, text in chosen]


@pytest.fixture
def written(answers):
    return Written(answers)


def texts(lines):
    return [line.text for line in lines]


def test_a_log_is_read_to_its_end_over_pages_without_events(clients, written):
    written.write("job/algo-1", *"abcdef")
    assert texts(Tail(clients, GROUP, "job/").read()) == list("abcdef")


def test_what_is_read_is_not_read_again(clients, written):
    tail = Tail(clients, GROUP, "job/")
    assert tail.read() == []
    written.write("job/algo-1", "a", "b")
    assert texts(tail.read(last=True)) == ["a", "b"]
    written.write("job/algo-1", "c", "d")
    assert texts(tail.read(last=True)) == ["c", "d"]
    assert tail.read(last=True) == []


def test_a_stream_that_appears_late_is_in_the_last_read_at_the_latest(clients, written):
    tail = Tail(clients, GROUP, "job/")
    written.write("job/algo-1", "a", "b")
    tail.read()
    written.write("job/algo-2", "late", "later")
    written.write("other/algo-1", "of another job", "x")
    assert tail.read() == []  # the streams are not listed each time
    assert texts(tail.read(last=True)) == ["late", "later"]


def test_streams_are_listed_every_tenth_time(clients, written):
    tail = Tail(clients, GROUP, "job/")
    written.write("job/algo-1", "a", "b")
    for _ in range(21):
        tail.read()
    assert written.listed == 3


def test_the_end_of_a_log_is_had_without_its_beginning(clients, written, answers):
    written.write("job/algo-1", *map(str, range(100)))
    assert texts(Tail(clients, GROUP, "job/").end(3)) == ["97", "98", "99"]
    assert answers.asked == ["DescribeLogStreams", "GetLogEvents"]


def test_a_group_that_does_not_exist_yet_is_an_empty_log(clients, answers):
    answers.refuse("ResourceNotFoundException", "The specified log group does not exist.")
    assert Tail(clients, GROUP, "job/").read() == []
    assert tail_of_endpoint(clients, "birds").end(5) == []


def test_a_step_that_is_tried_again_has_the_rest_of_the_former_log_and_then_the_new_one(clients, written):
    log = StepLog(clients)
    assert log.read({"StepName": "Train", "Metadata": {}}) == []
    written.write("first/algo-1", "a", "b")
    assert texts(log.read(training("first"))) == ["a", "b"]
    written.write("first/algo-1", "c", "d")
    written.write("second/algo-1", "e", "f")
    assert texts(log.read(training("second"))) == ["c", "d", "e", "f"]
    assert log.job == job("second")


def test_a_step_without_a_job_has_no_log(clients):
    assert (
        tail_of_step(clients, {"StepName": "Check", "Metadata": {"Condition": {"Outcome": "True"}}}) is None
    )


def test_a_tuning_jobs_log_is_that_of_its_trainings(clients, written):
    arn = "arn:aws:sagemaker:eu-west-1:123456789012:hyper-parameter-tuning-job/tune"
    written.write("tune-001-abc/algo-1", "a", "b")
    written.write("tuner/algo-1", "x", "y")
    tail = tail_of_step(clients, {"StepName": "Tune", "Metadata": {"TuningJob": {"Arn": arn}}})
    assert texts(tail.read()) == ["a", "b"]


PATTERNS = {
    "AlgorithmSpecification": {
        "MetricDefinitions": [
            {"Name": "validation:mAP", "Regex": r"mAP=\((\S+)\)"},
            {"Name": "train:loss", "Regex": r"(smooth|cross) loss=(\S+)"},
            {"Name": "no:group", "Regex": "epoch"},
        ]
    }
}


def test_metrics_are_what_the_last_group_of_their_expression_matches():
    lines = ["epoch 0 smooth loss=2.5", "mAP=(0.25)", "mAP=(none)", "epoch 1 cross loss=1e-3 mAP=(0.5)"]
    assert Patterns(PATTERNS).series(lines) == {"validation:mAP": [0.25, 0.5], "train:loss": [2.5, 0.001]}


def test_series_are_found_by_metric_and_step(clients, written, answers):
    answers.by("DescribeTrainingJob", lambda _request: PATTERNS)
    written.write("base/algo-1", "mAP=(0.25)", "mAP=(0.75)", "smooth loss=2", "mAP=(0.5)")
    steps = [training("base"), {"StepName": "Check", "Metadata": {}}]
    found = metrics.series(clients, steps, prefix="validation:")
    assert found == {"validation:mAP": {"Train": [0.25, 0.75, 0.5]}}
