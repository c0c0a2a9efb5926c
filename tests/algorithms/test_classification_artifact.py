"""Classification models that come from outside: SageMaker's, other people's, and hostile ones."""

import json
import shutil
import tarfile

import numpy as np
import pytest

from algorithms import artifacts
from algorithms.engine import mx
from algorithms.image_classification import artifact
from algorithms.image_classification.classifier import Classifier
from algorithms.image_classification.settings import ImageShape, parse_settings
from algorithms.image_classification.start import choose_start
from processing_scripts.contract import JobError
from tests.algorithms.classification_jobs import RECIPE, make_classification_job

SYMBOL, SHAPES = "image-classification-symbol.json", "model-shapes.json"


@pytest.fixture
def model(tmp_path, classified):
    """A copy of a trained artifact's files."""
    return shutil.copytree(classified.job.model, tmp_path / "files")


def params(folder):
    (path,) = artifact.params_files(folder)
    return path


def pack(folder, target):
    target.mkdir(parents=True, exist_ok=True)
    with tarfile.open(target / "model.tar.gz", "w:gz") as tar:
        for path in sorted(folder.iterdir()):
            tar.add(path, arcname=path.name)
    return target


def start_from(tmp_path, monkeypatch, channel, **hyperparameters):
    recipe = {**RECIPE, **hyperparameters}
    job = make_classification_job(tmp_path / "ml", {"model": channel}, recipe)
    monkeypatch.setenv("OPT_ML", str(job.root))
    return choose_start(parse_settings(recipe))


@pytest.mark.parametrize("packed", [pytest.param(True, id="archive"), pytest.param(False, id="files")])
def test_a_model_is_read_from_an_archive_or_from_its_files(tmp_path, model, packed):
    (model / "notes.txt").write_text("left behind")
    found = artifact.load(pack(model, tmp_path / "channel") if packed else model)
    assert found.image_shape == (3, 28, 28)
    assert found.params_file == params(model).name
    assert "conv0_weight" in found.weights.args
    assert "bn_data_moving_mean" in found.weights.aux


def test_of_several_epochs_the_last_is_read(tmp_path, model):
    arrays = mx.nd.load(str(params(model)))
    arrays["arg:fc1_bias"][:] = 7
    mx.nd.save(str(model / "image-classification-0012.params"), arrays)
    found = artifact.load(pack(model, tmp_path / "channel"))
    assert found.params_file == "image-classification-0012.params"
    assert found.weights.args["fc1_bias"].asnumpy().tolist() == [7, 7, 7]


def test_a_training_goes_on_from_a_graph_whose_layer_names_it_never_saw(tmp_path, monkeypatch, model):
    """What a graph of other origin looks like: the same operators, no name as ours but the input's."""
    before = artifact.load(model)
    graph = json.loads((model / SYMBOL).read_text())
    for node in graph["nodes"]:
        if node["name"] != "data":
            node["name"] = "theirs_" + node["name"]
    (model / SYMBOL).write_text(json.dumps(graph))
    arrays = mx.nd.load(str(params(model)))
    renamed = {name.replace(":", ":theirs_", 1): array for name, array in arrays.items()}
    mx.nd.save(str(params(model)), renamed)
    start = start_from(tmp_path, monkeypatch, pack(model, tmp_path / "channel"))
    inputs = np.random.default_rng(0).uniform(0, 255, (2, 3, 28, 28)).astype(np.float32)
    shape = ImageShape(3, 28, 28)
    ours, theirs = (
        Classifier(found.graph, found.weights, batch_size=2, image_shape=shape).classify(inputs)
        for found in (before, start)
    )
    np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(
    ("hyperparameters", "told"),
    [
        pytest.param({"num_classes": "4"}, "num_classes=3, the job asks for 4", id="classes"),
        pytest.param({"num_layers": "32"}, "num_layers=20, the job asks for 32", id="layers"),
        pytest.param({"image_shape": "3,28,24"}, "image_shape=3,28,28, the job asks for 3,28,24", id="shape"),
        pytest.param({"multi_label": "1"}, "multi_label=0, the job asks for 1", id="labels"),
        pytest.param(
            {"num_classes": "4", "num_layers": "18"},
            "num_layers=20, the job asks for 18; num_classes=3, the job asks for 4",
            id="several",
        ),
    ],
)
def test_a_model_that_does_not_fit_the_job_is_refused_with_both_values(
    tmp_path, monkeypatch, model, hyperparameters, told
):
    with pytest.raises(JobError) as caught:
        start_from(tmp_path, monkeypatch, pack(model, tmp_path / "channel"), **hyperparameters)
    assert told in str(caught.value)


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def cut_archive(folder):
    cut(folder / "model.tar.gz")


