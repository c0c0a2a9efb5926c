"""What the operations on processing, training, transform and tuning jobs have in common."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from workflows.definition.model import JSON
from workflows.definition.records import last_part
from workflows.local.job_control import ACTIVE, request_stop
from workflows.local.job_kinds import JobKind, job_folder
from workflows.local.liveness import StillRunning, engine_of
from workflows.local.records import TAGS
from workflows.local.removal import Remover
from workflows.local.standalone import StandaloneJob, reasons_against
from workflows.server.errors import AwsError, in_use, validation
from workflows.server.machine import Machine
from workflows.server.sagemaker.defaults import with_defaults
from workflows.server.sagemaker.lists import Listing
from workflows.server.sagemaker.tags import tags_write, without_tags
from workflows.server.shapes import Input, Output


@dataclass(frozen=True, kw_only=True)
class JobOperations:
    """The operations on jobs of one kind; each is a method that the operations' table can hold."""

    kind: JobKind
    noun: str  # in AWS's messages, such as "training job"
    unknown: Callable[[str], AwsError]  # name of a job that is not there -> error of Describe
    unknown_to_stop: Callable[[str], AwsError]
    taken: str  # message about a name that is taken; {arn} stands for the other job's
    summaries: str  # field of the List call's answer
    refusals: Callable[[Machine, Input], Iterator[str]]  # beside those of steps of this kind
    defaults: Mapping[str, JSON]  # see defaults.py
    default_sort: str = "CreationTime"
    default_order: str = "Ascending"

    def create(self, machine: Machine, given: Input) -> Output:
        """Create…Job: the job runs in the background."""
        request, place = without_tags(given), machine.engine.place
        runner = machine.engine.runners[self.kind.step_type]
        job = StandaloneJob(machine.store, place, runner, self.kind, request)
        if machine.store.find(self.kind.record, job.name) is not None:
            raise in_use(self.taken.format(arn=job.arn))
        reasons = [
            *self.refusals(machine, request),
            *reasons_against(self.kind, request, machine.engine.place),
        ]
        if reasons:
            raise validation("; ".join(dict.fromkeys(reasons)))
        if not job.register(*tags_write(job.arn, {"CreationTime": job.created}, given)):
            raise in_use(self.taken.format(arn=job.arn))
        # Its name may be that of a deleted job whose thread has not quite ended.
        machine.background.start(f"{job.arn} {uuid4()}", job.run, stop=job.stop)
        return {self.kind.arn: job.arn}

    def describe(self, machine: Machine, given: Input) -> Output:
        """Describe…Job."""
        name = str(given[self.kind.name])
        record = machine.store.find(self.kind.record, name)
        if record is None:
            raise self.unknown(name)
        return with_defaults(record, self.defaults)

    def stop(self, machine: Machine, given: Input) -> Output:
        """Stop…Job: the job is Stopping until its containers have ended."""
        name = str(given[self.kind.name])
        record = machine.store.find(self.kind.record, name)
        if record is None:
            raise self.unknown_to_stop(name)
        if record[self.kind.status] not in ACTIVE:
            raise validation(
                f"The request was rejected because the {self.noun} is in status {record[self.kind.status]}."
            )
        self._refuse_for_others(machine, name, record)
        request_stop(machine.store, self.kind, name)
        return {}

    def list_page(self, machine: Machine, given: Input) -> Output:
        """List…Jobs."""
        listing = Listing(
            kind=self.kind.record,
            name=self.kind.name,
            status=self.kind.status,
            sort_by=self.default_sort,
            order=self.default_order,
        )
        listed, token = listing.page(machine.store, given)
        return {self.summaries: list[JSON](listed), "NextToken": token}

    def delete(self, machine: Machine, given: Input) -> Output:
        """Delete…Job, with its folder; what it has stored stays."""
        name = str(given[self.kind.name])
        record = machine.store.find(self.kind.record, name)
        if record is None:
            raise self.unknown(name)
        if record[self.kind.status] in ACTIVE:
            raise in_use(f"The {self.noun} {name} is in status {record[self.kind.status]}; stop it first")
        folder = job_folder(machine.store, self.kind.record, name)
        if not folder.is_dir():
            raise validation(f"The {self.noun} {name} belongs to another resource, and goes with it")
        with _held(folder):
            machine.store.delete_all(
                [(self.kind.record, name), (TAGS, machine.names.arn(self.kind.record, name))]
            )
            Remover(machine.store.home).tree(folder)
        return {}

    def _refuse_for_others(self, machine: Machine, name: str, record: Mapping[str, JSON]) -> None:
        """Of a job that a tuning job or a pipeline has made, only the whole can be stopped here."""
        tuning_job = record.get("TuningJobArn")
        if tuning_job is not None:
            raise validation(
                f"The {self.noun} {name} belongs to tuning job {last_part(tuning_job)}; on this machine only "
                "that can be stopped, with StopHyperParameterTuningJob"
            )
        if not job_folder(machine.store, self.kind.record, name).is_dir():
            raise validation(
                f"The {self.noun} {name} belongs to a pipeline execution; on this machine only that can be "
                "stopped, with StopPipelineExecution"
            )


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    try:
        with engine_of(folder):
            yield
    except StillRunning:
        raise in_use(f"The job {folder.name} is being ended; try again") from None


def not_found(message: str) -> Callable[[str], AwsError]:
    """A ValidationException about a job that is not there; {name} stands for its name."""
    return lambda name: validation(message.format(name=name))
