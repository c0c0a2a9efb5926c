"""Throttling on demand, so that clients can rehearse it: a machine of one's own never asks for patience."""

import re
import threading
from collections.abc import Collection, Iterable, Mapping

from workflows.definition.errors import WorkflowError, did_you_mean
from workflows.server.errors import AwsError

_FORM = re.compile(r"(\w+)(?:=([1-9]\d{0,5}))?")


class Throttle:
    """Operations whose next calls are answered by ThrottlingException; safe to use from several threads."""

    def __init__(self, times: Mapping[str, int]) -> None:
        """`times` has the number of such calls by operation."""
        self._left = dict(times)
        self._lock = threading.Lock()

    def meet(self, operation: str) -> None:
        """Count a call of an operation.

        Raises:
            AwsError: ThrottlingException, if it is one of those.
        """
        with self._lock:
            left = self._left.get(operation, 0)
            if not left:
                return
            self._left[operation] = left - 1
        raise AwsError("ThrottlingException", "Rate exceeded")


NEVER = Throttle({})


def parse_throttle(texts: Iterable[str], *, known: Collection[str]) -> Throttle:
    """["DescribePipeline=3"] -> the first 3 calls of DescribePipeline; without a number, the first one.

    Raises:
        WorkflowError: not of this form, an operation that is not here, or twice.
    """
    times: dict[str, int] = {}
    for text in texts:
        found = _FORM.fullmatch(text)
        if found is None:
            raise WorkflowError(f"--throttle {text}: it is not of the form OPERATION or OPERATION=TIMES")
        if found[1] not in known:
            raise WorkflowError(
                f"--throttle {text}: no operation {found[1]} can be throttled{did_you_mean(found[1], known)}"
            )
        if found[1] in times:
            raise WorkflowError(f"--throttle {text}: {found[1]} stands there twice")
        times[found[1]] = int(found[2] or 1)
    return Throttle(times)
