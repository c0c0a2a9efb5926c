import json
import logging
import re
import shutil
import subprocess
import time

import numpy as np
import pytest

from algorithms.engine import mx
from algorithms.object_detection import artifact
from algorithms.object_detection.data import scan, validation_batches
from algorithms.object_detection.detector import Detector
from algorithms.object_detection.training import train
from processing_scripts import contract
from processing_scripts.vision.metrics import evaluate_detections
from processing_scripts.vision.recordio import RecordReader
from tests.algorithms.detection_jobs import (
    NUM_CLASSES,
    RECIPE,
    Finished,
    drawn_examples,
    make_job,
    stop,
    write_records,
)

PREFIX = r"\[\d\d/\d\d/\d{4} \d\d:\d\d:\d\d (INFO|WARNING) \d+\] "


def parameters(model):
    return mx.nd.load(str(model / "model_algo_1-0000.params"))


@pytest.fixture
def train_here(tmp_path, monkeypatch, caplog):
    """Runs a job in this process, which spares the start of another."""

    def run(channels, hyperparameters, *, checkpoint=None, **options):
        job = make_job(tmp_path / "ml", channels, hyperparameters, **options)
        if checkpoint is not None:
            (job.root / "checkpoints").mkdir()
            (job.root / "checkpoints" / "model_algo_1-checkpoint.params").write_bytes(checkpoint)
        monkeypatch.setenv("OPT_ML", str(job.root))
        with caplog.at_level(logging.INFO):
            code = contract.run_training(train)
        return job, Finished(code, "\n".join(caplog.messages), "")

    return run


def test_a_training_learns_to_find_the_drawn_objects(trained):
    assert len(trained.finished.scores) == 6
    assert max(trained.finished.scores) > 0.6


def test_the_log_begins_as_that_of_the_real_container(trained):
    lines = trained.finished.log.splitlines()
    assert lines[0] == "Docker entrypoint called with argument(s): train"
    assert all(re.match(PREFIX, line) for line in lines[1:])


@pytest.mark.parametrize(
    "pattern",
    [
        pytest.param(r"Reading default configuration from \S+: \{.*'nms_topk': '400'.*\}", id="defaults"),
        pytest.param(
            r"Merging with provided configuration from \S+/hyperparameters.json: \{.*\}", id="given"
        ),
        pytest.param(r"Final configuration: \{.*'epochs': '6'.*\}", id="merged"),
        pytest.param(r"base_network='resnet-18-half' accepted on this machine only; .*", id="local-network"),
        pytest.param(r"Checkpoint loading and saving are disabled\.", id="no-checkpoints"),
        pytest.param(r"Number of GPUs being used: 0", id="gpus"),
        pytest.param(r"Create Store: device", id="store"),
        pytest.param(r"Training images are resized to image shape \(3, 64, 64\)", id="resized"),
        pytest.param(
            r"#quality_metric: host=algo-1, epoch=0, batch=6 train cross_entropy <loss>=\(\d+\.\d+\)",
            id="entropy",
        ),
        pytest.param(
            r"#quality_metric: host=algo-1, epoch=5, batch=6 train smooth_l1 <loss>=\(\d+\.\d+\)",
            id="smooth-l1",
        ),
        pytest.param(r"Round of batches complete", id="round"),
        pytest.param(r"Updated the metrics", id="updated"),
        pytest.param(r"Evaluated 21 validation images", id="every-validation-picture"),
        pytest.param(r"Updating the best model with validation-mAP=[\d.e-]+", id="best"),
        pytest.param(r'Saved checkpoint to "/.+/model/model_algo_1-0000.params"', id="saved"),
        pytest.param(r"#progress_metric: host=algo-1, completed 100\.0 % of epochs", id="progress"),
        pytest.param(r'#metrics \{.*"Algorithm": "AWS/Object Detection".*\}', id="metrics"),
        pytest.param(r"Update\[25\]: Change learning rate to 4\.00000e-04", id="rate"),
        pytest.param(
            r"wait_for_all_workers will not sync workers since the kv store is not running distributed",
            id="workers",
        ),
        pytest.param(r"Test data is not provided\.", id="end"),
    ],
)
def test_the_log_holds_the_real_containers_line(trained, pattern):
    assert re.search(f"^{PREFIX}{pattern}$", trained.finished.log, re.MULTILINE)


def test_the_artifact_is_the_three_files_of_the_real_container(trained):
    assert sorted(path.name for path in trained.job.model.iterdir()) == [
        "hyperparams.json",
        "model_algo_1-0000.params",
        "model_algo_1-symbol.json",
    ]
    told = json.loads((trained.job.model / "hyperparams.json").read_text())
    assert told.items() >= {**RECIPE, "nms_threshold": "0.45"}.items()
    symbol = mx.sym.load(str(trained.job.model / "model_algo_1-symbol.json"))
    assert symbol.list_outputs() == [
        "cls_prob_output",
        "loc_loss_output",
        "cls_label_output",
        "det_out_output",
    ]


def test_the_artifact_holds_the_weights_of_the_best_epoch(trained, data):
    model = artifact.load(trained.job.model)
    detector = Detector(model.graph, model.weights, batch_size=8, image_shape=64)
    records = scan(data.validation, num_classes=NUM_CLASSES, label_width=350)
    found, truths = [], []
    for batch in validation_batches(records, batch_size=8, image_shape=64):
        found += detector.detect(batch.inputs)
        truths += batch.truths
    score = evaluate_detections(found, truths, num_classes=NUM_CLASSES).mean_average_precision
    assert score == pytest.approx(max(trained.finished.scores), abs=1e-9)


