import re
import subprocess
import sys

import pytest

from algorithms.hyperparameters import check, parse_epochs
from algorithms.object_detection.hyperparameters import TABLE

REQUIRED = {"num_classes": "5", "num_training_samples": "300"}

# default-input.json of the real image, as printed in public notebook outputs of 2019 to 2022.
IMAGE_DEFAULTS = {
    "base_network": "vgg-16",
    "use_pretrained_model": "0",
    "image_shape": "300",
    "epochs": "30",
    "mini_batch_size": "32",
    "learning_rate": "0.001",
    "lr_scheduler_step": "",
    "lr_scheduler_factor": "0.1",
    "optimizer": "sgd",
    "momentum": "0.9",
    "weight_decay": "0.0005",
    "overlap_threshold": "0.5",
    "nms_threshold": "0.45",
    "nms_topk": "400",
    "label_width": "350",
    "freeze_layer_pattern": "",
    "early_stopping": "False",
    "early_stopping_min_epochs": "10",
    "early_stopping_patience": "5",
    "early_stopping_tolerance": "0.0",
    "kv_store": "device",
    "_kvstore": "device",
    "_num_kv_servers": "auto",
    "_tuning_objective_metric": "",
    "_begin_epoch": "0",
}


def test_the_defaults_are_those_that_the_real_image_prints():
    assert dict(check(TABLE, REQUIRED).values) == {**IMAGE_DEFAULTS, **REQUIRED}


def test_what_the_job_gives_replaces_the_default():
    assert check(TABLE, {**REQUIRED, "epochs": "3"}).values["epochs"] == "3"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        pytest.param("learning_rate", "1", id="closed-upper-bound"),
        pytest.param("learning_rate", "1e-6", id="exponent"),
        pytest.param("lr_scheduler_step", "10, 20", id="steps-with-space"),
        pytest.param("lr_scheduler_step", "", id="no-steps"),
        pytest.param("freeze_layer_pattern", "^(conv1_|conv2_).*", id="pattern"),
        pytest.param("early_stopping_tolerance", "0", id="closed-lower-bound"),
        pytest.param("base_network", "resnet-50", id="choice"),
        pytest.param("_tuning_objective_metric", "validation:mAP", id="set-by-a-tuning-job"),
    ],
)
def test_documented_values_are_taken_without_a_word(name, value):
    checked = check(TABLE, {**REQUIRED, name: value})
    assert (checked.faults, checked.warnings) == ((), ())


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        pytest.param("learning_rate", "0", "above 0 and at most 1", id="open-lower-bound"),
        pytest.param("lr_scheduler_factor", "1", "above 0 and below 1", id="open-upper-bound"),
        pytest.param("weight_decay", "nan", "a number", id="not-a-number"),
        pytest.param("epochs", "3.0", "an integer and at least 1", id="not-an-integer"),
        pytest.param("epochs", "0", "at least 1", id="too-small"),
        pytest.param("epochs", "-0" * 4000, "an integer", id="endless-digits"),
        pytest.param("optimizer", "adm", "did you mean 'adam'?", id="misspelt-choice"),
        # What Python's True becomes on the way through the SDK.
        pytest.param(
            "early_stopping", "true", "one of 'True', 'False'; did you mean 'True'?", id="json-true"
        ),
        pytest.param("lr_scheduler_step", "10;20", "such as '10, 20'", id="wrong-separator"),
        pytest.param("lr_scheduler_step", "10,", "such as '10, 20'", id="dangling-comma"),
        pytest.param("freeze_layer_pattern", "(", "a regular expression", id="broken-pattern"),
        pytest.param("image_shape", "63", "at least 300", id="too-small-even-here"),
        pytest.param("learning-rate", "0.1", "did you mean 'learning_rate'?", id="misspelt-name"),
        pytest.param("zzz", "0.1", "there is no hyperparameter 'zzz'", id="unknown-name"),
    ],
)
def test_a_fault_tells_what_is_allowed(name, value, told):
    (fault,) = check(TABLE, {**REQUIRED, name: value}).faults
    assert told in fault
    assert name in fault


def test_all_faults_are_found_at_once():
    faults = check(TABLE, {"num_classes": "0", "epoch": "3", "optimizer": "sgd"}).faults
    assert len(faults) == 3
    assert "did you mean 'epochs'?" in faults[0]
    assert "num_training_samples is required" in faults[1]
    assert "num_classes='0'" in faults[2]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        pytest.param("base_network", "resnet-18-half", id="small-network"),
        pytest.param("image_shape", "64", id="small-pictures"),
    ],
)
def test_what_only_this_machine_takes_is_taken_with_a_warning(name, value):
    checked = check(TABLE, {**REQUIRED, name: value})
    assert checked.faults == ()
    (warning,) = checked.warnings
    assert f"{name}='{value}' accepted on this machine only; SageMaker's image refuses it" in warning


def test_steps_are_sorted_whole_epochs():
    assert parse_epochs("20, 10") == (10, 20)
    assert parse_epochs("") == ()


def test_the_table_can_be_read_without_mxnet():
    code = (
        "import sys, algorithms.object_detection.hyperparameters\n"
        "print([name for name in ('mxnet', 'numpy', 'processing_scripts') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_name_stands_in_the_table_once():
    names = [entry.name for entry in TABLE]
    assert len(names) == len(set(names))
    assert all(re.fullmatch(r"[a-z_]+", name) for name in names)
