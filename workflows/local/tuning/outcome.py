"""How training jobs of a tuning job turned out, which is best, and whether the search has seen enough."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from workflows.definition.model import JSON
from workflows.local.tuning.job import TrainingDefinition, TuningJob
from workflows.local.tuning.space import Values

COMPLETED, FAILED, STOPPED = "Completed", "Failed", "Stopped"  # TrainingJobStatus
# SageMaker gives up when none of this many training jobs has come to an objective.
GIVE_UP_AFTER = 5
# What counts as better, as a share of the best so far (BestObjectiveNotImproving).
_IMPROVEMENT = 0.01


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One training job that has ended."""

    number: int  # from 1, in the order of the proposals
    definition: TrainingDefinition
    values: Values
    record: Mapping[str, JSON]  # as DescribeTrainingJob returns it
    objective: float | None  # None: it failed, was stopped, or published no such metric

    @property
    def name(self) -> str:
        """TrainingJobName."""
        return str(self.record["TrainingJobName"])

    @property
    def status(self) -> str:
        """TrainingJobStatus."""
        return str(self.record["TrainingJobStatus"])

    @property
    def reason(self) -> str | None:
        """Why it came to no objective."""
        if self.objective is not None:
            return None
        if self.status == COMPLETED:
            return f"it published no value of metric '{self.definition.objective.metric}'"
        return str(self.record.get("FailureReason") or self.status)


def objective_of(definition: TrainingDefinition, record: Mapping[str, JSON]) -> float | None:
    """The final objective of a training job; None unless it is Completed and has published a number."""
    metrics = record.get("FinalMetricDataList")
    if record.get("TrainingJobStatus") != COMPLETED or not isinstance(metrics, list):
        return None
    for metric in metrics:
        if isinstance(metric, dict) and metric.get("MetricName") == definition.objective.metric:
            value = metric.get("Value")
            if isinstance(value, int | float) and math.isfinite(value):
                return float(value)
    return None


def ranked(trials: Iterable[Trial]) -> list[Trial]:
    """Those with an objective, the best first; of equal ones the earlier proposal first."""
    return sorted((trial for trial in trials if trial.objective is not None), key=_rank)


def _rank(trial: Trial) -> tuple[float, int]:
    return -_score(trial), trial.number


def _score(trial: Trial) -> float:
    return trial.definition.objective.score(trial.objective if trial.objective is not None else -math.inf)


def not_improving(trials: Iterable[Trial]) -> int:
    """How many of the last training jobs were not better than the best before them by a hundredth.

    The API reference counts improvements below 1 % as none; jobs without an objective are not counted.
    """
    best, count = -math.inf, 0
    for trial in sorted(trials, key=lambda trial: trial.number):
        if trial.objective is None:
            continue
        if best == -math.inf or _improves(_score(trial), best):
            count = 0
        else:
            count += 1
        best = max(best, _score(trial))
    return count


def _improves(score: float, best: float) -> bool:
    return score > best and score >= best + _IMPROVEMENT * abs(best)


def is_enough(job: TuningJob, trials: Sequence[Trial]) -> bool:
    """Whether one of the completion criteria is met."""
    if job.target is not None and any(_reaches(trial, job.target) for trial in trials):
        return True
    return job.patience is not None and not_improving(trials) >= job.patience


def _reaches(trial: Trial, target: float) -> bool:
    return trial.objective is not None and _score(trial) >= trial.definition.objective.score(target)


def hopeless(trials: Sequence[Trial], *, all_done: bool) -> str | None:
    """Why the tuning job fails, in SageMaker's words; None as long as one training job has an objective."""
    if ranked(trials) or not (all_done or len(trials) >= GIVE_UP_AFTER):
        return None
    if not trials:
        return "MaxRuntimeExceeded: no training job has ended within MaxRuntimeInSeconds of the tuning job"
    in_order = sorted(trials, key=lambda trial: trial.number)
    if all(trial.status == COMPLETED for trial in trials):
        return (
            f"No objective metrics found after running {len(trials)} training jobs. Please ensure that the "
            "custom algorithm is emitting the objective metric as defined by the regular expression provided "
            f"(here: '{in_order[0].definition.objective.metric}')."
        )
    failed = next(trial for trial in in_order if trial.status != COMPLETED)
    return (
        f"No training job succeeded after {len(trials)} attempts. Please take a look at the training job "
        f"failures to get more details. The first: {failed.name}: {failed.reason}"
    )
