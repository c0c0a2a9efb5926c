"""The SageMaker SDK behind one door: no network, no outside settings, no noise, the same bytes each time.

Compiling a pipeline needs the SDK for its classes only, but the SDK (3.27) does far more on the way:

* importing it builds an AWS client in boto3's default session, which fails without a region, and looks for
  credentials, on a machine without any by asking the instance metadata service;
* every trainer checks its role with calls to IAM, unless SAGEMAKER_VALIDATE_ROLE is false;
* every call sends telemetry from a background thread, after asking STS for the account;
* defaults from configuration files, a project file found in a parent folder of the working directory, and
  the caller's AWS settings flow into the definition, so two people compile two definitions;
* it logs through handlers that it installs on the root logger, warns on import, and warns on each call.

So everything else in this package takes the SDK's names from here, and calls them inside :func:`offline`.
"""

import json
import logging
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stdout
from functools import cache
from typing import TypeAlias

import boto3
import botocore.session
from botocore.credentials import CredentialResolver
from botocore.loaders import JSONFileLoader

from workflows.definition.model import JSON
from workflows.pipelines import origins

_FOREIGN_SETTINGS = ("AWS_", "BOTO_", "SAGEMAKER_")
_OWN_SETTINGS = {
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
    # Only the client that the SDK builds while it is imported uses this; sessions name their own region.
    "AWS_DEFAULT_REGION": "us-east-1",
    "SAGEMAKER_VALIDATE_ROLE": "false",
    "SAGEMAKER_ADMIN_CONFIG_OVERRIDE": os.devnull,
    "SAGEMAKER_USER_CONFIG_OVERRIDE": os.devnull,
}


