"""Step type -> runner."""

from collections.abc import Mapping

from workflows.local.runners import (
    callback,
    endpoint,
    lambda_function,
    models,
    processing,
    training_job,
    transform,
    tuning,
)
from workflows.local.runners.base import Runner

RUNNERS: Mapping[str, Runner] = {
    "Processing": processing.run,
    "Training": training_job.run,
    "Tuning": tuning.run,
    "Transform": transform.run,
    "Model": models.create_model,
    "RegisterModel": models.register_model,
    "EndpointConfig": models.create_endpoint_config,
    "Endpoint": endpoint.run,
    "Lambda": lambda_function.run,
    "Callback": callback.run,
}
