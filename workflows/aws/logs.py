"""What jobs and endpoints write, out of CloudWatch Logs."""

from collections.abc import Iterator
from dataclasses import dataclass, field

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
    prefix: str  # of the streams' names
    _tokens: dict[str, str | None] = field(default_factory=dict)
    _reads: int = 0

    def read(self) -> list[Line]:
        """What has been written since the last call, the streams merged by time."""
        if not self._tokens or self._reads % _LIST_EVERY == 0:
            for name in self._streams():
                self._tokens.setdefault(name, None)
        self._reads += 1
        lines = [line for name in self._tokens for line in self._new(name)]
        return sorted(lines, key=lambda line: line.time_ms)

    def _streams(self) -> list[str]:
        found = pages(
            self.clients.logs,
            "describe_log_streams",
            "logStreams",
            logGroupName=self.group,
            logStreamNamePrefix=self.prefix,
        )
        try:
            return [str(stream["logStreamName"]) for stream in found]
        except ClientError as error:
            if is_missing(error):
                return []  # the group is made with the first stream in it
            raise

    def _new(self, stream: str) -> Iterator[Line]:
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
            for event in answer["events"]:
                yield Line(stream=stream, time_ms=event["timestamp"], text=event["message"])
            self._tokens[stream] = answer["nextForwardToken"]
            # At the end of a stream the same token comes again.
            if answer["nextForwardToken"] == token or not answer["events"]:
                return


def tail_of_step(clients: Clients, step: Record) -> Tail | None:
    """The log of a step's job; None while there is no job, or if the step makes none."""
    for key, group in _GROUPS.items():
        arn = at(step, "Metadata", key, "Arn")
        if arn:
            # A tuning job's training jobs have names that begin with its own.
            end = "-" if key == "TuningJob" else "/"
            return Tail(clients, group, f"{last_part(arn)}{end}")
    return None


def tail_of_endpoint(clients: Clients, endpoint: str) -> Tail:
    """The log of an endpoint's containers."""
    return Tail(clients, f"/aws/sagemaker/Endpoints/{endpoint}", "")
