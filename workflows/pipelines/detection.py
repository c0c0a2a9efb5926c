"""Object detection as a vision task, with the recipe of the public bird species example as defaults."""

from workflows.pipelines.parameters import by_name, resource_parameters
from workflows.pipelines.project import Project
from workflows.pipelines.sdk import Parameter, ParameterFloat, ParameterInteger, ParameterString
from workflows.pipelines.task import Job, Run, VisionTask

_COMMON_RECIPE = {
    "base_network": "BaseNetwork",
    "image_shape": "ImageShape",
    "mini_batch_size": "MiniBatchSize",
    "lr_scheduler_factor": "LrSchedulerFactor",
    "optimizer": "Optimizer",
    "momentum": "Momentum",
    "weight_decay": "WeightDecay",
    "overlap_threshold": "OverlapThreshold",
    "nms_threshold": "NmsThreshold",
}
_BASE_RECIPE = {
    "use_pretrained_model": "UsePretrainedModel",
    "epochs": "Epochs",
    "learning_rate": "LearningRate",
    "lr_scheduler_step": "LrSchedulerStep",
}
_INCREMENTAL_RECIPE = {
    "epochs": "IncrementalEpochs",
    "learning_rate": "IncrementalLearningRate",
    "lr_scheduler_step": "IncrementalLrSchedulerStep",
}
_COUNTS = {
    "num_classes": "num_classes",
    "num_training_samples": "num_training_samples",
    "label_width": "label_width",
}

# Trained first on the photographs, then on the photographs and their mirror images.
DETECTION = VisionTask(
    algorithm="object-detection",
    registry_task="OBJECT_DETECTION",
    metric="validation:mAP",
    figure="mean average precision",
    figure_path="object_detection_metrics.mean_average_precision.value",
    figure_key="MAP",
    threshold="MapThreshold",
    prepare=Job(
        module="processing_scripts.jobs.prepare_detection",
        arguments={
            "format": "DataFormat",
            "class-map": "ClassMap",
            "classes": "Species",
            "split": "Split",
            "train-ratio": "TrainRatio",
            "seed": "Seed",
            "resize": "ResizeSize",
            "max-unreadable-share": "MaxUnreadableShare",
        },
    ),
    prepared=("train", "train_flipped", "validation", "validation_images", "lists", "report"),
    evaluate=Job(
        module="processing_scripts.jobs.evaluate_detection",
        arguments={"overlap-threshold": "OverlapThreshold"},
    ),
    base=Run(data="train", recipe=_COMMON_RECIPE | _BASE_RECIPE, counts=_COUNTS),
    incremental=Run(
        data="train_flipped",
        recipe=_COMMON_RECIPE | _INCREMENTAL_RECIPE,
        counts=_COUNTS | {"num_training_samples": "num_training_samples_with_flips"},
        # The weights come out of the model channel; "1" would mean those of ImageNet.
        constants={"use_pretrained_model": "0"},
    ),
)


def detection_parameters(project: Project) -> dict[str, Parameter]:
    """All parameters by name, in the order in which a definition lists them; each has a default."""
    resources = resource_parameters(
        input_data_url=f"{project.jobs.prefix}/input",
        training_instance_type=project.training_instance_type,
        endpoint_name="birds-detection",
    )
    threshold = ParameterFloat("MapThreshold", 0.7)
    return by_name([*resources, *_data_parameters(), *_recipe_parameters(), threshold])


def _data_parameters() -> list[Parameter]:
    return [
        ParameterString("DataFormat", "auto", enum_values=["auto", "cub", "coco", "voc", "csv"]),
        # A CSV file in the folder of the pictures; an empty value cannot be an argument of a container.
        ParameterString("ClassMap", "none"),
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
