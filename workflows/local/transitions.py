"""The secondary statuses that a training job goes through, as DescribeTrainingJob lists them."""

from collections.abc import Callable, Mapping

from workflows.definition.model import JSON

STARTING, DOWNLOADING, TRAINING, UPLOADING = "Starting", "Downloading", "Training", "Uploading"
INTERRUPTED, COMPLETED, FAILED, STOPPED = "Interrupted", "Completed", "Failed", "Stopped"
MAX_RUNTIME_EXCEEDED = "MaxRuntimeExceeded"

_MESSAGES: Mapping[str, str] = {
    STARTING: "Preparing the instances for training",
    DOWNLOADING: "Downloading input data",
    TRAINING: "Training image download completed. Training in progress.",
    UPLOADING: "Uploading generated training model",
    INTERRUPTED: "The managed spot training instances were interrupted",
    COMPLETED: "Training job completed",
    FAILED: "Training job failed",
    STOPPED: "Training job stopped",
    MAX_RUNTIME_EXCEEDED: "Training job runtime exceeded MaxRuntimeInSeconds",
}
_LAST = {COMPLETED, FAILED, STOPPED, MAX_RUNTIME_EXCEEDED}


class Transitions:
    """SecondaryStatus and SecondaryStatusTransitions of one job."""

    def __init__(self, now: Callable[[], str]) -> None:
        """`now` gives the time as records hold it."""
        self._now = now
        self._entries: list[dict[str, JSON]] = []

    def enter(self, status: str) -> None:
        """The job has come to another status."""
        now = self._now()
        if self._entries:
            self._entries[-1]["EndTime"] = now
        entry: dict[str, JSON] = {"Status": status, "StartTime": now, "StatusMessage": _MESSAGES[status]}
        if status in _LAST:
            entry["EndTime"] = now
        self._entries.append(entry)

    def fields(self) -> dict[str, JSON]:
        """Both fields, as they are now."""
        listed: list[JSON] = [dict(entry) for entry in self._entries]
        return {"SecondaryStatus": self._entries[-1]["Status"], "SecondaryStatusTransitions": listed}
