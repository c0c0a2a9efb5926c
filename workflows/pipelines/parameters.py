"""What the parameters of all pipelines have in common."""

from collections.abc import Iterable, Mapping
from typing import TypeAlias

from workflows.pipelines.sdk import Parameter, ParameterString

Parameters: TypeAlias = Mapping[str, Parameter]


def by_name(parameters: Iterable[Parameter]) -> dict[str, Parameter]:
    """Parameters by name, in the order in which a definition lists them."""
    return {parameter.name: parameter for parameter in parameters}


def resource_parameters(
    *, input_data_url: str, training_instance_type: str, endpoint_name: str
) -> list[Parameter]:
    """Where the data are, what the jobs run on, and what becomes of a model that passes."""
    return [
        ParameterString("InputDataUrl", input_data_url),
        ParameterString("ProcessingInstanceType", "ml.m5.xlarge"),
        ParameterString("TrainingInstanceType", training_instance_type),
        ParameterString("TransformInstanceType", "ml.m5.xlarge"),
        ParameterString("EndpointInstanceType", "ml.m5.large"),
        ParameterString("EndpointName", endpoint_name),
        ParameterString(
            "ModelApprovalStatus",
            "PendingManualApproval",
            enum_values=["PendingManualApproval", "Approved", "Rejected"],
        ),
    ]
