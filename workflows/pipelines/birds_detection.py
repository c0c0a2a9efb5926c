"""Train, score, judge and deploy a detector of bird species.

The built-in Object Detection algorithm is trained twice: on the photographs, then, from those weights, on
the photographs and their mirror images. A model that reaches MapThreshold, by the training's own metric and
by our evaluation of the held-out photographs, becomes a version in the model registry. The steps are those
of :mod:`workflows.pipelines.two_trainings`.

EndpointName is a parameter because what the service does where an endpoint of that name exists (it is
documented to update it) has not been tried on AWS: where that fails, start with another name.
"""

from typing import Unpack

from workflows.pipelines.detection import DETECTION, detection_parameters
from workflows.pipelines.project import CACHE_AGE, CachedOptions, open_project
from workflows.pipelines.sdk import Pipeline, offline
from workflows.pipelines.two_trainings import two_trainings


def get_pipeline(
    region: str,
    role: str,
    default_bucket: str,
    pipeline_name: str = "birds-detection",
    model_package_group_name: str = "birds-detection",
    base_job_prefix: str = "birds-detection",
    sagemaker_project_arn: str | None = None,
    **options: Unpack[CachedOptions],
) -> Pipeline:
    """Build the pipeline; nothing is called and nothing is uploaded.

    Args:
        region: this and the others of the first seven are described at
            :func:`workflows.pipelines.project.open_project`.
        role: see there.
        default_bucket: see there.
        pipeline_name: see there.
        model_package_group_name: see there.
        base_job_prefix: see there.
        sagemaker_project_arn: see there.
        options: :class:`workflows.pipelines.project.CachedOptions`.

    Returns:
        A pipeline for :func:`workflows.pipelines.sdk.definition_text`.

    Raises:
        PipelineOptionError: an option has no valid value, or two contradict each other.
    """
    options.setdefault("cache_expire_after", CACHE_AGE)
    with offline():
        project = open_project(
            region,
            role,
            default_bucket,
            pipeline_name,
            model_package_group_name,
            base_job_prefix,
            sagemaker_project_arn,
            **options,
        )
        return two_trainings(DETECTION, project, detection_parameters(project))
