"""An execution is watched over HTTP; its time is the test's own, so that an hour takes a moment."""

from dataclasses import dataclass, field

import pytest
from botocore.exceptions import ClientError

from tests.aws.answers import NoAnswer
from workflows.aws.clients import Clients
from workflows.aws.errors import Unreachable
from workflows.aws.watching import ON_AWS, StillGoing, Watch

ARN = "arn:aws:sagemaker:eu-west-1:123456789012:pipeline/birds/execution/abc123abc123"
JOB = "arn:aws:sagemaker:eu-west-1:123456789012:training-job"
HOUR_S = 3600
EPOCH_S = 1_800_000_000


@dataclass
class Story:
    """An execution that goes on with the time; steps are (name, start, end, status, more)."""

    answers: object
    steps: list
    ends_s: float
    status: str = "Succeeded"
    reason: str = ""
    lines: dict = field(default_factory=dict)  # job -> stream -> [(time, text)]
    now_s: float = 0.0
    told: list = field(default_factory=list)

    def __post_init__(self):
        self.answers.by("ListPipelineExecutionSteps", self._list)
        self.answers.by("DescribePipelineExecution", self._describe)
        self.answers.by("DescribeLogStreams", self._streams)
        self.answers.by("GetLogEvents", self._events)
        self.answers.by("DescribeTrainingJob", self._job)

    def sleep(self, seconds):
        self.now_s += seconds

    def watch(self, clients, **more):
        watch = Watch(
            clients=clients,
            arn=ARN,
            step_types={},
            listener=self,
            pace=ON_AWS,
            sleep=self.sleep,
            clock=lambda: self.now_s,
            **more,
        )
        return watch.to_the_end()

    def step_started(self, step, _step_type):
        self.told.append((step["StepName"], "started"))

    def step_tried_again(self, step):
        self.told.append((step["StepName"], f"attempt {step['AttemptCount']}"))

    def step_ended(self, step, _step_type):
        self.told.append((step["StepName"], step["StepStatus"]))

    def log_line(self, step, _step_type, line):
        self.told.append((step, f"< {line}"))

    def metric(self, step, name, value):
        self.told.append((step, name, value))

    def trouble(self, text):
        self.told.append(("trouble", text.partition(":")[0]))

    def _list(self, _request):
        begun = [step for step in self.steps if step[1] <= self.now_s]
        return {"PipelineExecutionSteps": [self._step(*step) for step in begun]}

    def _step(self, name, start, end, status, more=None):
        step = {"StepName": name, "StartTime": EPOCH_S + start, "AttemptCount": 1, **(more or {})}
        if "attempts" in step:
            step["AttemptCount"] = sum(moment <= self.now_s for moment in step.pop("attempts"))
        if "jobs" in step:
            started = [job for moment, job in step.pop("jobs") if moment <= self.now_s]
            step["Metadata"] = {"TrainingJob": {"Arn": f"{JOB}/{started[-1]}"}}
        if end <= self.now_s:
            return {**step, "StepStatus": status, "EndTime": EPOCH_S + end}
        return {**step, "StepStatus": "Executing"}

    def _describe(self, _request):
        status = self.status if self.ends_s <= self.now_s else "Executing"
        return {"PipelineExecutionArn": ARN, "PipelineExecutionStatus": status, "FailureReason": self.reason}

    def _streams(self, request):
        job = request["logStreamNamePrefix"].rstrip("/")
        streams = [
            name
            for name, events in self.lines.get(job, {}).items()
            if any(moment <= self.now_s for moment, _ in events)
        ]
        return {"logStreams": [{"logStreamName": f"{job}/{name}"} for name in streams]}

    def _events(self, request):
        job, name = request["logStreamName"].split("/")
        start = int(request.get("nextToken", "0"))
        events = [event for event in self.lines[job][name] if event[0] <= self.now_s][start:]
        return {
            "events": [
                {"timestamp": int(1000 * (EPOCH_S + moment)), "message": text} for moment, text in events
            ],
            "nextForwardToken": str(start + len(events)),
        }

    def _job(self, _request):
        metric = {"Name": "validation:mAP", "Regex": r"mAP=\((\S+)\)"}
        return {"AlgorithmSpecification": {"MetricDefinitions": [metric]}}


