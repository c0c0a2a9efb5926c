import json
import logging
import re
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import numpy as np
import pytest

from algorithms.engine import mx
from algorithms.image_classification import artifact
from algorithms.image_classification.trainer import class_weights
from algorithms.image_classification.training import train
from processing_scripts import contract
from processing_scripts.vision.recordio import RecordReader, unpack_image_record
from tests.algorithms.classification_jobs import (
    RECIPE,
    Finished,
    drawn_examples,
    make_classification_job,
    multi_label_examples,
)
from tests.algorithms.detection_jobs import stop, write_records

PREFIX = r"\[\d\d/\d\d/\d{4} \d\d:\d\d:\d\d (INFO|WARNING) \d+\] "
# What a reader of the artifact would write who has only MXNet and its documentation.
THIRD_PARTY = """
import json, os, sys
os.environ["MXNET_SUBGRAPH_BACKEND"] = "NONE"
import numpy
numpy.bool = bool
import mxnet as mx
folder, records, epoch = sys.argv[1:]
symbol, args, aux = mx.model.load_checkpoint(folder + "/image-classification", int(epoch))
shape = json.load(open(folder + "/model-shapes.json"))[0]["shape"]
iterator = mx.io.ImageRecordIter(path_imgrec=records, data_shape=tuple(shape[1:]), batch_size=7)
module = mx.mod.Module(symbol, label_names=["softmax_label"], context=mx.cpu())
module.bind(iterator.provide_data, iterator.provide_label, for_training=False)
module.set_params(args, aux)
print(dict(module.score(iterator, mx.metric.Accuracy()))["accuracy"])
"""


def parameters(path):
    return mx.nd.load(str(path))


@pytest.fixture
def train_here(tmp_path, monkeypatch, caplog):
    """Runs a job in this process, which spares the start of another."""

    def run(channels, hyperparameters, *, checkpoints=None, **options):
        root = tmp_path / f"job{len(list(tmp_path.glob('job*')))}"
        job = make_classification_job(root, channels, hyperparameters, **options)
        if checkpoints is not None:
            (root / "checkpoints").symlink_to(checkpoints)
        monkeypatch.setenv("OPT_ML", str(root))
        caplog.clear()
        with caplog.at_level(logging.INFO):
            code = contract.run_training(train)
        return job, Finished(code, "\n".join(caplog.messages), "")

    return run


# --- a whole training ------------------------------------------------------------------------------------


def test_a_training_learns_the_drawn_classes(classified):
    assert len(classified.finished.accuracies) == 5
    assert max(classified.finished.accuracies) > 0.9


def test_the_log_begins_as_that_of_the_real_container(classified):
    lines = classified.finished.log.splitlines()
    assert lines[0] == "Docker entrypoint called with argument(s): train"
    assert all(re.match(PREFIX, line) for line in lines[1:])


@pytest.mark.parametrize(
    "pattern",
    [
        pytest.param(r"Reading default configuration from \S+: \{.*'num_layers': '152'.*\}", id="defaults"),
        pytest.param(
            r"Merging with provided configuration from \S+/hyperparameters.json: \{.*\}", id="given"
        ),
        pytest.param(r"Final configuration: \{.*'epochs': '5'.*\}", id="merged"),
        pytest.param(r"Searching for \.rec files in /.+/input/data/train\.", id="searching"),
        pytest.param(r"num_training_samples is 64, but the train channel holds 70 pictures; .*", id="count"),
        pytest.param(r"Performing random weight initialization", id="random"),
        pytest.param(r"---- Parameters ----", id="parameters"),
        pytest.param(r"num_layers: 20", id="layers"),
        pytest.param(r"data type: <class 'numpy.float32'>", id="type"),
        pytest.param(r"image_shape: 3,28,28", id="shape"),
        pytest.param(r"augmentation_type: crop", id="augmentation"),
        pytest.param(r"kv_store: device", id="store"),
        pytest.param(r"top_k: 2", id="top-k"),
        pytest.param(r"checkpoint_frequency not set, will store the best model", id="frequency"),
        pytest.param(r"Epoch\[0\] Train-accuracy=[01]\.\d{6}", id="train-accuracy"),
        pytest.param(r"Epoch\[4\] Train-top_k_accuracy_2=[01]\.\d{6}", id="train-top-k"),
        pytest.param(r"Epoch\[4\] Time cost=\d+\.\d{3}", id="time"),
        pytest.param(r"Epoch\[4\] Validation-accuracy=[01]\.\d{6}", id="validation"),
        pytest.param(r"Storing the best model with validation accuracy: [01]\.\d{6}", id="best"),
        pytest.param(r'Saved checkpoint to "/.+/model/image-classification-0001.params"', id="saved"),
        pytest.param(r"Update\[17\]: Change learning rate to 2\.00000e-03", id="rate"),
    ],
)
def test_the_log_holds_the_real_containers_line(classified, pattern):
    assert re.search(f"^{PREFIX}{pattern}$", classified.finished.log, re.MULTILINE)