@contextmanager
def _closed_environment() -> Iterator[None]:
    """Hide the caller's AWS and SageMaker settings, and put them back."""
    hidden = {name: value for name, value in os.environ.items() if name.startswith(_FOREIGN_SETTINGS)}
    try:
        for name in hidden:
            del os.environ[name]
        os.environ.update(_OWN_SETTINGS)
        yield
    finally:
        for name in _OWN_SETTINGS:
            os.environ.pop(name, None)
        os.environ.update(hidden)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep warnings and log records back, and prints away from standard output."""
    root = logging.getLogger()
    disabled, handlers, level = root.manager.disable, root.handlers[:], root.level
    try:
        logging.disable(logging.WARNING)
        with warnings.catch_warnings(), redirect_stdout(sys.stderr):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)
        root.handlers[:] = handlers
        root.setLevel(level)


@contextmanager
def _default_session_kept() -> Iterator[None]:
    """Put boto3's default session back: the SDK's import makes one out of the closed environment."""
    before = boto3.DEFAULT_SESSION
    try:
        yield
    finally:
        boto3.DEFAULT_SESSION = before


with _closed_environment(), _quiet(), _default_session_kept():
    from sagemaker.core import _studio, image_uris
    from sagemaker.core.helper.pipeline_variable import PipelineVariable
    from sagemaker.core.lambda_helper import Lambda
    from sagemaker.core.model_metrics import MetricsSource, ModelMetrics
    from sagemaker.core.network import NetworkConfig
    from sagemaker.core.processing import Processor
    from sagemaker.core.shapes import (
        ProcessingInput,
        ProcessingOutput,
        ProcessingS3Input,
        ProcessingS3Output,
    )
    from sagemaker.core.telemetry import telemetry_logging
    from sagemaker.core.training.configs import (
        CheckpointConfig,
        Compute,
        InputData,
        Networking,
        OutputDataConfig,
        StoppingCondition,
        Tag,
    )
    from sagemaker.core.transformer import Transformer
    from sagemaker.core.workflow.conditions import ConditionEquals, ConditionGreaterThanOrEqualTo
    from sagemaker.core.workflow.execution_variables import ExecutionVariables
    from sagemaker.core.workflow.functions import Join, JsonGet
    from sagemaker.core.workflow.parameters import (
        Parameter,
        ParameterFloat,
        ParameterInteger,
        ParameterString,
    )
    from sagemaker.core.workflow.pipeline_context import PipelineSession
    from sagemaker.core.workflow.properties import PropertyFile
    from sagemaker.mlops.workflow.condition_step import ConditionStep
    from sagemaker.mlops.workflow.endpoint_step import EndpointConfigStep, EndpointStep
    from sagemaker.mlops.workflow.fail_step import FailStep
    from sagemaker.mlops.workflow.lambda_step import LambdaOutput, LambdaOutputTypeEnum, LambdaStep
    from sagemaker.mlops.workflow.model_step import ModelStep
    from sagemaker.mlops.workflow.pipeline import Pipeline
    from sagemaker.mlops.workflow.retry import (
        SageMakerJobExceptionTypeEnum,
        SageMakerJobStepRetryPolicy,
        StepExceptionTypeEnum,
        StepRetryPolicy,
    )
    from sagemaker.mlops.workflow.steps import (
        CacheConfig,
        ProcessingStep,
        Step,
        TrainingStep,
        TransformStep,
    )
    from sagemaker.serve.model_builder import ModelBuilder
    from sagemaker.train.model_trainer import ModelTrainer

__all__ = [
    "CacheConfig",
    "CheckpointConfig",
    "Compute",
    "ConditionEquals",
    "ConditionGreaterThanOrEqualTo",
    "ConditionStep",
    "EndpointConfigStep",
    "EndpointStep",
    "ExecutionVariables",
    "FailStep",
    "InputData",
    "Join",
    "JsonGet",
    "Lambda",
    "LambdaOutput",
    "LambdaOutputTypeEnum",
    "LambdaStep",
    "MetricsSource",
    "ModelBuilder",
    "ModelMetrics",
    "ModelStep",
    "ModelTrainer",
    "NetworkConfig",
    "Networking",
    "OutputDataConfig",
    "Parameter",
    "ParameterFloat",
    "ParameterInteger",
    "ParameterString",
    "Pipeline",
    "PipelineSession",
    "PipelineVariable",
    "ProcessingInput",
    "ProcessingOutput",
    "ProcessingS3Input",
    "ProcessingS3Output",
    "ProcessingStep",
    "Processor",
    "PropertyFile",
    "SageMakerJobExceptionTypeEnum",
    "SageMakerJobStepRetryPolicy",
    "StepExceptionTypeEnum",
    "StepRetryPolicy",
    "StoppingCondition",
    "Tag",
    "TrainingStep",
    "TransformStep",
    "Transformer",
    "Value",
    "as_text",
    "built_in_image",
    "definition_text",
    "offline",
    "offline_session",
]

Value: TypeAlias = str | int | float | PipelineVariable  # a literal, or an expression of the definition


@contextmanager
def _replaced(owner: object, name: str, substitute: object) -> Iterator[None]:
    before = getattr(owner, name)
    setattr(owner, name, substitute)
    try:
        yield
    finally:
        setattr(owner, name, before)


def _nothing(*_args: object, **_kwargs: object) -> None:
    """Stand in for what must not happen while compiling."""


_service_model = cache(JSONFileLoader().load_file)


def _load_file(_: JSONFileLoader, file_path: str) -> object:
    return _service_model(file_path)


_initialise = Step.__init__


def _initialise_and_remember(step: Step, *args: object, **kwargs: object) -> None:
    """Every step of the SDK begins with this; see :mod:`workflows.pipelines.origins`."""
    _initialise(step, *args, **kwargs)
    origins.remember(step.name)


@contextmanager
def offline() -> Iterator[None]:
    """Everything that calls the SDK happens in here; see the module's text for what it keeps out.

    The process's environment, log levels and standard output change for the duration, so compile from one
    thread at a time.
    """
    with ExitStack() as stack:
        stack.enter_context(_closed_environment())
        stack.enter_context(_quiet())
        stack.enter_context(_default_session_kept())
        # The opt-out in the SDK's configuration does the same but is validated anew on each of some seventy
        # look-ups, which takes longer than compiling.
        stack.enter_context(_replaced(telemetry_logging, "_send_telemetry_request", _nothing))
        stack.enter_context(_replaced(_studio, "_find_config", _nothing))
        stack.enter_context(_replaced(Step, "__init__", _initialise_and_remember))
        # The SDK makes a botocore session for each trainer and processor, and each reads the services'
        # descriptions anew: more than half of the time that compiling takes.
        stack.enter_context(_replaced(JSONFileLoader, "load_file", _load_file))
        yield


def offline_session(*, region: str, default_bucket: str) -> PipelineSession:
    """A session that records requests; it holds no credentials, so no request can be signed and sent.

    Call it inside :func:`offline`.
    """
    inner = botocore.session.Session()
    inner.register_component("credential_provider", CredentialResolver([]))
    boto_session = boto3.Session(botocore_session=inner, region_name=region)
    return PipelineSession(boto_session=boto_session, default_bucket=default_bucket)


def built_in_image(algorithm: str, *, region: str) -> str:
    """The registry address of a built-in algorithm's image, from the SDK's own table.

    Raises:
        ValueError: the table has no such algorithm or does not know the region.
    """
    uri: str = image_uris.retrieve(algorithm, region)
    return uri


def as_text(value: Value) -> str | PipelineVariable:
    """A value as the string that hyperparameters and container arguments must be.

    Version 3 of the SDK writes an Integer parameter into a definition as it is, and the service refuses a
    number there. A value out of a property file stays as it is: wrapped in a Join it is not a form that the
    service documents, so such files hold strings where a string is needed.
    """
    if isinstance(value, JsonGet):
        return value
    if isinstance(value, PipelineVariable):
        return value.to_string()
    return str(value)


def definition_text(pipeline: Pipeline) -> str:
    """Compile to JSON text that is the same, byte for byte, for the same pipeline.

    Keys stand in the order in which the SDK and the step factories write them, which puts a step's name and
    type first. Fields without a value are left out, as the service's request shapes have no null.
    """
    with offline():
        definition = json.loads(pipeline.definition())
    return json.dumps(_without_nulls(definition), indent=2, ensure_ascii=False) + "\n"


def _without_nulls(value: JSON) -> JSON:
    if isinstance(value, dict):
        return {key: _without_nulls(entry) for key, entry in value.items() if entry is not None}
    if isinstance(value, list):
        return [_without_nulls(entry) for entry in value]
    return value