def test_an_interrupted_training_ends_with_the_very_weights_of_an_uninterrupted_one(tmp_path, trained, data):
    """Also the proof that training is deterministic: three processes, one result, bit for bit."""
    checkpoints = tmp_path / "checkpoints"
    logs = []
    for name, epochs in (("first", "2"), ("second", "6")):
        job = make_job(tmp_path / name, data.channels, {**RECIPE, "epochs": epochs})
        if not checkpoints.exists():
            checkpoints.mkdir()
        (job.root / "checkpoints").symlink_to(checkpoints)
        finished = job.train()
        assert finished.code == 0, finished.errors
        logs.append(finished)
    assert "Checkpoint loading and saving are disabled." not in logs[0].log
    assert "Resuming after epoch 1 from the checkpoint" in logs[1].log
    assert [*logs[0].scores, *logs[1].scores] == trained.finished.scores
    assert [path.name for path in checkpoints.iterdir()] == ["model_algo_1-checkpoint.params"]
    ours, theirs = parameters(job.model), parameters(trained.job.model)
    assert sorted(ours) == sorted(theirs)
    for name, array in theirs.items():
        np.testing.assert_array_equal(ours[name].asnumpy(), array.asnumpy(), err_msg=name)


def test_a_checkpoint_of_another_network_is_refused(train_here, data):
    job, finished = train_here(data.channels, {**RECIPE, "epochs": "1"}, checkpoint=b"not a checkpoint")
    assert finished.code == 1
    assert "model_algo_1-checkpoint.params: damaged" in job.failure


def test_an_incremental_training_can_freeze_layers_and_stop_early(train_here, trained, data):
    job, finished = train_here(
        {**data.channels, "model": trained.job.model},
        {
            **RECIPE,
            "use_pretrained_model": "1",
            "num_training_samples": "100",
            "learning_rate": "0.0001",
            "freeze_layer_pattern": "^(conv0|stage1)",
            "early_stopping": "True",
            "early_stopping_min_epochs": "1",
            "early_stopping_patience": "2",
            "early_stopping_tolerance": "1.0",
        },
    )
    assert finished.code == 0, job.failure
    assert "Start training from the model in the model channel." in finished.log
    assert "Ignoring use_pretrained_model=1" in finished.log
    assert "num_training_samples is 100, but the train channel holds 48 records" in finished.log
    assert "Expected number of batches: 13, did not match the number of batches processed: 6." in finished.log
    assert "Early stopping after epoch 2" in finished.log
    # It goes on from the trained weights: what a fresh start needs five epochs for is there at once.
    assert len(finished.scores) == 3
    assert finished.scores[0] > max(trained.finished.scores) - 0.15
    before, after = parameters(trained.job.model), parameters(job.model)
    changed = {
        name for name in before if name.startswith("arg:") and (before[name] != after[name]).sum().asscalar()
    }
    assert "arg:conv0_weight" not in changed
    assert not any(name.startswith("arg:stage1") for name in changed)
    assert "arg:stage2_unit1_conv1_weight" in changed


def test_every_faulty_hyperparameter_is_in_the_failure_file(tmp_path, data):
    job = make_job(
        tmp_path / "ml", data.channels, {"epoch": "3", "num_classes": "x", "kv_store": "dist_sync"}
    )
    finished = job.train()
    assert finished.code == 1
    for told in (
        "no hyperparameter 'epoch'; did you mean 'epochs'?",
        "num_classes='x' must be an integer",
        "num_training_samples is required",
        "kv_store='dist_sync' needs several machines",
    ):
        assert told in job.failure
    assert "Traceback" not in finished.errors
    assert list(job.model.iterdir()) == []


def test_a_picture_that_cannot_be_decoded_is_named_by_its_record(tmp_path, train_here, data):
    examples = drawn_examples(16, seed=4)
    label, image = examples[11]
    examples[11] = (label, image[:20] + bytes(300))
    broken = write_records(tmp_path / "train.rec", examples)
    job, finished = train_here({**data.channels, "train": broken}, {**RECIPE, "epochs": "1"})
    assert finished.code == 1
    assert "train.rec: record 11:" in job.failure
    assert list(RecordReader(broken))[11].endswith(bytes(300))


def test_a_diverging_training_fails_and_says_what_to_change(tmp_path, train_here, trained, data):
    """A model one of whose weights overflowed, which no rate can bring back."""
    model = shutil.copytree(trained.job.model, tmp_path / "model")
    arrays = parameters(model)
    arrays["arg:relu1_cls_pred_conv_bias"][:] = float("nan")
    mx.nd.save(str(model / "model_algo_1-0000.params"), arrays)
    job, finished = train_here({**data.channels, "model": model}, RECIPE)
    assert finished.code == 1
    assert "the loss of epoch 0 is not" in job.failure
    assert "lower learning_rate" in job.failure


def test_sigterm_ends_a_training_at_once_and_leaves_the_artifact_whole(tmp_path, data):
    job = make_job(tmp_path / "ml", data.channels, {**RECIPE, "epochs": "1000"})
    with subprocess.Popen(
        job.command("train"),
        env=job.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "epoch=1, validation mAP" in line:
                break
        started = time.monotonic()
        assert stop(process) == 143
        assert time.monotonic() - started < 10
    assert sorted(path.name for path in job.model.iterdir()) == [
        "hyperparams.json",
        "model_algo_1-0000.params",
        "model_algo_1-symbol.json",
    ]
    artifact.load(job.model)


def test_several_hosts_are_refused(train_here, data):
    job, finished = train_here(data.channels, RECIPE, hosts=("algo-1", "algo-2"))
    assert finished.code == 1
    assert "2 hosts (algo-1, algo-2); set InstanceCount to 1" in job.failure
