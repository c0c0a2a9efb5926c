"""Checks of what every pipeline is asked with: a mistake is named before anything is compiled."""

import re
from collections.abc import Sequence

from workflows.pipelines.errors import PipelineOptionError
from workflows.pipelines.jobs import SpotTraining, Vpc
from workflows.pipelines.sdk import built_in_image

_PIPELINE_NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,255}")
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_DURATION = re.compile(r"P(?=.)(\d+D)?(T(?=.)(\d+H)?(\d+M)?(\d+S)?)?")
# ProcessingClusterConfig.InstanceCount.
_MOST_INSTANCES = 100
_PROJECT_ARN = re.compile(r"arn:aws[a-z-]*:sagemaker:(?P<region>[a-z0-9-]+):\d{12}:project/\S+")


def check_name(pipeline_name: str) -> None:
    """Refuse a name that SageMaker would not take.

    Raises:
        PipelineOptionError: it holds more than letters, digits and inner hyphens, or over 256 characters.
    """
    if _PIPELINE_NAME.fullmatch(pipeline_name) is None:
        raise PipelineOptionError(
            f"pipeline_name: '{pipeline_name}' must consist of letters, digits and hyphens between them"
        )


def check_instances(preparation_instances: int) -> None:
    """Refuse a number of instances that the service would not start.

    Raises:
        PipelineOptionError: it is not from 1 to 100.
    """
    if not 1 <= preparation_instances <= _MOST_INSTANCES:
        raise PipelineOptionError(
            f"preparation_instances: {preparation_instances} is not a number from 1 to {_MOST_INSTANCES}"
        )


def s3_prefix(bucket: str, prefix: str) -> str:
    """s3://bucket/prefix without a slash at its end.

    Raises:
        PipelineOptionError: the bucket is not a bucket's name, or there is no prefix.
    """
    if _BUCKET.fullmatch(bucket) is None:
        raise PipelineOptionError(
            f"default_bucket: '{bucket}' is not a bucket's name; give it without s3:// and without a path"
        )
    if not prefix.strip("/"):
        raise PipelineOptionError("base_job_prefix: is empty; executions need a folder of their own")
    return f"s3://{bucket}/{prefix.strip('/')}"


def check_cache_age(cache_expire_after: str) -> None:
    """Refuse what is not a duration: the service takes some misspelt ones and means something else.

    Raises:
        PipelineOptionError: it is not days, hours, minutes and seconds as ISO 8601 writes them.
    """
    if _DURATION.fullmatch(cache_expire_after) is None:
        raise PipelineOptionError(
            f"cache_expire_after: '{cache_expire_after}' is not a duration such as P30D, PT12H or P1DT6H"
        )


def check_project(arn: str | None, region: str) -> None:
    """Refuse a project that cannot own a pipeline in this region; None and "" mean no project.

    Raises:
        PipelineOptionError: it is not a project's ARN, or the project is in another region.
    """
    match = _PROJECT_ARN.fullmatch(arn or "")
    if arn and match is None:
        raise PipelineOptionError(f"sagemaker_project_arn: '{arn}' is not the ARN of a SageMaker project")
    if match and match["region"] != region:
        raise PipelineOptionError(
            f"sagemaker_project_arn: the project is in {match['region']}, the pipeline is for {region}"
        )


def vpc(subnets: Sequence[str], security_group_ids: Sequence[str]) -> Vpc | None:
    """The network that jobs run in, or None for SageMaker's own.

    Raises:
        PipelineOptionError: one of the two is given without the other.
    """
    if bool(subnets) != bool(security_group_ids):
        raise PipelineOptionError("subnets and security_group_ids: give both, or neither for no VPC")
    if not subnets:
        return None
    return Vpc(subnets=tuple(subnets), security_group_ids=tuple(security_group_ids))


def spot_training(*, use_spot: bool, max_wait_s: int | None, max_training_s: int) -> SpotTraining | None:
    """The limits of training on spare capacity, or None for capacity on demand.

    Raises:
        PipelineOptionError: max_wait_s is given without use_spot, or leaves less time than max_training_s.
    """
    if not use_spot:
        if max_wait_s is not None:
            raise PipelineOptionError("max_wait_s: has a meaning only together with use_spot")
        return None
    wait_s = max_training_s if max_wait_s is None else max_wait_s
    if wait_s < max_training_s:
        raise PipelineOptionError(
            f"max_wait_s: {wait_s} is less than max_training_s, {max_training_s}; the wait includes the "
            "training itself, so give at least as much"
        )
    return SpotTraining(max_wait_s=wait_s)


def algorithm_image(algorithm: str, *, region: str) -> str:
    """The registry address of a built-in algorithm; call it inside :func:`sdk.offline`.

    Raises:
        PipelineOptionError: the region has no image of it.
    """
    try:
        return built_in_image(algorithm, region=region)
    except ValueError as fault:
        raise PipelineOptionError(f"region: '{region}' has no image of {algorithm}: {fault}") from fault
