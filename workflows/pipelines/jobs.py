"""What the jobs of one pipeline have in common: role, keys, network, tags, cache, retries."""

from dataclasses import dataclass

from workflows.pipelines.sdk import (
    CacheConfig,
    ExecutionVariables,
    Join,
    PipelineSession,
    SageMakerJobExceptionTypeEnum,
    SageMakerJobStepRetryPolicy,
    StepExceptionTypeEnum,
    StepRetryPolicy,
)


@dataclass(frozen=True, kw_only=True)
class Vpc:
    """Where jobs and models run in the customer's own network."""

    subnets: tuple[str, ...]
    security_group_ids: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class SpotTraining:
    """Managed spot capacity, with checkpoints so that an interrupted job goes on where it was."""

    max_wait_s: int  # StoppingCondition.MaxWaitTimeInSeconds: waiting and training together


@dataclass(frozen=True, kw_only=True)
class JobDefaults:
    """What every job of one pipeline has in common."""

    session: PipelineSession
    role: str
    prefix: str  # s3://bucket/prefix under which each execution writes
    processing_image_uri: str
    cache_expire_after: str | None = None  # ISO 8601 duration; None: no step is reused
    volume_kms_key: str | None = None
    output_kms_key: str | None = None
    vpc: Vpc | None = None
    enable_network_isolation: bool = False
    tags: tuple[tuple[str, str], ...] = ()

    def output(self, step: str, *parts: str) -> Join:
        """A place in S3 that no other execution writes to."""
        return Join(on="/", values=[self.prefix, ExecutionVariables.PIPELINE_EXECUTION_ID, step, *parts])

    @property
    def cache(self) -> CacheConfig | None:
        """Reuse of an equal step that succeeded lately, where the pipeline wants it."""
        if self.cache_expire_after is None:
            return None
        return CacheConfig(enable_caching=True, expire_after=self.cache_expire_after)

    @property
    def tag_list(self) -> list[dict[str, str]] | None:
        """The tags as most requests want them; None where there are none."""
        return [{"Key": key, "Value": value} for key, value in self.tags] or None


def resource_retries() -> list[StepRetryPolicy]:
    """Retries for steps that only create a resource: the service was busy or failed."""
    return [
        StepRetryPolicy(
            exception_types=[StepExceptionTypeEnum.THROTTLING, StepExceptionTypeEnum.SERVICE_FAULT],
            interval_seconds=5,
            backoff_rate=2.0,
            max_attempts=5,
        )
    ]


def job_retries() -> list[StepRetryPolicy | SageMakerJobStepRetryPolicy]:
    """Retries for steps that run a job; a job whose own program failed is never tried again."""
    fault = SageMakerJobExceptionTypeEnum.INTERNAL_ERROR
    shortage = [SageMakerJobExceptionTypeEnum.CAPACITY_ERROR, SageMakerJobExceptionTypeEnum.RESOURCE_LIMIT]
    return [
        *resource_retries(),
        SageMakerJobStepRetryPolicy(
            failure_reason_types=[fault], interval_seconds=30, backoff_rate=2.0, max_attempts=3
        ),
        # Capacity and quotas come back when other jobs end: in hours, so waiting longer each time.
        SageMakerJobStepRetryPolicy(
            exception_types=shortage, interval_seconds=120, backoff_rate=1.5, expire_after_mins=240
        ),
    ]