def test_an_hour_costs_fewer_than_360_calls_and_each_transition_is_told_once(clients, answers):
    steps = [
        ("Prepare", 2, 300, "Succeeded"),
        ("TrainBase", 310, 2000, "Succeeded"),
        ("TrainIncremental", 2030, 3000, "Succeeded"),
        ("Evaluate", 3001, 3500, "Succeeded"),
        ("Score", 3001, 3590, "Succeeded"),
    ]
    story = Story(answers, steps, ends_s=HOUR_S)
    assert story.watch(clients)["PipelineExecutionStatus"] == "Succeeded"
    assert HOUR_S <= story.now_s <= HOUR_S + ON_AWS.longest_s
    assert len(answers.asked) < 360
    assert story.told == [
        (name, what)
        for name, what in [
            ("Prepare", "started"),
            ("Prepare", "Succeeded"),
            ("TrainBase", "started"),
            ("TrainBase", "Succeeded"),
            ("TrainIncremental", "started"),
            ("TrainIncremental", "Succeeded"),
            ("Evaluate", "started"),
            ("Score", "started"),
            ("Evaluate", "Succeeded"),
            ("Score", "Succeeded"),
        ]
    ]


def test_an_hour_of_a_training_that_logs_each_second_costs_fewer_than_360_calls_too(clients, answers):
    events = [(second, f"line {second}") for second in range(60, 3500)]
    steps = [("Train", 10, 3510, "Succeeded", {"jobs": [(10, "train")]})]
    story = Story(answers, steps, ends_s=HOUR_S, lines={"train": {"algo-1": events}})
    story.watch(clients, follow_logs=True)
    assert len(answers.asked) < 360
    assert [what for _, what in story.told[1:-1]] == [f"< line {second}" for second in range(60, 3500)]


def test_a_step_that_its_policy_tries_again_is_told_with_its_attempt_and_both_logs(clients, answers):
    jobs = [(10, "first"), (100, "second")]
    lines = {
        "first": {"algo-1": [(20, "no capacity")]},
        "second": {"algo-1": [(110, "epoch 0: mAP=(0.25)"), (120, "epoch 1: mAP=(none)")]},
    }
    steps = [("Train", 10, 200, "Succeeded", {"attempts": [10, 100], "jobs": jobs})]
    story = Story(answers, steps, ends_s=200, lines=lines)
    story.watch(clients, follow_logs=True)
    assert story.told == [
        ("Train", "started"),
        ("Train", "< no capacity"),
        ("Train", "attempt 2"),
        ("Train", "< epoch 0: mAP=(0.25)"),
        ("Train", "validation:mAP", 0.25),
        ("Train", "< epoch 1: mAP=(none)"),
        ("Train", "Succeeded"),
    ]


def test_a_step_that_is_retried_with_its_execution_is_told_again(clients, answers):
    steps = [("Train", 10, 100, "Failed"), ("Train", 300, 400, "Succeeded")]
    story = Story(answers, steps, ends_s=400)
    story.watch(clients)
    assert [what for _, what in story.told] == ["started", "Failed", "started", "Succeeded"]


def test_a_retried_step_that_ends_between_two_looks_is_told_too(clients, answers):
    steps = [("Train", 10, 100, "Failed"), ("Train", 201, 202, "Succeeded")]
    story = Story(answers, steps, ends_s=300)
    story.watch(clients)
    assert [what for _, what in story.told] == ["started", "Failed", "started", "Succeeded"]


@pytest.mark.parametrize("status", ["Stopped", "Failed"])
def test_an_execution_that_does_not_succeed_ends_the_watch(clients, answers, status):
    story = Story(answers, [("Train", 1, 50, status)], ends_s=60, status=status, reason="Train did not work")
    record = story.watch(clients)
    assert (record["PipelineExecutionStatus"], record["FailureReason"]) == (status, "Train did not work")
    assert story.told == [("Train", "started"), ("Train", status)]


