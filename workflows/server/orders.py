"""What rules and schedules ask of this machine."""

import secrets
from collections.abc import Mapping

from workflows.definition.model import JSON
from workflows.server.machine import Machine
from workflows.server.sagemaker.running import start_pipeline_execution


def start_pipeline(machine: Machine, arn: str, parameters: Mapping[str, str]) -> str:
    """Start an execution as EventBridge does; returns its ARN.

    Raises:
        AwsError: it cannot be started.
    """
    listed: list[JSON] = [{"Name": name, "Value": value} for name, value in parameters.items()]
    given: dict[str, JSON] = {
        "PipelineName": arn,
        "PipelineParameters": listed,
        "ClientRequestToken": secrets.token_hex(16),
    }
    return str(start_pipeline_execution(machine, given)["PipelineExecutionArn"])
