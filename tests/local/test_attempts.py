import pytest

from workflows.definition.model import RetryPolicy, Step
from workflows.local.attempts import Attempts
from workflows.local.faults import Fault
from workflows.local.runners.base import Result, StepFailed

DONE = Result(kind=None, name="done", description={}, metadata={})


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self, *, stops_after=None):
        self.seconds, self.naps, self.retries, self.stops_after = 0.0, [], [], stops_after

    def sleep(self, seconds):
        self.naps.append(seconds)
        self.seconds += seconds
        return len(self.naps) == self.stops_after

    def __call__(self):
        return self.seconds


def attempts(clock, *, policies=(), fault=None):
    step = Step(name="Train", type="Training", where="Steps[0]", arguments={}, retries=tuple(policies))
    return Attempts(step, fault=fault, sleep=clock.sleep, on_retry=clock.retries.append, clock=clock)


def failing(exception_type, *, times):
    left = [times]

    def make(fault):
        if left[0] == 0:
            return DONE
        left[0] -= 1
        raise StepFailed("no luck", exception_type=exception_type)

    return make


def policy(*exception_types, **fields):
    return RetryPolicy(exception_types=exception_types, **fields)


def test_the_pause_grows_by_the_rate():
    clock = Clock()
    tried = attempts(
        clock, policies=[policy("SageMaker.CAPACITY_ERROR", interval_s=10, backoff_rate=3.0, max_attempts=4)]
    )
    assert tried.run(failing("SageMaker.CAPACITY_ERROR", times=4)) is DONE
    assert clock.naps == [10, 30, 90, 270]
    assert tried.count == 5


def test_after_max_attempts_the_failure_stands():
    clock = Clock()
    tried = attempts(clock, policies=[policy("SageMaker.CAPACITY_ERROR", max_attempts=2)])
    with pytest.raises(StepFailed, match="no luck"):
        tried.run(failing("SageMaker.CAPACITY_ERROR", times=9))
    assert tried.count == 3


def test_no_attempt_is_made_after_the_policy_has_expired():
    clock = Clock()
    policies = [policy("SageMaker.JOB_INTERNAL_ERROR", interval_s=25, max_attempts=None, expire_after_min=1)]
    tried = attempts(clock, policies=policies)
    with pytest.raises(StepFailed):
        tried.run(failing("SageMaker.JOB_INTERNAL_ERROR", times=9))
    # 25 s, then 50 s more would end after 75 s: more than a minute.
    assert clock.naps == [25]


@pytest.mark.parametrize("exception_type", ["Step.THROTTLING", "Step.SERVICE_FAULT"])
def test_what_the_service_retries_by_default_needs_no_policy(exception_type):
    clock = Clock()
    assert attempts(clock).run(failing(exception_type, times=5)) is DONE
    assert clock.naps == [1, 2, 4, 8, 16]


@pytest.mark.parametrize(
    "exception_type",
    [None, "SageMaker.CAPACITY_ERROR", "SageMaker.RESOURCE_LIMIT", "SageMaker.JOB_INTERNAL_ERROR"],
)
def test_nothing_else_is_retried_without_a_policy(exception_type):
    clock = Clock()
    with pytest.raises(StepFailed):
        attempts(clock).run(failing(exception_type, times=1))
    assert clock.naps == []


def test_an_algorithms_own_failure_is_retried_by_no_policy():
    everything = policy(
        "Step.THROTTLING", "SageMaker.JOB_INTERNAL_ERROR", "SageMaker.CAPACITY_ERROR", max_attempts=20
    )
    with pytest.raises(StepFailed):
        attempts(Clock(), policies=[everything]).run(failing(None, times=1))


def test_zero_attempts_mean_never():
    with pytest.raises(StepFailed):
        attempts(Clock(), policies=[policy("Step.THROTTLING", max_attempts=0)]).run(
            failing("Step.THROTTLING", times=1)
        )


def test_a_stop_ends_the_waiting():
    clock = Clock(stops_after=2)
    tried = attempts(clock)
    with pytest.raises(StepFailed):
        tried.run(failing("Step.THROTTLING", times=5))
    assert tried.count == 2


def test_a_rehearsed_fault_of_the_service_comes_as_often_as_asked():
    clock = Clock()
    made = []
    tried = attempts(
        clock, policies=[policy("SageMaker.CAPACITY_ERROR")], fault=Fault("capacity-error", times=2)
    )
    assert tried.run(lambda fault: made.append(fault) or DONE) is DONE
    assert (tried.count, made) == (3, [None])


def test_a_rehearsed_fault_of_a_job_is_handed_to_it():
    fault = Fault("kill", times=1)
    met = []
    attempts(Clock(), fault=fault).run(lambda given: met.append(given) or DONE)
    assert met == [fault]
