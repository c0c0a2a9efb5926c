"""A tuning job as DescribeHyperParameterTuningJob returns it.

TrainingJobSummaries come from ListTrainingJobsForHyperParameterTuningJob, sorted by the objective: Pipelines
has them among the properties of a tuning step, and the SDK's get_top_model_s3_uri reads them.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from workflows.definition.model import JSON
from workflows.definition.records import Record
from workflows.local.request import Request
from workflows.local.tuning.outcome import COMPLETED, FAILED, STOPPED, Trial, not_improving, ranked

_REASON_LIMIT = 1024
# What SageMaker keeps; a longer list would make every record of the tuning job long.
_MAX_SUMMARIES = 50
# Taken over from the training job.
_OF_TRAINING_JOB = (
    "TrainingJobName",
    "TrainingJobArn",
    "CreationTime",
    "TrainingStartTime",
    "TrainingEndTime",
    "TrainingJobStatus",
    "FailureReason",
)


@dataclass(frozen=True, kw_only=True)
class TuningState:
    """How far a tuning job is."""

    status: str  # InProgress, Completed, Failed or Stopped
    trials: Sequence[Trial]
    running: int  # training jobs
    runtime_s: int
    reason: str | None = None


def describe(request: Request, state: TuningState, *, name: str, arn: str, created: str, now: str) -> Record:
    """The tuning job of a request."""
    best = ranked(state.trials)[:_MAX_SUMMARIES]
    # Without expressions a request is JSON; a copy, so that no record shares parts with a running job.
    record: Record = json.loads(json.dumps(dict(request.fields)))
    record |= {
        "HyperParameterTuningJobName": name,
        "HyperParameterTuningJobArn": arn,
        "HyperParameterTuningJobStatus": state.status,
        "CreationTime": created,
        "LastModifiedTime": now,
        "TrainingJobStatusCounters": _status_counters(state),
        "ObjectiveStatusCounters": {
            "Succeeded": len(ranked(state.trials)),
            "Pending": state.running,
            "Failed": len(state.trials) - len(ranked(state.trials)),
        },
        "TuningJobCompletionDetails": {
            "NumberOfTrainingJobsObjectiveNotImproving": not_improving(state.trials)
        },
        "ConsumedResources": {"RuntimeInSeconds": state.runtime_s},
        "TrainingJobSummaries": [_summary(trial, name) for trial in best],
    }
    if best:
        record["BestTrainingJob"] = _summary(best[0], name)
    if state.status != "InProgress":
        record["HyperParameterTuningEndTime"] = now
    if state.reason is not None:
        record["FailureReason"] = state.reason[:_REASON_LIMIT]
    return record


def _status_counters(state: TuningState) -> dict[str, JSON]:
    statuses = [trial.status for trial in state.trials]
    return {
        "Completed": statuses.count(COMPLETED),
        "InProgress": state.running,
        "RetryableError": 0,
        "NonRetryableError": statuses.count(FAILED),
        "Stopped": statuses.count(STOPPED),
    }


def _summary(trial: Trial, tuning_job: str) -> dict[str, JSON]:
    summary: dict[str, JSON] = {key: trial.record[key] for key in _OF_TRAINING_JOB if key in trial.record}
    summary["TuningJobName"] = tuning_job
    summary["TunedHyperParameters"] = dict(trial.values)
    summary["ObjectiveStatus"] = "Succeeded"
    summary["FinalHyperParameterTuningJobObjectiveMetric"] = {
        "Type": trial.definition.objective.type,
        "MetricName": trial.definition.objective.metric,
        "Value": trial.objective,
    }
    if trial.definition.name is not None:
        summary["TrainingJobDefinitionName"] = trial.definition.name
    return summary
