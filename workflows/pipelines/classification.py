"""Image classification as a vision task, with the recipe of the public Caltech-256 example as defaults."""

from workflows.pipelines.errors import PipelineOptionError
from workflows.pipelines.parameters import by_name, resource_parameters
from workflows.pipelines.project import Project
from workflows.pipelines.sdk import Parameter, ParameterFloat, ParameterInteger, ParameterString
from workflows.pipelines.task import Job, Run, VisionTask

AUGMENTATION_TYPES = ("crop", "crop_color", "crop_color_transform")

_COMMON_RECIPE = {
    "num_layers": "NumLayers",
    "image_shape": "ImageShape",
    "top_k": "TopK",
    "optimizer": "Optimizer",
    "momentum": "Momentum",
    "weight_decay": "WeightDecay",
}
_BASE_RECIPE = {
    "use_pretrained_model": "UsePretrainedModel",
    "mini_batch_size": "MiniBatchSize",
    "epochs": "Epochs",
    "learning_rate": "LearningRate",
}
_INCREMENTAL_RECIPE = {
    "mini_batch_size": "IncrementalMiniBatchSize",
    "epochs": "IncrementalEpochs",
    "learning_rate": "IncrementalLearningRate",
}
_COUNTS = {"num_classes": "num_classes", "num_training_samples": "num_training_samples"}


def classification_task(augmentation_type: str | None = None) -> VisionTask:
    """Classification, trained twice on the same pictures.

    Args:
        augmentation_type: how both trainings vary their pictures; None leaves the hyperparameter out, as
            not varying them has no name and a pipeline parameter cannot be absent.

    Raises:
        PipelineOptionError: the algorithm has no such augmentation.
    """
    varied = _augmentation(augmentation_type)
    return VisionTask(
        algorithm="image-classification",
        registry_task="IMAGE_CLASSIFICATION",
        metric="validation:accuracy",
        figure="accuracy",
        figure_path="multiclass_classification_metrics.accuracy.value",
        figure_key="Accuracy",
        threshold="AccuracyThreshold",
        prepare=Job(
            module="processing_scripts.jobs.prepare_classification",
            arguments={
                "training-per-class": "TrainingPerClass",
                "train-ratio": "TrainRatio",
                "seed": "Seed",
                "resize": "ResizeSize",
                "image-shape": "ImageShape",
                "max-unreadable-share": "MaxUnreadableShare",
            },
        ),
        prepared=("train", "validation", "validation_images", "lists", "report"),
        evaluate=Job(module="processing_scripts.jobs.evaluate_classification", arguments={"top-k": "TopK"}),
        base=Run(data="train", recipe=_COMMON_RECIPE | _BASE_RECIPE, counts=_COUNTS, constants=varied),
        incremental=Run(
            data="train",
            recipe=_COMMON_RECIPE | _INCREMENTAL_RECIPE,
            counts=_COUNTS,
            # The weights come out of the model channel; "1" would mean those of ImageNet.
            constants={"use_pretrained_model": "0"} | varied,
        ),
    )


def _augmentation(kind: str | None) -> dict[str, str]:
    if kind is None:
        return {}
    if kind not in AUGMENTATION_TYPES:
        raise PipelineOptionError(
            f"augmentation_type: '{kind}' is none of {', '.join(AUGMENTATION_TYPES)}; leave it out for none"
        )
    return {"augmentation_type": kind}


def classification_parameters(project: Project) -> dict[str, Parameter]:
    """All parameters by name, in the order in which a definition lists them; each has a default."""
    resources = resource_parameters(
        input_data_url=f"{project.jobs.prefix}/input",
        training_instance_type=project.training_instance_type,
        endpoint_name="caltech-classification",
    )
    # Five epochs from random weights reached 0.187 in a published run of the algorithm on Caltech-256 (18
    # layers, batches of 128, rate 0.01; it has 257 classes, so guessing reaches 0.004). A run that learns
    # passes, one that diverged or learnt from wrong labels does not; raise it with the recipe.
    threshold = ParameterFloat("AccuracyThreshold", 0.15)
    return by_name([*resources, *_data_parameters(), *_recipe_parameters(), threshold])


def _data_parameters() -> list[Parameter]:
    return [
        ParameterInteger("TrainingPerClass", 60),
        # Where above 0, the share of each class to train with, instead of TrainingPerClass.
        ParameterFloat("TrainRatio", 0.0),
        ParameterInteger("Seed", 0),
        ParameterInteger("ResizeSize", 256),
        ParameterFloat("MaxUnreadableShare", 0.0),
    ]


def _recipe_parameters() -> list[Parameter]:
    return [
        ParameterInteger("NumLayers", 18),
        ParameterString("ImageShape", "3,224,224"),
        ParameterInteger("UsePretrainedModel", 0),
        ParameterInteger("TopK", 2),
        ParameterString("Optimizer", "sgd"),
        ParameterFloat("Momentum", 0.9),
        ParameterFloat("WeightDecay", 0.0001),
        ParameterInteger("MiniBatchSize", 256),
        ParameterInteger("Epochs", 10),
        ParameterFloat("LearningRate", 0.1),
        ParameterInteger("IncrementalMiniBatchSize", 128),
        ParameterInteger("IncrementalEpochs", 2),
        ParameterFloat("IncrementalLearningRate", 0.01),
    ]
