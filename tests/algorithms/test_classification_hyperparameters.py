import re

import pytest

from algorithms.image_classification.hyperparameters import TABLE
from algorithms.image_classification.settings import parse_settings
from processing_scripts.contract import JobError

REQUIRED = {"num_classes": "257", "num_training_samples": "15420"}
# SageMaker Developer Guide, Image Classification Hyperparameters; empty: optional and without a default.
DEFAULTS = {
    "num_layers": "152",
    "image_shape": "3,224,224",
    "use_pretrained_model": "0",
    "epochs": "30",
    "mini_batch_size": "32",
    "learning_rate": "0.1",
    "lr_scheduler_step": "",
    "lr_scheduler_factor": "0.1",
    "optimizer": "sgd",
    "momentum": "0.9",
    "weight_decay": "0.0001",
    "beta_1": "0.9",
    "beta_2": "0.999",
    "eps": "1e-8",
    "gamma": "0.9",
    "augmentation_type": "",
    "resize": "",
    "top_k": "",
    "multi_label": "0",
    "use_weighted_loss": "0",
    "precision_dtype": "float32",
    "checkpoint_frequency": "",
    "early_stopping": "False",
    "early_stopping_min_epochs": "10",
    "early_stopping_patience": "5",
    "early_stopping_tolerance": "0.0",
    "kv_store": "device",
}


def settings(**given):
    return parse_settings({**REQUIRED, **given})


def fault(**given):
    with pytest.raises(JobError) as caught:
        settings(**given)
    return str(caught.value)


def test_the_table_has_the_documented_names_and_defaults():
    documented = {entry.name: entry.default for entry in TABLE if entry.documented}
    assert documented == {"num_classes": None, "num_training_samples": None, **DEFAULTS}


@pytest.mark.parametrize(
    "given",
    [
        *[pytest.param({"num_layers": number}, id=f"layers-{number}") for number in ("18", "200", "50")],
        pytest.param({"num_layers": "110", "image_shape": "3,28,28"}, id="small-network"),
        pytest.param({"image_shape": "3, 96, 64", "resize": "128"}, id="shape-with-spaces"),
        pytest.param({"optimizer": "nag", "momentum": "0", "weight_decay": "1"}, id="closed-ends"),
        pytest.param({"learning_rate": "0"}, id="rate-0"),
        pytest.param({"multi_label": "1", "use_weighted_loss": "1"}, id="weighted"),
        pytest.param({"checkpoint_frequency": "30"}, id="frequency-of-all-epochs"),
        pytest.param({"augmentation_type": "crop_color_transform", "top_k": "2"}, id="augmented"),
        pytest.param({"_tuning_objective_metric": "validation:accuracy"}, id="tuned"),
    ],
)
def test_what_the_guide_allows_is_taken_without_a_warning(given):
    assert settings(**given).warnings == ()


@pytest.mark.parametrize(
    ("given", "told"),
    [
        pytest.param({"num_layers": "19"}, "num_layers='19' must be one of '18', '34'", id="layers"),
        pytest.param({"learning_rate": "1.5"}, "learning_rate='1.5' must be a number", id="rate"),
        pytest.param({"optimizer": "adadelta"}, "optimizer='adadelta' must be one of", id="optimizer"),
        pytest.param({"augmentation_type": "crops"}, "did you mean 'crop'?", id="augmentation"),
        pytest.param({"top_k": "1"}, "top_k='1' must be an integer and at least 2", id="top-k"),
        pytest.param({"resize": ""}, "resize='' must be an integer", id="empty"),
        pytest.param({"image_shape": "224"}, "must be channels,height,width", id="shape-of-one-number"),
        pytest.param({"image_shape": "3,0,224"}, "must be channels,height,width", id="no-height"),
        pytest.param({"image_shape": "1,28,28"}, "pictures of 3 channels only", id="grey"),
        pytest.param({"resize": "200"}, "resize=200 must be larger than both sides", id="resize"),
        pytest.param({"checkpoint_frequency": "31"}, "must be at most epochs=30", id="frequency"),
        pytest.param({"use_weighted_loss": "1"}, "works with multi_label=1 only", id="weighted-loss"),
        pytest.param({"precision_dtype": "float16"}, "set it to float32", id="half-precision"),
        pytest.param({"kv_store": "dist_async"}, "needs several machines", id="store"),
        pytest.param(
            {"use_pretrained_model": "1", "num_layers": "20", "image_shape": "3,28,28"},
            "needs num_layers to be one of 18, 34, 50, 101, 152, 200, not 20",
            id="pretrained-small",
        ),
        pytest.param({"mini_batchsize": "8"}, "did you mean 'mini_batch_size'?", id="misspelt"),
    ],
)
def test_what_the_guide_forbids_is_refused(given, told):
    assert told in fault(**given)


def test_all_faults_are_told_at_once():
    message = fault(epoch="3", num_classes="x", precision_dtype="float16", image_shape="224,224")
    for told in ("'epoch'; did you mean 'epochs'?", "num_classes='x'", "float16", "image_shape='224,224'"):
        assert told in message


@pytest.mark.parametrize(
    "given",
    [
        pytest.param({"num_layers": "20", "image_shape": "3,64,64"}, id="small-network-large-pictures"),
        pytest.param({"num_layers": "18", "image_shape": "3,28,28"}, id="large-network-small-pictures"),
        pytest.param({"resize": "224"}, id="resize-of-the-shape"),
        pytest.param({"use_pretrained_model": "1", "image_shape": "3,64,64"}, id="pretrained-small-pictures"),
    ],
)
def test_what_only_this_machine_takes_is_told(given):
    (warning,) = settings(**given).warnings
    assert re.search("accepted on this machine only; SageMaker's image", warning)


def test_top_k_is_ignored_for_many_labels():
    found = settings(multi_label="1", top_k="3")
    assert found.top_k is None
    assert "top_k='3' has no meaning with multi_label=1" in found.warnings[0]


@pytest.mark.parametrize(
    ("optimizer", "options"),
    [
        pytest.param("sgd", {"momentum": 0.5, "wd": 0.25}, id="sgd"),
        pytest.param("nag", {"momentum": 0.5, "wd": 0.25}, id="nag"),
        pytest.param("adam", {"beta1": 0.7, "beta2": 0.8, "epsilon": 1e-6}, id="adam"),
        pytest.param("rmsprop", {"gamma1": 0.6, "epsilon": 1e-6}, id="rmsprop"),
    ],
)
def test_each_optimizer_gets_the_options_that_the_guide_gives_it(optimizer, options):
    given = {"momentum": "0.5", "weight_decay": "0.25", "beta_1": "0.7", "beta_2": "0.8", "eps": "1e-6"}
    assert settings(optimizer=optimizer, gamma="0.6", **given).optimizer_options == options