def test_the_service_reads_the_metrics_in_the_log(classified):
    table = tomllib.loads(Path("workflows/local/stand_ins.toml").read_text())
    metrics = table["images"]["image-classification"]["metrics"]
    found = {name: re.findall(pattern, classified.finished.log) for name, pattern in metrics.items()}
    assert [float(value) for value in found["validation:accuracy"]] == classified.finished.accuracies
    assert len(found["train:accuracy"]) == 5


def test_every_20th_batch_has_a_line_with_speed_and_accuracies(train_here, pictures):
    _, finished = train_here(
        pictures.channels, {**RECIPE, "epochs": "1", "mini_batch_size": "3", "augmentation_type": "crop"}
    )
    lines = [line for line in finished.log.splitlines() if " Batch [" in line]
    (line,) = lines  # 23 batches, counted from 0
    assert re.fullmatch(
        r"Epoch\[0\] Batch \[20\]\tSpeed: \d+\.\d{3} samples/sec"
        r"\taccuracy=0\.\d{6}\ttop_k_accuracy_2=[01]\.\d{6}",
        line,
    )
    # Over all 21 batches of 3 so far.
    hits = float(re.search(r"\taccuracy=(\S+)", line)[1]) * 63
    assert hits == pytest.approx(round(hits), abs=1e-4)


def test_an_epoch_without_improvement_stores_nothing(classified):
    accuracies = classified.finished.accuracies
    better = [a for number, a in enumerate(accuracies) if a > max(accuracies[:number], default=-1)]
    stored = re.findall(r"Storing the best model with validation accuracy: (\S+)", classified.finished.log)
    assert [float(text) for text in stored] == better
    assert classified.finished.log.count("Saved checkpoint to") == len(better)


# --- the artifact ----------------------------------------------------------------------------------------


def best_epochs(finished):
    return finished.accuracies.index(max(finished.accuracies)) + 1


def test_the_artifact_is_the_three_files_of_the_real_container(classified):
    number = best_epochs(classified.finished)
    assert sorted(path.name for path in classified.job.model.iterdir()) == [
        f"image-classification-{number:04d}.params",
        "image-classification-symbol.json",
        "model-shapes.json",
    ]
    shapes = json.loads((classified.job.model / "model-shapes.json").read_text())
    assert shapes[0] == {"name": "data", "shape": [16, 3, 28, 28]}


