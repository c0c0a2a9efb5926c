"""The hyperparameters of SageMaker's built-in Object Detection.

Ranges: SageMaker Developer Guide, Object Detection Hyperparameters. Defaults: what the image prints as its
default-input.json, which differs from the guide in one place (use_pretrained_model, there 1).
"""

from algorithms.hyperparameters import Hyperparameter

TABLE: tuple[Hyperparameter, ...] = (
    Hyperparameter(name="num_classes", kind="integer", low=1),
    Hyperparameter(name="num_training_samples", kind="integer", low=1),
    Hyperparameter(
        name="base_network",
        kind="choice",
        default="vgg-16",
        choices=("vgg-16", "resnet-50"),
        local_choices=("resnet-18-half",),
    ),
    Hyperparameter(name="use_pretrained_model", kind="choice", default="0", choices=("0", "1")),
    Hyperparameter(name="image_shape", kind="integer", default="300", low=300, local_low=64),
    Hyperparameter(name="epochs", kind="integer", default="30", low=1),
    Hyperparameter(name="mini_batch_size", kind="integer", default="32", low=1),
    Hyperparameter(name="learning_rate", kind="float", default="0.001", low=0, low_open=True, high=1),
    Hyperparameter(name="lr_scheduler_step", kind="epochs", default=""),
    Hyperparameter(
        name="lr_scheduler_factor", kind="float", default="0.1", low=0, low_open=True, high=1, high_open=True
    ),
    Hyperparameter(
        name="optimizer", kind="choice", default="sgd", choices=("sgd", "adam", "rmsprop", "adadelta")
    ),
    Hyperparameter(name="momentum", kind="float", default="0.9", low=0, low_open=True, high=1),
    Hyperparameter(
        name="weight_decay", kind="float", default="0.0005", low=0, low_open=True, high=1, high_open=True
    ),
    Hyperparameter(name="overlap_threshold", kind="float", default="0.5", low=0, low_open=True, high=1),
    Hyperparameter(name="nms_threshold", kind="float", default="0.45", low=0, low_open=True, high=1),
    Hyperparameter(name="nms_topk", kind="integer", default="400", low=1, documented=False),
    Hyperparameter(name="label_width", kind="integer", default="350", low=1),
    Hyperparameter(name="freeze_layer_pattern", kind="regex", default=""),
    Hyperparameter(name="early_stopping", kind="choice", default="False", choices=("True", "False")),
    Hyperparameter(name="early_stopping_min_epochs", kind="integer", default="10", low=1),
    Hyperparameter(name="early_stopping_patience", kind="integer", default="5", low=1),
    Hyperparameter(name="early_stopping_tolerance", kind="float", default="0.0", low=0, high=1),
    Hyperparameter(
        name="kv_store", kind="choice", default="device", choices=("device", "dist_sync", "dist_async")
    ),
    # The image lists these, the guide does not; a tuning job sets the first.
    Hyperparameter(name="_tuning_objective_metric", kind="text", default="", documented=False),
    Hyperparameter(name="_kvstore", kind="choice", default="device", choices=("device",), documented=False),
    Hyperparameter(
        name="_num_kv_servers", kind="choice", default="auto", choices=("auto",), documented=False
    ),
    Hyperparameter(name="_begin_epoch", kind="choice", default="0", choices=("0",), documented=False),
)
