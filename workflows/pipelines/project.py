"""What every pipeline is built from besides its own steps: whose jobs they are, where they run, their limits.

The options are the same for all pipelines, so they are described and checked here, once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypedDict

from workflows.pipelines import options
from workflows.pipelines.jobs import JobDefaults, SpotTraining
from workflows.pipelines.processing_image import check_role, default_image_uri
from workflows.pipelines.sdk import offline_session

DAY_S = 24 * 3600
CACHE_AGE = "P30D"  # of a step that may be reused, where the caller gives none


class Options(TypedDict, total=False):
    """Keyword arguments that every get_pipeline() takes, each with a default in :func:`open_project`.

    processing_image_uri: image with processing_scripts; by default the one in the role's account, tagged with
        the content of processing_scripts.
    volume_kms_key: encrypts the disks of jobs and of the endpoint. The service refuses such a key on instance
        types with a disk of their own (ml.g4dn, ml.g5, ml.m5d), so with a key TrainingInstanceType is
        ml.p3.2xlarge by default, not ml.g5.2xlarge.
    output_kms_key: encrypts what jobs write to S3.
    subnets: subnets of a VPC for jobs and models; needs security_group_ids.
    security_group_ids: security groups of that VPC.
    enable_network_isolation: no network from inside the processing, training and model containers.
    use_spot: train on spare capacity. Training steps then never come out of the cache, as checkpoints are
        kept apart by execution.
    max_wait_s: seconds that a training on spare capacity may take, waiting included; by default as long as
        max_training_s.
    max_training_s: seconds after which a training is stopped.
    training_volume_gb: disk of a training job.
    processing_volume_gb: disk of a processing job: the photographs, and what is made of them.
    preparation_instances: how many instances share the preparation of the photographs. With more than one, a
        step JoinRecords makes of their parts the one record file that a training channel takes.
    tags: put on every job, model, endpoint configuration and endpoint. Versions in the registry have the tags
        of their group.
    """

    processing_image_uri: str | None
    volume_kms_key: str | None
    output_kms_key: str | None
    subnets: Sequence[str]
    security_group_ids: Sequence[str]
    enable_network_isolation: bool
    use_spot: bool
    max_wait_s: int | None
    max_training_s: int
    training_volume_gb: int
    processing_volume_gb: int
    preparation_instances: int
    tags: Mapping[str, str] | None


class CachedOptions(Options, total=False):
    """The options of a pipeline whose steps may be reused.

    cache_expire_after: how old a step's earlier result may be to be used again, as an ISO 8601 duration;
        P30D by default.
    """

    cache_expire_after: str


@dataclass(frozen=True, kw_only=True)
class Project:
    """Everything about the jobs of one pipeline that is decided before an execution starts."""

    name: str  # of the pipeline
    group: str  # model package group in which versions are registered
    region: str
    jobs: JobDefaults
    training_volume_gb: int
    processing_volume_gb: int
    preparation_instances: int
    max_training_s: int
    spot: SpotTraining | None

    @property
    def training_instance_type(self) -> str:
        """The default: one with a GPU, and without a disk of its own where a key is to encrypt the disks."""
        return "ml.p3.2xlarge" if self.jobs.volume_kms_key else "ml.g5.2xlarge"


def open_project(
    region: str,
    role: str,
    default_bucket: str,
    pipeline_name: str,
    model_package_group_name: str,
    base_job_prefix: str,
    sagemaker_project_arn: str | None,
    *,
    processing_image_uri: str | None = None,
    volume_kms_key: str | None = None,
    output_kms_key: str | None = None,
    subnets: Sequence[str] = (),
    security_group_ids: Sequence[str] = (),
    enable_network_isolation: bool = False,
    use_spot: bool = False,
    max_wait_s: int | None = None,
    max_training_s: int = 360_000,
    training_volume_gb: int = 50,
    processing_volume_gb: int = 50,
    preparation_instances: int = 1,
    cache_expire_after: str | None = None,
    tags: Mapping[str, str] | None = None,
) -> Project:
    """Check what a pipeline is asked with; nothing is called and nothing is uploaded.

    Call it inside :func:`workflows.pipelines.sdk.offline`.

    Args:
        region: where the pipeline will run, such as eu-west-1.
        role: full ARN of the role that the jobs take.
        default_bucket: bucket, without s3://, that the executions write to.
        pipeline_name: unique in the account and region.
        model_package_group_name: where models that pass are registered.
        base_job_prefix: key prefix of all that the executions write in the bucket.
        sagemaker_project_arn: the project that owns the pipeline, or None or "". Only its region is looked
            at; the tags that a project wants on its jobs are part of `tags`.
        cache_expire_after: None for a pipeline in which every step runs each time.
        processing_image_uri: this and the others are described in :class:`Options`.

    Raises:
        PipelineOptionError: an option has no valid value, or two contradict each other.
    """
    options.check_name(pipeline_name)
    options.check_project(sagemaker_project_arn, region)
    options.check_instances(preparation_instances)
    if cache_expire_after is not None:
        options.check_cache_age(cache_expire_after)
    check_role(role)
    prefix = options.s3_prefix(default_bucket, base_job_prefix)
    vpc = options.vpc(subnets, security_group_ids)
    spot = options.spot_training(use_spot=use_spot, max_wait_s=max_wait_s, max_training_s=max_training_s)
    jobs = JobDefaults(
        session=offline_session(region=region, default_bucket=default_bucket),
        role=role,
        prefix=prefix,
        processing_image_uri=processing_image_uri or default_image_uri(region=region, role=role),
        cache_expire_after=cache_expire_after,
        volume_kms_key=volume_kms_key,
        output_kms_key=output_kms_key,
        vpc=vpc,
        enable_network_isolation=enable_network_isolation,
        tags=tuple((tags or {}).items()),
    )
    return Project(
        name=pipeline_name,
        group=model_package_group_name,
        region=region,
        jobs=jobs,
        training_volume_gb=training_volume_gb,
        processing_volume_gb=processing_volume_gb,
        preparation_instances=preparation_instances,
        max_training_s=max_training_s,
        spot=spot,
    )
