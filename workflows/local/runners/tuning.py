"""Tuning steps: CreateHyperParameterTuningJob.

Training jobs run in batches of which each knows the results of those before it. Within a batch they start in
the order of their proposals and end in any order; results are learnt from in the order of the proposals. So
nothing depends on which job happens to be faster, and a tuning job that goes on after its engine died makes
the same proposals again: training jobs that were Completed are not run a second time.
"""

import hashlib
import json
import shutil
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace

from workflows.definition.errors import WorkflowError
from workflows.definition.records import Record
from workflows.local.faults import Fault
from workflows.local.records import HYPER_PARAMETER_TUNING_JOB, TRAINING_JOB
from workflows.local.request import Request, RequestError
from workflows.local.runners import training_job
from workflows.local.runners.base import Result, Site, StepFailed, Task
from workflows.local.tuning.description import TuningState, describe
from workflows.local.tuning.halt import Halt
from workflows.local.tuning.job import TuningJob, read_job, tuning_job_name
from workflows.local.tuning.outcome import (
    COMPLETED,
    FAILED,
    GIVE_UP_AFTER,
    STOPPED,
    Trial,
    hopeless,
    is_enough,
    objective_of,
    ranked,
)
from workflows.local.tuning.refusals import image_refusals, refusals
from workflows.local.tuning.search import Proposal, Search
from workflows.local.tuning.strategies import BAYESIAN


def run(task: Task, site: Site) -> Result:
    """Train with one combination of hyperparameters after the other, and tell which was best.

    Raises:
        RequestError: SageMaker or this machine refuses the request; every reason is in the message.
        StepFailed: no training job has come to an objective, or the execution was stopped.
    """
    request = task.request
    problems = list(refusals(request.fields, request.where))
    problems = problems or list(image_refusals(request.fields, request.where, site.images))
    if problems:
        raise RequestError("\n".join(problems))
    return tune(task, site, read_job(request))


def tune(task: Task, site: Site, job: TuningJob) -> Result:
    """Run a tuning job that is known to be right; `job` is the typed form of the task's request.

    Raises:
        StepFailed: as `run`.
    """
    with Halt(site.stopped, limit_s=job.max_runtime_s) as halt:
        return _Tuning(task, site, job, halt).run()


@dataclass(frozen=True, kw_only=True)
class _Child:
    """A training job that is to be done."""

    number: int
    name: str
    proposal: Proposal
    request: Record

    def trial(self, record: Record) -> Trial:
        """What it came to."""
        return Trial(
            number=self.number,
            definition=self.proposal.definition,
            values=self.proposal.values,
            record=record,
            objective=objective_of(self.proposal.definition, record),
        )