def test_a_third_partys_script_scores_what_our_log_says(classified, pictures):
    done = subprocess.run(
        [
            sys.executable,
            "-W",
            "ignore",
            "-c",
            THIRD_PARTY,
            str(classified.job.model),
            str(pictures.validation),
            str(best_epochs(classified.finished)),
        ],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    # 21 pictures in batches of 7: its reader counts none of them twice.
    assert float(done.stdout) == pytest.approx(max(classified.finished.accuracies), abs=1e-6)


# --- resuming --------------------------------------------------------------------------------------------


def test_an_interrupted_training_ends_with_the_very_weights_of_an_uninterrupted_one(
    tmp_path, classified, pictures
):
    """Also the proof that training is deterministic: three processes, one result, bit for bit."""
    checkpoints = tmp_path / "checkpoints"
    checkpoints.mkdir()
    finished = []
    for name, epochs in (("first", "2"), ("second", "5")):
        job = make_classification_job(tmp_path / name, pictures.channels, {**RECIPE, "epochs": epochs})
        (job.root / "checkpoints").symlink_to(checkpoints)
        finished.append(job.run())
        assert finished[-1].code == 0, finished[-1].errors
    assert "Resuming after epoch 1 from the checkpoint" in finished[1].log
    assert finished[0].accuracies + finished[1].accuracies == classified.finished.accuracies
    assert [path.name for path in checkpoints.iterdir()] == ["image-classification-checkpoint.params"]
    (ours,), (theirs,) = (artifact.params_files(folder) for folder in (job.model, classified.job.model))
    assert ours.name == theirs.name
    mine, expected = parameters(ours), parameters(theirs)
    assert sorted(mine) == sorted(expected)
    for name, array in expected.items():
        np.testing.assert_array_equal(mine[name].asnumpy(), array.asnumpy(), err_msg=name)


def test_a_resumed_training_keeps_the_best_model_of_the_epochs_before(
    tmp_path, classified, pictures, train_here
):
    """At a rate of 0 nothing gets better, so the best epoch stays the first."""
    (tmp_path / "checkpoints").mkdir()
    still = {**RECIPE, "learning_rate": "0", "optimizer": "sgd"}
    channels = {**pictures.channels, "model": classified.job.model}
    train_here(channels, {**still, "epochs": "1"}, checkpoints=tmp_path / "checkpoints")
    job, finished = train_here(channels, {**still, "epochs": "2"}, checkpoints=tmp_path / "checkpoints")
    assert len(finished.accuracies) == 1
    assert (job.model / "image-classification-0001.params").is_file()


def test_with_checkpoint_frequency_the_artifact_holds_every_such_epoch_also_after_resuming(
    tmp_path, pictures, train_here
):
    (tmp_path / "checkpoints").mkdir()
    recipe = {**RECIPE, "checkpoint_frequency": "2"}
    job, finished = train_here(
        pictures.channels, {**recipe, "epochs": "2"}, checkpoints=tmp_path / "checkpoints"
    )
    assert [path.name for path in artifact.params_files(job.model)] == ["image-classification-0002.params"]
    assert "Storing the best model" not in finished.log
    job, _ = train_here(pictures.channels, {**recipe, "epochs": "5"}, checkpoints=tmp_path / "checkpoints")
    assert [path.name for path in artifact.params_files(job.model)] == [
        "image-classification-0002.params",
        "image-classification-0004.params",
    ]
    assert artifact.load(job.model).params_file == "image-classification-0004.params"


def test_a_damaged_checkpoint_is_refused(tmp_path, pictures, train_here):
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "image-classification-checkpoint.params").write_bytes(b"not a checkpoint")
    job, finished = train_here(pictures.channels, RECIPE, checkpoints=tmp_path / "checkpoints")
    assert finished.code == 1
    assert "image-classification-checkpoint.params: damaged" in job.failure


# --- incremental training, many labels -------------------------------------------------------------------


def test_an_incremental_training_goes_on_where_the_model_stood_and_stops_early(
    classified, pictures, train_here
):
    _, finished = train_here(
        {**pictures.channels, "model": classified.job.model},
        {
            **RECIPE,
            "epochs": "9",
            "learning_rate": "0.0001",
            "use_pretrained_model": "0",
            "early_stopping": "True",
            "early_stopping_min_epochs": "1",
            "early_stopping_patience": "2",
            "early_stopping_tolerance": "1.0",
        },
    )
    assert finished.code == 0
    assert "Start training from the model in the model channel." in finished.log
    assert "Performing random weight initialization" not in finished.log
    assert "Early stopping after epoch 2" in finished.log
    assert len(finished.accuracies) == 3
    assert finished.accuracies[0] > classified.finished.accuracies[0]
    assert finished.accuracies[0] > 0.9