def changed(change):
    """The artifact with one thing wrong, packed."""

    def apply(folder, model):
        change(model)
        pack(model, folder)

    return apply


def without_last_layer(model):
    arrays = mx.nd.load(str(params(model)))
    del arrays["arg:fc1_weight"]
    mx.nd.save(str(params(model)), arrays)


def of_another_shape(model):
    arrays = mx.nd.load(str(params(model)))
    arrays["arg:fc1_bias"] = mx.nd.zeros(9)
    mx.nd.save(str(params(model)), arrays)


def of_a_detector(model):
    for path in list(model.iterdir()):
        path.unlink()
    for name in ("model_algo_1-symbol.json", "model_algo_1-0000.params", "hyperparams.json"):
        (model / name).write_bytes(b"x")


def no_classifier(model):
    graph = mx.sym.Activation(mx.sym.Variable("data"), act_type="relu")
    (model / SYMBOL).write_text(graph.tojson())


@pytest.mark.parametrize(
    ("change", "told"),
    [
        pytest.param(
            of_a_detector, "it holds hyperparams.json, model_algo_1-0000.params", id="other-algorithm"
        ),
        pytest.param(no_classifier, "so it is no Image Classification model", id="other-graph"),
        pytest.param(lambda model: (model / SYMBOL).write_text("{"), "not an MXNet graph", id="no-graph"),
        pytest.param(lambda model: cut(params(model)), "damaged, or not an MXNet parameter file", id="cut"),
        pytest.param(
            lambda model: params(model).unlink(), "lacks image-classification-NNNN", id="no-weights"
        ),
        pytest.param(without_last_layer, "lacks 'fc1_weight'", id="array-missing"),
        pytest.param(of_another_shape, "'fc1_bias' has the shape (9,)", id="array-shape"),
    ],
)
def test_a_damaged_or_foreign_model_is_refused(tmp_path, monkeypatch, model, change, told):
    changed(change)(tmp_path / "channel", model)
    with pytest.raises(JobError) as caught:
        start_from(tmp_path, monkeypatch, tmp_path / "channel")
    assert told in str(caught.value)


def test_a_damaged_archive_is_refused(tmp_path, monkeypatch, model):
    pack(model, tmp_path / "channel")
    cut_archive(tmp_path / "channel")
    with pytest.raises(JobError, match=r"damaged, or not a \.tar\.gz archive"):
        start_from(tmp_path, monkeypatch, tmp_path / "channel")


def test_an_archive_that_unpacks_to_too_much_is_refused_before_it_is_listed(tmp_path, model):
    pack(model, tmp_path / "channel")
    with pytest.raises(JobError, match="more than the 1000 that a model artifact can need"):
        artifacts.file_names(tmp_path / "channel", total=1000)


def test_a_link_in_an_archive_is_refused(tmp_path, model):
    (model / SHAPES).unlink()
    (model / SHAPES).symlink_to("/etc/passwd")
    with pytest.raises(JobError, match="is a link or a device"):
        artifact.load(pack(model, tmp_path / "channel"))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("[]", id="empty"),
        pytest.param("{}", id="object"),
        pytest.param('[{"shape": [1, 3, 28]}]', id="three-numbers"),
        pytest.param('[{"shape": [1, 3, -28, 28]}]', id="negative"),
        pytest.param("no json", id="text"),
    ],
)
def test_a_model_with_unreadable_shapes_is_taken_for_training_all_the_same(
    tmp_path, monkeypatch, model, text, caplog
):
    (model / SHAPES).write_text(text)
    assert artifact.load(model).image_shape is None
    start_from(tmp_path, monkeypatch, pack(model, tmp_path / "channel"))
    assert "does not tell the image_shape" in caplog.text