class _Tuning:
    """One try at a tuning job."""

    def __init__(self, task: Task, site: Site, job: TuningJob, halt: Halt) -> None:
        self._task, self._site, self._job, self._halt = task, site, job, halt
        self._name = tuning_job_name(task.name)
        self._arn = site.arn(HYPER_PARAMETER_TUNING_JOB, self._name)
        earlier = site.find(HYPER_PARAMETER_TUNING_JOB, self._name) or {}
        self._created = str(earlier.get("CreationTime") or site.now())
        self._began = time.monotonic()
        self._trials: list[Trial] = []
        self._fault = task.fault
        # Their lines are in their logs; of jobs side by side they would come mixed up.
        self._child_site = replace(
            site,
            stopped=halt.event,
            record=self._record_child,
            report=_say_nothing,
            metric=_keep_nothing,
        )

    def run(self) -> Result:
        """Search until it is enough, or hopeless."""
        search = Search(self._job, self._seed())
        failure: str | None = None
        while failure is None and (proposals := search.propose(self._batch_size())):
            batch = self._train(proposals)
            if self._halt.event.is_set():
                break
            for trial in batch:
                search.learn(trial.objective)
            failure = hopeless(self._trials, all_done=False)
        if self._site.stopped.is_set():
            raise self._failed(STOPPED, "the execution was stopped")
        if failure := failure or hopeless(self._trials, all_done=True):
            raise self._failed(FAILED, failure)
        return self._result(self._state(COMPLETED))

    def _seed(self) -> str:
        return self._name if self._job.seed is None else str(self._job.seed)

    def _batch_size(self) -> int:
        """How many training jobs may start before anything more is decided."""
        left = self._job.max_jobs - len(self._trials)
        if self._halt.event.is_set() or is_enough(self._job, self._trials):
            return 0
        if self._job.strategy == BAYESIAN or self._job.target is not None or self._job.patience is not None:
            return min(left, self._job.parallel)
        # Nothing is learnt, so nothing need wait, except for whether any training job succeeds at all.
        return left if self._trials else min(left, max(self._job.parallel, GIVE_UP_AFTER))

    def _train(self, proposals: list[Proposal]) -> list[Trial]:
        """Run the training jobs of some proposals; returns those that ended, in the proposals' order."""
        first = len(self._trials) + 1
        children = [self._child(number, proposal) for number, proposal in enumerate(proposals, first)]
        earlier = {child.number: self._completed_earlier(child) for child in children}
        trials = [child.trial(record) for child in children if (record := earlier[child.number])]
        fresh = [child for child in children if earlier[child.number] is None]
        for trial in trials:
            self._ended(trial, running=len(fresh), note="from an earlier try; ")
        trials += self._run_side_by_side(fresh)
        return sorted(trials, key=lambda trial: trial.number)

    def _run_side_by_side(self, children: list[_Child]) -> list[Trial]:
        trials: list[Trial] = []
        left = len(children)
        self._record(running=left)
        # A full disk or a bug ends all of them: none is worth waiting for.
        with ThreadPoolExecutor(self._job.parallel, "tuning") as pool, self._halt.on_error():
            futures = [pool.submit(self._run_child, child, self._take_fault()) for child in children]
            for future in as_completed(futures):
                left -= 1
                if (trial := future.result()) is not None:
                    trials.append(trial)
                    self._ended(trial, running=left)
        return trials

    def _child(self, number: int, proposal: Proposal) -> _Child:
        definition = proposal.definition
        # The name says what is asked for, so that a training job is never taken for one with other values.
        asked = definition.training_request(proposal.values, job_name="")
        digest = hashlib.sha256(json.dumps([number, definition.name, asked], sort_keys=True).encode())
        name = f"{self._name}-{number:03}-{digest.hexdigest()[:8]}"
        request = definition.training_request(proposal.values, job_name=name)
        return _Child(number=number, name=name, proposal=proposal, request=request)

    def _completed_earlier(self, child: _Child) -> Record | None:
        record = self._site.find(TRAINING_JOB, child.name)
        return record if record and record.get("TrainingJobStatus") == COMPLETED else None

    def _take_fault(self) -> Fault | None:
        """A fault is met by the first training job of a try."""
        fault, self._fault = self._fault, None
        return fault

    def _run_child(self, child: _Child, fault: Fault | None) -> Trial | None:
        """Train; None if it is too late to begin."""
        if self._halt.event.is_set():
            return None
        folder = self._task.folder / child.name
        folder.mkdir(exist_ok=True)
        task = Task(
            step=self._task.step,
            name=child.name,
            request=Request(child.request, child.proposal.definition.request.where),
            fields=Request({}, self._task.fields.where),
            folder=folder,
            fault=fault,
        )
        with self._halt.on_error():
            record = self._describe_training(task)
            if record["TrainingJobStatus"] == STOPPED and not self._site.stopped.is_set():
                record["FailureReason"] = "the tuning job has reached its MaxRuntimeInSeconds"
            self._record_child(TRAINING_JOB, child.name, record)
        return child.trial(record)

    def _record_child(self, kind: str, name: str, record: Record) -> None:
        self._site.record(kind, name, {**record, "TuningJobArn": self._arn})

    def _describe_training(self, task: Task) -> Record:
        """Run a training job; what it came to, also if it failed."""
        try:
            return training_job.run(task, self._child_site).description
        except StepFailed as failed:
            if failed.result is not None:
                return failed.result.description
            return self._describe_failure(task, failed.reason)
        except WorkflowError as error:
            return self._describe_failure(task, f"ClientError: {error}")
        except OSError:
            # On a full disk its tree is in the way of the records that say so.
            shutil.rmtree(task.folder / "opt-ml", ignore_errors=True)
            raise

    def _describe_failure(self, task: Task, reason: str) -> Record:
        """A training job that failed before it ran."""
        now = self._site.now()
        return {
            **task.request.fields,
            "TrainingJobName": task.name,
            "TrainingJobArn": self._site.arn(TRAINING_JOB, task.name),
            "TrainingJobStatus": FAILED,
            "FailureReason": reason[:1024],
            "CreationTime": now,
            "TrainingEndTime": now,
        }

    def _ended(self, trial: Trial, *, running: int, note: str = "") -> None:
        self._trials.append(trial)
        self._record(running=running)
        if trial.objective is not None:
            self._site.metric(self._task.step, trial.definition.objective.metric, trial.objective)
        self._site.report(self._task.step, self._line(trial, note))

    def _line(self, trial: Trial, note: str) -> str:
        values = ", ".join(f"{name}={value}" for name, value in trial.values.items())
        metric = trial.definition.objective.metric
        outcome = trial.reason if trial.objective is None else f"{metric}={trial.objective:g}"
        best = ranked(self._trials)[:1]
        so_far = f"best so far: {best[0].objective:g}, {best[0].name}" if best else "none succeeded so far"
        return f"{trial.name}: {values}: {outcome} ({note}{so_far})"

    def _record(self, *, running: int) -> None:
        state = self._state("InProgress", running=min(running, self._job.parallel))
        self._site.record(HYPER_PARAMETER_TUNING_JOB, self._name, self._describe(state))

    def _state(self, status: str, *, running: int = 0, reason: str | None = None) -> TuningState:
        runtime_s = int(time.monotonic() - self._began)
        return TuningState(
            status=status, trials=self._trials, running=running, runtime_s=runtime_s, reason=reason
        )

    def _describe(self, state: TuningState) -> Record:
        return describe(
            self._task.request,
            state,
            name=self._name,
            arn=self._arn,
            created=self._created,
            now=self._site.now(),
        )

    def _result(self, state: TuningState) -> Result:
        return Result(
            kind=HYPER_PARAMETER_TUNING_JOB,
            name=self._name,
            description=self._describe(state),
            metadata={"TuningJob": {"Arn": self._arn}},
        )

    def _failed(self, status: str, reason: str) -> StepFailed:
        return StepFailed(reason, self._result(self._state(status, reason=reason)))


def _say_nothing(_step: str, _line: str) -> None:
    return


def _keep_nothing(_step: str, _metric: str, _value: float) -> None:
    return
