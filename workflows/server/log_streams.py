"""Which log groups and streams there are: those of SageMaker's jobs and endpoints, by the service's names.

Source: SageMaker Developer Guide, "Log Groups and Streams that Amazon SageMaker Sends to CloudWatch Logs".
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, partial
from pathlib import Path

from workflows.definition.model import JSON
from workflows.definition.records import Record
from workflows.local import job_logs
from workflows.local.records import ENDPOINT, PROCESSING_JOB, TRAINING_JOB, TRANSFORM_JOB
from workflows.local.request import Request
from workflows.local.store import Store

_ENDPOINTS = "/aws/sagemaker/Endpoints/"
_VARIANT = "AllTraffic"
_ENDED = ("Completed", "Failed", "Stopped")
# Of what is still written; later than all that is not.
_STILL = 1 << 62


@dataclass(frozen=True, kw_only=True)
class JobGroup:
    """A kind of job with a log group of its own."""

    group: str
    kind: str  # of its records
    prefix: str  # of their fields
    instances: str  # path of the number of its hosts


JOB_GROUPS = (
    JobGroup(
        group="/aws/sagemaker/ProcessingJobs",
        kind=PROCESSING_JOB,
        prefix="ProcessingJob",
        instances="ProcessingResources.ClusterConfig.InstanceCount",
    ),
    JobGroup(
        group="/aws/sagemaker/TrainingJobs",
        kind=TRAINING_JOB,
        prefix="TrainingJob",
        instances="ResourceConfig.InstanceCount",
    ),
    # One container does the work of all instances here.
    JobGroup(group="/aws/sagemaker/TransformJobs", kind=TRANSFORM_JOB, prefix="TransformJob", instances=""),
)
_BY_GROUP: Mapping[str, JobGroup] = {job.group: job for job in JOB_GROUPS}


@dataclass(frozen=True, kw_only=True)
class Stream:
    """The log of one container."""

    name: str
    find: Callable[[], Path]
    began: int  # milliseconds since 1970
    changed: int  # its job, at last
    complete: bool  # nothing more is written

    @cached_property
    def file(self) -> Path:
        """The log, which may not exist yet, or no more. Found when it is needed: streams are many."""
        return self.find()


def exists(store: Store, group: str) -> bool:
    """Whether there is a log group of this name: the jobs' always, an endpoint's as long as it exists."""
    return group in _BY_GROUP or _endpoint_of(store, group) is not None


def groups(store: Store) -> list[str]:
    """The names of all log groups, in their order."""
    endpoints = [f"{_ENDPOINTS}{record['EndpointName']}" for record in store.all(ENDPOINT)]
    return sorted([*_BY_GROUP, *endpoints])


def streams(store: Store, group: str, prefix: str = "") -> list[Stream]:
    """The streams of a group whose names begin so, in no order; their files need not exist."""
    kind = _BY_GROUP.get(group)
    if kind is None:
        endpoint = _endpoint_of(store, group)
        found = _of_endpoint(store, endpoint) if endpoint else iter(())
    else:
        found = (stream for record in _jobs(store, kind, prefix) for stream in _of_job(store, kind, record))
    return [stream for stream in found if stream.name.startswith(prefix)]


def _jobs(store: Store, kind: JobGroup, prefix: str) -> list[Record]:
    name, slash, _ = prefix.partition("/")
    if slash:
        # As every client asks that waits for a job: one look, however many jobs there are.
        record = store.find(kind.kind, name)
        return [record] if record else []
    return [job for job in store.all(kind.kind) if str(job[f"{kind.prefix}Name"]).startswith(prefix)]


def _of_job(store: Store, kind: JobGroup, record: Record) -> Iterator[Stream]:
    name = str(record[f"{kind.prefix}Name"])
    began = milliseconds(record["CreationTime"])
    complete = record.get(f"{kind.prefix}Status") in _ENDED
    for host, place in _hosts(kind, record, name):
        yield Stream(
            name=f"{name}/{host}-{began // 1000}",
            find=partial(_file, store, kind, name, place),
            began=began,
            changed=milliseconds(record.get("LastModifiedTime", record["CreationTime"]))
            if complete
            else _STILL,
            complete=complete,
        )


def _file(store: Store, kind: JobGroup, name: str, place: Path) -> Path:
    return job_logs.folder_of(store, kind.kind, name) / place


def _hosts(kind: JobGroup, record: Record, name: str) -> Iterator[tuple[str, Path]]:
    """The hosts of a job, with the places of their logs in its folder."""
    if not kind.instances:
        yield _instance(name), Path(job_logs.LOG)
        return
    count = Request(record, name).number(kind.instances, 1)
    for number in range(1, count + 1):
        host = f"algo-{number}"
        yield host, Path(job_logs.LOG) if count == 1 else Path(host, job_logs.LOG)


def _endpoint_of(store: Store, group: str) -> str | None:
    name = group.removeprefix(_ENDPOINTS)
    return name if name != group and store.find(ENDPOINT, name) else None


def _of_endpoint(store: Store, endpoint: str) -> Iterator[Stream]:
    record = store.find(ENDPOINT, endpoint)
    if record is not None:
        yield Stream(
            name=f"{_VARIANT}/{_instance(endpoint)}",
            find=lambda: job_logs.log_of(store, ENDPOINT, endpoint),
            began=milliseconds(record["CreationTime"]),
            changed=_STILL,
            complete=False,
        )


def _instance(of: str) -> str:
    """An instance's id, always the same for the same job or endpoint."""
    return f"i-0{hashlib.sha256(of.encode()).hexdigest()[:16]}"


def milliseconds(time: JSON) -> int:
    """A record's time as CloudWatch has it."""
    return int(datetime.fromisoformat(str(time)).timestamp() * 1000)
