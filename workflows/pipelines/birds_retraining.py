"""Train the approved detector on with the photographs there are now; deploy it where it is not worse.

Its parent is birds-detection: it reads the same photographs, registers in the same group, updates the same
endpoint, and has the parameters of the parent's incremental training. The steps are those of
:mod:`workflows.pipelines.retraining`.

The endpoint exists already as a rule, and that CreateEndpoint then updates it is documented but has not been
tried on AWS: where that fails, start with another EndpointName.
"""

from typing import Unpack

from workflows.pipelines.detection import DETECTION, detection_parameters
from workflows.pipelines.project import Options, open_project
from workflows.pipelines.retraining import retraining, retraining_parameters
from workflows.pipelines.sdk import Pipeline, offline


def get_pipeline(
    region: str,
    role: str,
    default_bucket: str,
    pipeline_name: str = "birds-detection-retrain",
    model_package_group_name: str = "birds-detection",
    base_job_prefix: str = "birds-detection",
    sagemaker_project_arn: str | None = None,
    *,
    approved_model_function_arn: str | None = None,
    **options: Unpack[Options],
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
        approved_model_function_arn: see :func:`workflows.pipelines.retraining.retraining`.
        options: :class:`workflows.pipelines.project.Options`.

    Returns:
        A pipeline for :func:`workflows.pipelines.sdk.definition_text`.

    Raises:
        PipelineOptionError: an option has no valid value, or two contradict each other.
    """
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
        parameters = retraining_parameters(DETECTION, detection_parameters(project))
        return retraining(
            DETECTION, project, parameters, approved_model_function_arn=approved_model_function_arn
        )
