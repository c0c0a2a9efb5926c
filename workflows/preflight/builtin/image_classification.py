"""SageMaker's built-in Image Classification.

Sources: SageMaker Developer Guide, Image Classification - MXNet, Image Classification Hyperparameters,
Incremental Training.
"""

from workflows.preflight.builtin.algorithm import Algorithm
from workflows.preflight.builtin.hyperparameter import Hyperparameter

# The guide suggests the first for large pictures and all transfer learning, the second for small ones.
LARGE_NETWORKS = ("18", "34", "50", "101", "152", "200")
SMALL_NETWORKS = ("20", "32", "44", "56", "110")


def _positive(
    name: str, default: str | None = None, *, required: bool = False, low: int = 1
) -> Hyperparameter:
    return Hyperparameter(name=name, kind="integer", default=default, required=required, low=low)


def _share(name: str, default: str, only: tuple[str, ...] = ()) -> Hyperparameter:
    return Hyperparameter(name=name, kind="float", default=default, low=0, high=1, optimizers=only)


def _choice(name: str, default: str | None, *choices: str) -> Hyperparameter:
    return Hyperparameter(name=name, kind="choice", default=default, choices=choices)


IMAGE_CLASSIFICATION = Algorithm(
    repository="image-classification",
    title="Image Classification",
    table=(
        _positive("num_classes", required=True),
        _positive("num_training_samples", required=True),
        _choice("num_layers", "152", *LARGE_NETWORKS, *SMALL_NETWORKS),
        Hyperparameter(name="image_shape", kind="shape", default="3,224,224"),
        _choice("use_pretrained_model", "0", "0", "1"),
        _positive("epochs", "30"),
        _positive("mini_batch_size", "32"),
        _share("learning_rate", "0.1"),
        Hyperparameter(name="lr_scheduler_step", kind="epochs", default=""),
        _share("lr_scheduler_factor", "0.1"),
        _choice("optimizer", "sgd", "sgd", "adam", "rmsprop", "nag"),
        _share("momentum", "0.9", ("sgd", "nag")),
        _share("weight_decay", "0.0001", ("sgd", "nag")),
        _share("beta_1", "0.9", ("adam",)),
        _share("beta_2", "0.999", ("adam",)),
        _share("eps", "1e-8", ("adam", "rmsprop")),
        _share("gamma", "0.9", ("rmsprop",)),
        _choice("augmentation_type", None, "crop", "crop_color", "crop_color_transform"),
        _positive("resize"),
        _positive("top_k", low=2),
        _choice("multi_label", "0", "0", "1"),
        _choice("use_weighted_loss", "0", "0", "1"),
        _choice("precision_dtype", "float32", "float32", "float16"),
        _positive("checkpoint_frequency"),
        _choice("early_stopping", "False", "True", "False"),
        _positive("early_stopping_min_epochs", "10"),
        _positive("early_stopping_patience", "5"),
        _share("early_stopping_tolerance", "0.0"),
        # The image logs `device` on one machine; the guide names the other two only.
        _choice("kv_store", "device", "device", "dist_sync", "dist_async"),
        # Set by a tuning job; the guide does not list it.
        Hyperparameter(name="_tuning_objective_metric", kind="text", default=""),
    ),
    label_channels=("train_lst", "validation_lst"),
    manifest_attributes=("source-ref", "class"),
    # The guide names the first alone.
    metrics=("validation:accuracy", "train:accuracy"),
    inherited=("num_layers", "image_shape", "num_classes"),
)
