"""SageMaker's built-in Object Detection.

Sources: SageMaker Developer Guide, Object Detection - MXNet, Object Detection Hyperparameters, Incremental
Training. Defaults are those that the image prints, which differ from the guide's in use_pretrained_model.
"""

from workflows.preflight.builtin.algorithm import Algorithm
from workflows.preflight.builtin.hyperparameter import Hyperparameter


def _positive(name: str, default: str | None = None, *, required: bool = False) -> Hyperparameter:
    return Hyperparameter(name=name, kind="integer", default=default, required=required, low=1)


def _share(name: str, default: str, *, below_one: bool = False, only: tuple[str, ...] = ()) -> Hyperparameter:
    return Hyperparameter(
        name=name,
        kind="float",
        default=default,
        low=0,
        low_open=True,
        high=1,
        high_open=below_one,
        optimizers=only,
    )


def _choice(name: str, default: str, *choices: str, here: tuple[str, ...] = ()) -> Hyperparameter:
    return Hyperparameter(name=name, kind="choice", default=default, choices=choices, choices_here=here)


OBJECT_DETECTION = Algorithm(
    repository="object-detection",
    title="Object Detection",
    table=(
        _positive("num_classes", required=True),
        _positive("num_training_samples", required=True),
        _choice("base_network", "vgg-16", "vgg-16", "resnet-50", here=("resnet-18-half",)),
        _choice("use_pretrained_model", "0", "0", "1"),
        Hyperparameter(name="image_shape", kind="integer", default="300", low=300, low_here=64),
        _positive("epochs", "30"),
        _positive("mini_batch_size", "32"),
        _share("learning_rate", "0.001"),
        Hyperparameter(name="lr_scheduler_step", kind="epochs", default=""),
        _share("lr_scheduler_factor", "0.1", below_one=True),
        _choice("optimizer", "sgd", "sgd", "adam", "rmsprop", "adadelta"),
        _share("momentum", "0.9", only=("sgd",)),
        _share("weight_decay", "0.0005", below_one=True, only=("sgd", "rmsprop")),
        _share("overlap_threshold", "0.5"),
        _share("nms_threshold", "0.45"),
        _positive("label_width", "350"),
        Hyperparameter(name="freeze_layer_pattern", kind="regex", default=""),
        _choice("early_stopping", "False", "True", "False"),
        _positive("early_stopping_min_epochs", "10"),
        _positive("early_stopping_patience", "5"),
        Hyperparameter(name="early_stopping_tolerance", kind="float", default="0.0", low=0, high=1),
        _choice("kv_store", "device", "device", "dist_sync", "dist_async"),
        # The image lists these, the guide does not.
        _positive("nms_topk", "400"),
        Hyperparameter(name="_tuning_objective_metric", kind="text", default=""),
        _choice("_kvstore", "device", "device"),
        _choice("_num_kv_servers", "auto", "auto"),
        _choice("_begin_epoch", "0", "0"),
    ),
    label_channels=("train_annotation", "validation_annotation"),
    manifest_attributes=("source-ref", None),
    # The guide names the first alone.
    metrics=("validation:mAP", "train:cross_entropy", "train:smooth_l1", "train:progress"),
    inherited=("base_network", "num_classes"),
)