def test_many_labels_are_learned_from_image_files_with_weights_for_rare_ones(tmp_path, train_here):
    channels = {name: tmp_path / name for name in ("train", "validation", "train_lst", "validation_lst")}
    for folder in channels.values():
        folder.mkdir()
    for name, count in (("train", 96), ("validation", 18)):
        rows = []
        for number, (label, image) in enumerate(multi_label_examples(count, seed=count)):
            (channels[name] / f"{number}.jpg").write_bytes(image)
            rows.append("\t".join([str(number), *(f"{value:g}" for value in label), f"{number}.jpg"]))
        (channels[f"{name}_lst"] / f"{name}.lst").write_text("\n".join(rows))
    recipe = {
        **RECIPE,
        "num_training_samples": "96",
        "epochs": "6",
        "lr_scheduler_step": "5",
        "multi_label": "1",
        "use_weighted_loss": "1",
        "resize": "32",
    }
    job, finished = train_here(channels, recipe, content_type="application/x-image")
    assert finished.code == 0, job.failure
    assert "Searching for image files" in finished.log
    # 0.69 by always saying no.
    assert max(finished.accuracies) > 0.85
    symbol = mx.sym.load(str(job.model / "image-classification-symbol.json"))
    assert symbol.list_outputs() == ["softmax_output"]


def test_image_files_need_resize(pictures, train_here):
    job, finished = train_here(pictures.channels, RECIPE, content_type="image/jpeg")
    assert finished.code == 1
    assert "resize is required" in job.failure


def test_a_rare_class_weighs_as_much_as_what_it_lacks():
    weights = class_weights(np.array([50, 10, 0, 1]), 1000)
    np.testing.assert_allclose(weights, [19, 99, 1, 100], rtol=1e-6)


# --- pretrained weights ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def gallery(tmp_path_factory):
    """A file as the model gallery has it: 18 layers, 1,000 classes."""
    from algorithms.image_classification.network import classification_graph
    from algorithms.image_classification.settings import ImageShape

    graph = classification_graph(18, num_classes=1000, image_shape=ImageShape(3, 224, 224), multi_label=False)
    args, _, aux = graph.infer_shape(data=(1, 3, 224, 224))
    inputs = ("data", "softmax_label")
    arrays = {
        f"arg:{name}": mx.nd.ones(shape) * 0.01
        for name, shape in zip(graph.list_arguments(), args, strict=True)
        if name not in inputs
    }
    arrays |= {
        f"aux:{name}": mx.nd.ones(shape)
        for name, shape in zip(graph.list_auxiliary_states(), aux, strict=True)
    }
    folder = tmp_path_factory.mktemp("gallery")
    mx.nd.save(str(folder / "resnet-18-0000.params"), arrays)
    return folder


PRETRAINED = {
    **RECIPE,
    "num_layers": "18",
    "image_shape": "3,40,40",
    "resize": "48",
    "use_pretrained_model": "1",
    "epochs": "1",
    "learning_rate": "0",
    "optimizer": "sgd",
}


def test_pretrained_weights_fill_all_layers_but_the_last(monkeypatch, pictures, gallery, train_here):
    monkeypatch.setenv("PRETRAINED_MODELS_DIR", str(gallery))
    job, finished = train_here(pictures.channels, PRETRAINED)
    assert finished.code == 0, job.failure
    assert "Loaded pretrained model parameters." in finished.log
    weights = artifact.load(job.model).weights.args
    assert np.ptp(weights["stage4_unit2_conv2_weight"].asnumpy()) == 0
    assert weights["fc1_weight"].shape == (3, 512)
    assert float(weights["fc1_weight"].asnumpy().std()) > 0


