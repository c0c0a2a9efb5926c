"""The most that a run can cost: price x longest runtime x instances x tries, by step and in all.

An upper bound, of instances alone: storage, transfer, logs and other services come on top. Jobs that end
early cost less, as most do; spot instances and cached steps, too.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from workflows.definition.errors import DefinitionError
from workflows.definition.model import JSON
from workflows.definition.policies import retry_policy
from workflows.preflight.context import Context
from workflows.preflight.document import RawStep, at, list_of, object_of, objects
from workflows.preflight.findings import Path
from workflows.preflight.rules.jobs import DEFAULT_RUNTIME_S
from workflows.preflight.trainings import trainings

_HOUR_S = 3600
# Only of these failures has an instance run; after the others no job has started.
_PAID_FAILURE = "SageMaker.JOB_INTERNAL_ERROR"
_PROCESSING = ("Processing", "ClarifyCheck", "QualityCheck")


@dataclass(frozen=True, kw_only=True)
class StepCost:
    """What one step's instances can cost."""

    step: str
    path: Path
    instance: str | None  # None: not known before the step starts
    count: int | None
    billed_s: int | None  # the longest, all tries together; None: the service sets no limit
    jobs: int = 1  # of a tuning
    price: float | None  # per instance and hour; None: not in the table

    @property
    def amount(self) -> float | None:
        """The most that it costs; None if it cannot be said."""
        if self.price is None or self.count is None or self.billed_s is None:
            return None
        return self.price * self.count * self.jobs * self.billed_s / _HOUR_S

    @property
    def per_hour(self) -> float | None:
        """What all its instances cost in an hour."""
        return None if self.price is None or self.count is None else self.price * self.count


@dataclass(frozen=True, kw_only=True)
class Costs:
    """The costs of a run."""

    steps: tuple[StepCost, ...]  # that have a limit, or should have
    open_ended: tuple[StepCost, ...]  # transform jobs and endpoints: nothing in the definition ends them
    total: float  # of a condition's branches only the dearer one counts
    is_complete: bool  # whether every step in `steps` is in the total


def costs_of(context: Context) -> Costs:
    """What a run of the definition can cost."""
    limited = tuple(_limited(context))
    amounts: dict[str, float] = {}
    for cost in limited:
        amounts[cost.step] = amounts.get(cost.step, 0.0) + (cost.amount or 0.0)
    sides: dict[tuple[str, bool], float] = {}
    total = 0.0
    for step in context.steps:
        amount = amounts.get(step.name, 0.0)
        if step.branch is None:
            total += amount
        else:
            side = (step.branch.condition, step.branch.outcome)
            sides[side] = sides.get(side, 0.0) + amount
    for condition in {condition for condition, _ in sides}:
        total += max(sides.get((condition, True), 0.0), sides.get((condition, False), 0.0))
    order = [step.name for step in context.steps]
    return Costs(
        steps=tuple(sorted(limited, key=lambda cost: order.index(cost.step))),
        open_ended=tuple(_open_ended(context)),
        total=total,
        is_complete=all(cost.amount is not None for cost in limited),
    )


def _limited(context: Context) -> Iterator[StepCost]:
    for step in context.of_type(*_PROCESSING):
        cluster = ("ProcessingResources", "ClusterConfig")
        yield _cost(
            context,
            step,
            object_of(at(dict(step.arguments), *cluster)),
            (*step.arguments_path, *cluster),
            _billed(context, step, step.arguments),
        )
    for training in trainings(context):
        jobs = 1
        if training.step.type == "Tuning":
            limits = at(training.step.arguments.get("HyperParameterTuningJobConfig"), "ResourceLimits")
            jobs = context.whole_number_at(at(limits, "MaxNumberOfTrainingJobs")) or 1
        billed = _billed(context, training.step, training.node)
        groups = list(
            objects(training.resources.get("InstanceGroups"), (*training.resources_path, "InstanceGroups"))
        )
        for node, path in groups or [(dict(training.resources), training.resources_path)]:
            yield _cost(context, training.step, node, path, billed, jobs=jobs)


def _open_ended(context: Context) -> Iterator[StepCost]:
    for step in context.of_type("Transform"):
        path = (*step.arguments_path, "TransformResources")
        yield _cost(context, step, object_of(step.arguments.get("TransformResources")), path, None)
    for step in context.of_type("EndpointConfig"):
        variants = (*step.arguments_path, "ProductionVariants")
        for node, path in objects(step.arguments.get("ProductionVariants"), variants):
            if "InstanceType" in node:
                renamed = {**node, "InstanceCount": node.get("InitialInstanceCount", 1)}
                yield _cost(context, step, renamed, path, None)


def _cost(
    context: Context,
    step: RawStep,
    resources: Mapping[str, JSON],
    path: Path,
    billed_s: int | None,
    *,
    jobs: int = 1,
) -> StepCost:
    instance = context.text_at(resources.get("InstanceType"))
    return StepCost(
        step=step.name,
        path=path,
        instance=instance,
        count=context.whole_number_at(resources.get("InstanceCount")),
        billed_s=billed_s,
        jobs=jobs,
        price=context.prices.per_hour.get(instance) if instance else None,
    )


def _billed(context: Context, step: RawStep, job: Mapping[str, JSON]) -> int | None:
    """Seconds that are paid for at the most; None if the limit is not known before the step starts."""
    condition = object_of(job.get("StoppingCondition"))
    runtime = context.whole_number_at(condition.get("MaxRuntimeInSeconds", DEFAULT_RUNTIME_S))
    if runtime is None:
        return None
    inside = context.whole_number_at(at(job.get("RetryStrategy"), "MaximumRetryAttempts")) or 0
    kept = context.whole_number_at(at(job.get("ResourceConfig"), "KeepAlivePeriodInSeconds")) or 0
    return _tried_again(step, runtime * (1 + inside) + kept)


def _tried_again(step: RawStep, once_s: int) -> int:
    """Seconds of a job and of what its retry policies add."""
    for node in list_of(step.node.get("RetryPolicies")):
        try:
            policy = retry_policy(object_of(node), step.type, "")
        except DefinitionError:
            continue
        if _PAID_FAILURE not in policy.exception_types:
            continue
        if policy.expire_after_min is not None:
            # The last try may begin when the time is nearly over.
            return once_s + max(once_s, policy.expire_after_min * 60)
        return once_s * (1 + (policy.max_attempts or 0))
    return once_s