def test_lines_of_several_hosts_are_merged_by_time_and_come_before_the_steps_end(clients, answers):
    hosts = {
        "algo-1": [(10, "one"), (30, "three")],
        "algo-2": [(20, "two"), (95, "last, of a host that began late")],
        "algo-3": [(96, "later still")],
    }
    steps = [("Train", 0, 100, "Succeeded", {"jobs": [(0, "train")]})]
    story = Story(answers, steps, ends_s=100, lines={"train": hosts}, now_s=40)
    story.watch(clients, follow_logs=True)
    assert [what for _, what in story.told] == [
        "started",
        "< one",
        "< two",
        "< three",
        "< last, of a host that began late",
        "< later still",
        "Succeeded",
    ]


def test_the_log_of_a_step_out_of_the_cache_is_an_earlier_ones(clients, answers):
    cached = {
        "jobs": [(0, "train")],
        "CacheHitResult": {"SourcePipelineExecutionArn": ARN.replace("abc123abc123", "earlier")},
    }
    lines = {"train": {"algo-1": [(0, "old")]}}
    story = Story(answers, [("Train", 0, 1, "Succeeded", cached)], ends_s=2, lines=lines)
    story.watch(clients, follow_logs=True)
    assert story.told == [("Train", "started"), ("Train", "Succeeded")]


@pytest.fixture
def impatient(answers, monkeypatch):
    """Clients that ask once."""
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    return Clients("eu-west-1", endpoint_url=answers.url, access_key="SECRETKEY")


def test_trouble_is_told_and_outlived(impatient, answers):
    story = Story(answers, [("Train", 1, 500, "Succeeded")], ends_s=500)
    listed = story._list

    def sometimes(request):
        if 20 < story.now_s < 100:
            raise NoAnswer
        return listed(request)

    answers.by("ListPipelineExecutionSteps", sometimes)
    assert story.watch(impatient)["PipelineExecutionStatus"] == "Succeeded"
    troubles = [entry for entry in story.told if entry[0] == "trouble"]
    assert troubles[0][1].startswith("Connection was closed")
    assert story.told[0] == ("Train", "started")
    assert story.told[-1] == ("Train", "Succeeded")


def test_trouble_that_stays_ends_the_watch_and_says_that_the_execution_goes_on(impatient, answers):
    answers.refuse("ThrottlingException", "Rate exceeded")
    story = Story(answers, [], ends_s=1)
    answers.by("ListPipelineExecutionSteps", None)
    with pytest.raises(Unreachable, match="The execution goes on: arn:aws:sagemaker:.*/execution/abc123"):
        story.watch(impatient)
    assert len([entry for entry in story.told if entry[0] == "trouble"]) == 9


def test_a_refusal_ends_the_watch_at_once(impatient, answers):
    story = Story(answers, [], ends_s=1)
    answers.by("ListPipelineExecutionSteps", None)
    answers.refuse("ExpiredTokenException", "The security token included in the request is expired")
    with pytest.raises(ClientError, match="ExpiredToken"):
        story.watch(impatient)
    assert answers.asked == ["ListPipelineExecutionSteps"]


@pytest.mark.parametrize("limit_s", [1, 61, 100])
def test_a_limit_is_kept_and_made_use_of_to_the_end(clients, answers, limit_s):
    story = Story(answers, [("Train", 1, 500, "Succeeded")], ends_s=500)
    with pytest.raises(StillGoing, match=f"abc123abc123 has not ended within {limit_s} s; it goes on"):
        story.watch(clients, limit_s=limit_s)
    assert story.now_s == limit_s


def test_an_execution_that_ends_within_the_limit_is_no_overrun(clients, answers):
    story = Story(answers, [("Train", 1, 90, "Succeeded")], ends_s=95)
    assert story.watch(clients, limit_s=100)["PipelineExecutionStatus"] == "Succeeded"
