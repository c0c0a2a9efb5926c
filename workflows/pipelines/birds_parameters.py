"""The parameters of birds-detection, with the recipe of the public bird species example as defaults."""

from collections.abc import Mapping
from typing import TypeAlias

from workflows.pipelines.sdk import Parameter, ParameterFloat, ParameterInteger, ParameterString

Parameters: TypeAlias = Mapping[str, Parameter]


def detection_parameters(*, input_data_url: str, training_instance_type: str) -> dict[str, Parameter]:
    """All parameters by name, in the order in which a definition lists them; each has a default."""
    listed = [
        *_resource_parameters(input_data_url, training_instance_type),
        *_data_parameters(),
        *_recipe_parameters(),
        ParameterFloat("MapThreshold", 0.7),
    ]
    return {parameter.name: parameter for parameter in listed}


def _resource_parameters(input_data_url: str, training_instance_type: str) -> list[Parameter]:
    return [
        ParameterString("InputDataUrl", input_data_url),
        ParameterString("ProcessingInstanceType", "ml.m5.xlarge"),
        ParameterString("TrainingInstanceType", training_instance_type),
        ParameterString("TransformInstanceType", "ml.m5.xlarge"),
        ParameterString("EndpointInstanceType", "ml.m5.large"),
        ParameterString("EndpointName", "birds-detection"),
        ParameterString(
            "ModelApprovalStatus",
            "PendingManualApproval",
            enum_values=["PendingManualApproval", "Approved", "Rejected"],
        ),
    ]


def _data_parameters() -> list[Parameter]:
    return [
        ParameterString("Species", "17,36,47,68,73"),
        ParameterString("Split", "recommended", enum_values=["recommended", "random"]),
        ParameterFloat("TrainRatio", 0.8),
        ParameterInteger("Seed", 0),
        ParameterInteger("ResizeSize", 256),
        ParameterFloat("MaxUnreadableShare", 0.0),
    ]


def _recipe_parameters() -> list[Parameter]:
    # No choices are listed: what an image takes, its own table says, and the stand-in takes more.
    return [
        ParameterString("BaseNetwork", "resnet-50"),
        ParameterInteger("UsePretrainedModel", 1),
        ParameterInteger("ImageShape", 512),
        ParameterInteger("Epochs", 100),
        ParameterInteger("MiniBatchSize", 16),
        ParameterFloat("LearningRate", 0.001),
        ParameterString("LrSchedulerStep", "33,67"),
        ParameterFloat("LrSchedulerFactor", 0.1),
        ParameterString("Optimizer", "sgd"),
        ParameterFloat("Momentum", 0.9),
        ParameterFloat("WeightDecay", 0.0005),
        ParameterFloat("OverlapThreshold", 0.5),
        ParameterFloat("NmsThreshold", 0.45),
        ParameterInteger("IncrementalEpochs", 100),
        ParameterFloat("IncrementalLearningRate", 0.001),
        ParameterString("IncrementalLrSchedulerStep", "33,67"),
    ]
