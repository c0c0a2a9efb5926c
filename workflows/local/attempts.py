"""One step, tried as often as its retry policies say.

Source: SageMaker Developer Guide, "Retry Policy for Pipeline Steps". Throttling and faults of the service are
retried by default; everything else only where a policy names it; an algorithm's own failure never.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from workflows.definition.model import RetryPolicy, Step
from workflows.local.faults import SERVICE_FAULTS, Fault
from workflows.local.runners.base import Result, StepFailed

_ALWAYS_RETRIED = RetryPolicy(exception_types=("Step.SERVICE_FAULT", "Step.THROTTLING"))


@dataclass(frozen=True, kw_only=True)
class Retry:
    """A next attempt that is about to be made."""

    attempt: int  # counted from 1, the first
    delay_s: float
    reason: str


class Attempts:
    """The attempts of one step."""

    def __init__(
        self,
        step: Step,
        *,
        fault: Fault | None,
        sleep: Callable[[float], bool],
        on_retry: Callable[[Retry], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`sleep` waits for some seconds and says whether the execution was stopped meanwhile."""
        self.count = 0
        self._policies = (*step.retries, _ALWAYS_RETRIED)
        self._fault, self._sleep, self._on_retry, self._clock = fault, sleep, on_retry, clock

    def run(self, make: Callable[[Fault | None], Result]) -> Result:
        """Try until it works or no policy allows another attempt.

        Raises:
            StepFailed: the last attempt's failure.
        """
        started = self._clock()
        while True:
            try:
                return self._try(make)
            except StepFailed as failure:
                delay_s = self._delay(failure, self._clock() - started)
                if delay_s is None:
                    raise
                self._on_retry(Retry(attempt=self.count + 1, delay_s=delay_s, reason=failure.reason))
                if self._sleep(delay_s):
                    raise

    def _try(self, make: Callable[[Fault | None], Result]) -> Result:
        self.count += 1
        fault = self._fault if self._fault and self._meets(self._fault) else None
        if fault and fault.kind in SERVICE_FAULTS:
            exception_type, reason = SERVICE_FAULTS[fault.kind]
            raise StepFailed(reason, exception_type=exception_type)
        return make(fault)

    def _meets(self, fault: Fault) -> bool:
        # How often a spot job is interrupted is counted inside its one attempt.
        return self.count <= (1 if fault.kind == "spot-interruption" else fault.times)

    def _delay(self, failure: StepFailed, elapsed_s: float) -> float | None:
        """Seconds until the next attempt; None if there is none."""
        policy = _policy_for(failure.exception_type, self._policies)
        if policy is None:
            return None
        delay_s = policy.interval_s * policy.backoff_rate ** (self.count - 1)
        if policy.max_attempts is not None and self.count > policy.max_attempts:
            return None
        if policy.expire_after_min is not None and elapsed_s + delay_s > policy.expire_after_min * 60:
            return None
        return delay_s


def _policy_for(exception_type: str | None, policies: Iterable[RetryPolicy]) -> RetryPolicy | None:
    return next((policy for policy in policies if exception_type in policy.exception_types), None)
