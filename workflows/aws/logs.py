"""What jobs and endpoints write, out of CloudWatch Logs."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from workflows.aws.clients import Clients, pages
from workflows.aws.errors import is_missing
from workflows.definition.records import Record, at, last_part

# Key of a step's metadata -> the group that the job's streams are in; each is JOB/HOST-….
_GROUPS = {
    "ProcessingJob": "/aws/sagemaker/ProcessingJobs",
    "TrainingJob": "/aws/sagemaker/TrainingJobs",
    "TuningJob": "/aws/sagemaker/TrainingJobs",
    "TransformJob": "/aws/sagemaker/TransformJobs",
}
# A job's hosts begin to write at different times: the list of streams is looked at again this often.
_LIST_EVERY = 10


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line of a log."""

    stream: str
    time_ms: int  # since 1970
    text: str


@dataclass
class Tail:
    """Reads the streams of a job, going on where it stopped."""

    clients: Clients
    group: str
    prefix: str = ""  # of the streams' names
    _tokens: dict[str, str | None] = field(default_factory=dict)
    _reads: int = 0

    def read(self, *, last: bool = False) -> list[Line]:
        """What has been written since the last call, the streams merged by time.

        Of what comes faster than it is read, a page of each stream, which is up to 10,000 lines.

        Args:
            last: whether it is the last call: nothing is left behind, nor any stream that began late.
        """
        whole = last or self._reads == 0
        if whole or not self._tokens or self._reads % _LIST_EVERY == 0:
            for name in self._streams():
                self._tokens.setdefault(name, None)
        self._reads += 1
        return _merged(line for name in self._tokens for line in self._new(name, whole=whole))

    def end(self, count: int) -> list[Line]:
        """The last lines of the whole log; a long one is not read for them."""
        answers = (
            (name, self.clients.logs.get_log_events(logGroupName=self.group, logStreamName=name, limit=count))
            for name in self._streams()
        )
        return _merged(line for name, answer in answers for line in _lines(name, answer))[-count:]

    def _streams(self) -> list[str]:
        only = {"logStreamNamePrefix": self.prefix} if self.prefix else {}
        found = pages(
            self.clients.logs, "describe_log_streams", "logStreams", logGroupName=self.group, **only
        )
        try:
            return [str(stream["logStreamName"]) for stream in found]
        except ClientError as error:
            if is_missing(error):
                return []  # the group is made with the first stream in it
            raise

    def _new(self, stream: str, *, whole: bool) -> Iterator[Line]:
        while True:
            token = self._tokens[stream]
            more = {"nextToken": token} if token else {}
            try:
                answer = self.clients.logs.get_log_events(
                    logGroupName=self.group, logStreamName=stream, startFromHead=True, **more
                )
            except ClientError as error:
                if is_missing(error):
                    return  # a job that begins again has none for an instant
                raise
            yield from _lines(stream, answer)
            self._tokens[stream] = answer["nextForwardToken"]
            # At the end of a stream the same token comes again; a page without events is no end.
            if not whole or answer["nextForwardToken"] == token:
                return


@dataclass
class StepLog:
    """The log of a step: of its job, and of the next job where the step is tried again."""

    clients: Clients
    job: str | None = None  # ARN of the one that is read
    _tail: Tail | None = None

    def read(self, step: Record, *, last: bool = False) -> list[Line]:
        """What has been written since the last call; nothing while there is no job.

        Args:
            step: as ListPipelineExecutionSteps has it now.
            last: whether it has ended.
        """
        job = _job_of(step)
        if job is None or job[1] == self.job:
            return self._tail.read(last=last) if self._tail else []
        rest = self._tail.read(last=True) if self._tail else []
        self.job, self._tail = job[1], _tail_of(self.clients, *job)
        return rest + self._tail.read(last=last)


def tail_of_step(clients: Clients, step: Record) -> Tail | None:
    """The log of a step's job; None while there is no job, or if the step makes none."""
    job = _job_of(step)
    return _tail_of(clients, *job) if job else None


def tail_of_endpoint(clients: Clients, endpoint: str) -> Tail:
    """The log of an endpoint's containers."""
    return Tail(clients, f"/aws/sagemaker/Endpoints/{endpoint}")


def _job_of(step: Record) -> tuple[str, str] | None:
    """Key of a step's metadata, and the job's ARN."""
    for key in _GROUPS:
        arn = at(step, "Metadata", key, "Arn")
        if arn:
            return key, str(arn)
    return None


def _tail_of(clients: Clients, key: str, arn: str) -> Tail:
    # A tuning job's training jobs have names that begin with its own.
    end = "-" if key == "TuningJob" else "/"
    return Tail(clients, _GROUPS[key], f"{last_part(arn)}{end}")


def _merged(lines: Iterable[Line]) -> list[Line]:
    return sorted(lines, key=lambda line: line.time_ms)


def _lines(stream: str, answer: Mapping[str, Any]) -> Iterator[Line]:
    """The events in an answer of GetLogEvents."""
    for event in answer["events"]:
        yield Line(stream=stream, time_ms=event["timestamp"], text=event["message"])
