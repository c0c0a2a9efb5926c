"""The hyperparameters of SageMaker's built-in Image Classification.

Ranges and defaults: SageMaker Developer Guide, Image Classification Hyperparameters. An empty default stands
for a hyperparameter that is optional and has none.
"""

from algorithms.hyperparameters import Hyperparameter

# The guide suggests the first for large pictures (224 x 224) and the second for small ones (28 x 28).
LARGE_NETWORKS = ("18", "34", "50", "101", "152", "200")
SMALL_NETWORKS = ("20", "32", "44", "56", "110")


def _share(name: str, default: str) -> Hyperparameter:
    return Hyperparameter(name=name, kind="float", default=default, low=0, high=1)


def _flag(name: str) -> Hyperparameter:
    return Hyperparameter(name=name, kind="choice", default="0", choices=("0", "1"))


TABLE: tuple[Hyperparameter, ...] = (
    Hyperparameter(name="num_classes", kind="integer", low=1),
    Hyperparameter(name="num_training_samples", kind="integer", low=1),
    Hyperparameter(
        name="num_layers", kind="choice", default="152", choices=(*LARGE_NETWORKS, *SMALL_NETWORKS)
    ),
    Hyperparameter(name="image_shape", kind="text", default="3,224,224"),
    _flag("use_pretrained_model"),
    Hyperparameter(name="epochs", kind="integer", default="30", low=1),
    Hyperparameter(name="mini_batch_size", kind="integer", default="32", low=1),
    _share("learning_rate", "0.1"),
    Hyperparameter(name="lr_scheduler_step", kind="epochs", default=""),
    _share("lr_scheduler_factor", "0.1"),
    Hyperparameter(name="optimizer", kind="choice", default="sgd", choices=("sgd", "adam", "rmsprop", "nag")),
    _share("momentum", "0.9"),
    _share("weight_decay", "0.0001"),
    _share("beta_1", "0.9"),
    _share("beta_2", "0.999"),
    _share("eps", "1e-8"),
    _share("gamma", "0.9"),
    Hyperparameter(
        name="augmentation_type",
        kind="choice",
        default="",
        choices=("crop", "crop_color", "crop_color_transform"),
    ),
    Hyperparameter(name="resize", kind="integer", default="", low=1),
    Hyperparameter(name="top_k", kind="integer", default="", low=2),
    _flag("multi_label"),
    _flag("use_weighted_loss"),
    Hyperparameter(name="precision_dtype", kind="choice", default="float32", choices=("float32", "float16")),
    Hyperparameter(name="checkpoint_frequency", kind="integer", default="", low=1),
    Hyperparameter(name="early_stopping", kind="choice", default="False", choices=("True", "False")),
    Hyperparameter(name="early_stopping_min_epochs", kind="integer", default="10", low=1),
    Hyperparameter(name="early_stopping_patience", kind="integer", default="5", low=1),
    _share("early_stopping_tolerance", "0.0"),
    # The image logs `device` on one machine; the guide names the other two only.
    Hyperparameter(
        name="kv_store", kind="choice", default="device", choices=("device", "dist_sync", "dist_async")
    ),
    # Set by a tuning job; the guide does not list it.
    Hyperparameter(name="_tuning_objective_metric", kind="text", default="", documented=False),
)