@pytest.mark.parametrize(
    ("folder", "told"),
    [
        pytest.param(None, "needs weights that this machine does not have: put", id="no-folder"),
        pytest.param("/nowhere", "/nowhere/resnet-18-0000.params is not there", id="no-file"),
    ],
)
def test_without_pretrained_weights_the_job_says_how_to_get_them(
    monkeypatch, pictures, train_here, folder, told
):
    if folder is None:
        monkeypatch.delenv("PRETRAINED_MODELS_DIR", raising=False)
    else:
        monkeypatch.setenv("PRETRAINED_MODELS_DIR", folder)
    job, finished = train_here(pictures.channels, PRETRAINED)
    assert finished.code == 1
    assert told in job.failure
    assert "PRETRAINED_MODELS_DIR" in job.failure


# --- faults ----------------------------------------------------------------------------------------------


def test_every_faulty_hyperparameter_is_in_the_failure_file_and_no_traceback(tmp_path, pictures):
    job = make_classification_job(
        tmp_path / "ml", pictures.channels, {"epoch": "3", "num_classes": "x", "kv_store": "dist_sync"}
    )
    finished = job.run()
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


def test_a_batch_larger_than_the_training_set_is_refused(pictures, train_here):
    job, finished = train_here(pictures.channels, {**RECIPE, "mini_batch_size": "71"})
    assert finished.code == 1
    assert "mini_batch_size=71 is more than the 70 pictures" in job.failure


def test_a_class_without_a_training_picture_is_told(tmp_path, pictures, train_here):
    _, finished = train_here(pictures.channels, {**RECIPE, "num_classes": "5", "epochs": "1"})
    assert "holds no picture of 2 of the 5 classes, such as class 3" in finished.log


def test_a_picture_that_cannot_be_decoded_is_named_by_its_record(tmp_path, pictures, train_here):
    examples = drawn_examples(32, seed=4)
    label, image = examples[11]
    # The header with the size stays, the picture goes.
    start = image.index(b"\xff\xda")
    examples[11] = (label, image[: start - 60] + bytes(300))
    broken = write_records(tmp_path / "broken" / "train.rec", examples)
    job, finished = train_here({**pictures.channels, "train": broken}, {**RECIPE, "epochs": "1"})
    assert finished.code == 1
    assert "train.rec: record 11:" in job.failure
    assert unpack_image_record(list(RecordReader(broken))[11])[2].endswith(bytes(300))


def test_a_training_that_diverged_fails_and_says_what_to_change(tmp_path, classified, pictures, train_here):
    """A model one of whose weights overflowed, which no rate can bring back."""
    model = tmp_path / "model"
    model.mkdir()
    for path in classified.job.model.iterdir():
        (model / path.name).write_bytes(path.read_bytes())
    (path,) = artifact.params_files(model)
    arrays = parameters(path)
    arrays["arg:fc1_weight"][:] = float("inf")
    mx.nd.save(str(path), arrays)
    job, finished = train_here({**pictures.channels, "model": model}, RECIPE)
    assert finished.code == 1
    assert "lower learning_rate" in job.failure


def test_several_hosts_are_refused(pictures, train_here):
    job, finished = train_here(pictures.channels, RECIPE, hosts=("algo-1", "algo-2"))
    assert finished.code == 1
    assert "2 hosts (algo-1, algo-2); set InstanceCount to 1" in job.failure


def test_sigterm_ends_a_training_at_once_and_leaves_the_artifact_whole(tmp_path, pictures):
    job = make_classification_job(tmp_path / "ml", pictures.channels, {**RECIPE, "epochs": "1000"})
    with subprocess.Popen(
        job.command("train"),
        env=job.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "Epoch[1] Validation-accuracy" in line:
                break
        started = time.monotonic()
        assert stop(process) == 143
        assert time.monotonic() - started < 10
    assert len(artifact.params_files(job.model)) == 1
    assert len(list(job.model.iterdir())) == 3
    artifact.load(job.model)
