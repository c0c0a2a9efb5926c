"""Every operation of SageMaker's that exists here."""

from collections.abc import Mapping

from workflows.server.json_protocol import Operation
from workflows.server.sagemaker import (
    endpoint_configs,
    endpoints,
    execution_steps,
    executions,
    model_package_groups,
    model_packages,
    models,
    pipeline_versions,
    pipelines,
    processing_jobs,
    running,
    search,
    tags,
    training_jobs,
    transform_jobs,
    tuning_jobs,
)

OPERATIONS: Mapping[str, Operation] = {
    **pipelines.OPERATIONS,
    **pipeline_versions.OPERATIONS,
    **executions.OPERATIONS,
    **execution_steps.OPERATIONS,
    **running.OPERATIONS,
    **tags.OPERATIONS,
    **tuning_jobs.OPERATIONS,
    **transform_jobs.OPERATIONS,
    **training_jobs.OPERATIONS,
    **search.OPERATIONS,
    **processing_jobs.OPERATIONS,
    **models.OPERATIONS,
    **model_packages.OPERATIONS,
    **model_package_groups.OPERATIONS,
    **endpoints.OPERATIONS,
    **endpoint_configs.OPERATIONS,
}
