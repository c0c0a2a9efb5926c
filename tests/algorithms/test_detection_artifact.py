"""Models that come from outside: SageMaker's, other people's, and hostile ones."""

import io
import json
import shutil
import tarfile

import pytest

from algorithms import artifacts
from algorithms.engine import mx
from algorithms.graphs import GraphError
from algorithms.object_detection import artifact
from algorithms.object_detection.graph import inference_graph, training_heads
from algorithms.object_detection.settings import parse_settings
from algorithms.object_detection.start import choose_start
from processing_scripts.contract import JobError
from tests.algorithms.detection_jobs import RECIPE, make_job

SYMBOL, PARAMS, TOLD = "model_algo_1-symbol.json", "model_algo_1-0000.params", "hyperparams.json"


@pytest.fixture
def model(tmp_path, trained):
    """A copy of a trained artifact's files."""
    return shutil.copytree(trained.job.model, tmp_path / "files")


def pack(folder, target):
    target.mkdir(parents=True, exist_ok=True)
    with tarfile.open(target / "model.tar.gz", "w:gz") as tar:
        for path in sorted(folder.iterdir()):
            tar.add(path, arcname=path.name)
    return target


def rename_layers(folder):
    """What a graph of other origin looks like: the same operators, no name as ours but the input's."""
    graph = json.loads((folder / SYMBOL).read_text())
    for node in graph["nodes"]:
        if node["name"] != "data":
            node["name"] = "theirs_" + node["name"]
    (folder / SYMBOL).write_text(json.dumps(graph))
    arrays = mx.nd.load(str(folder / PARAMS))
    renamed = {name.replace(":", ":theirs_", 1): array for name, array in arrays.items()}
    mx.nd.save(str(folder / PARAMS), renamed)


def test_a_training_goes_on_from_a_graph_whose_layer_names_it_never_saw(tmp_path, model, data, trained):
    rename_layers(model)
    (model / TOLD).unlink()
    channel = pack(model, tmp_path / "channel")
    job = make_job(
        tmp_path / "ml",
        {**data.channels, "model": channel},
        {**RECIPE, "epochs": "1", "learning_rate": "0.0001", "nms_threshold": "0.3"},
    )
    finished = job.train()
    assert finished.code == 0, finished.errors
    assert finished.scores[0] > max(trained.finished.scores) - 0.15
    graph = json.loads((job.model / SYMBOL).read_text())
    (detection,) = [node for node in graph["nodes"] if node["op"].endswith("MultiBoxDetection")]
    assert detection["name"] == "theirs_detection"
    assert detection["attrs"]["nms_threshold"] == "0.3"
    assert sorted(mx.nd.load(str(job.model / PARAMS))) == sorted(mx.nd.load(str(model / PARAMS)))


@pytest.mark.parametrize("packed", [pytest.param(True, id="archive"), pytest.param(False, id="files")])
def test_a_model_is_read_from_an_archive_or_from_its_files(tmp_path, model, packed):
    (model / "notes.txt").write_text("left behind")
    folder = pack(model, tmp_path / "channel") if packed else model
    found = artifact.load(folder)
    assert found.hyperparameters["base_network"] == "resnet-18-half"
    assert "conv0_weight" in found.weights.args
    assert "bn_data_moving_mean" in found.weights.aux


def start_from(tmp_path, monkeypatch, channel, **hyperparameters):
    job = make_job(tmp_path / "ml", {"model": channel}, {**RECIPE, **hyperparameters})
    monkeypatch.setenv("OPT_ML", str(job.root))
    return choose_start(parse_settings({**RECIPE, **hyperparameters}))


@pytest.mark.parametrize(
    ("hyperparameters", "told"),
    [
        pytest.param({"num_classes": "3"}, "num_classes=2, the job asks for 3", id="classes"),
        pytest.param(
            {"base_network": "resnet-50"},
            "base_network='resnet-18-half', the job asks for 'resnet-50'",
            id="network",
        ),
    ],
)
def test_a_model_that_does_not_fit_the_job_is_refused_with_both_values(
    tmp_path, monkeypatch, model, hyperparameters, told
):
    with pytest.raises(JobError) as caught:
        start_from(tmp_path, monkeypatch, pack(model, tmp_path / "channel"), **hyperparameters)
    assert told in str(caught.value)


def without(name):
    def change(folder):
        (folder / name).unlink()

    return change


def cut(name):
    def change(folder):
        path = folder / name
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    return change


def written(name, content):
    def change(folder):
        (folder / name).write_bytes(content)

    return change


def lacking_one_weight(folder):
    arrays = mx.nd.load(str(folder / PARAMS))
    del arrays["arg:stage2_unit1_conv1_weight"]
    mx.nd.save(str(folder / PARAMS), arrays)


def with_one_weight_of_another_shape(folder):
    arrays = mx.nd.load(str(folder / PARAMS))
    arrays["arg:stage2_unit1_conv1_weight"] = mx.nd.zeros((3, 3))
    mx.nd.save(str(folder / PARAMS), arrays)


def without_names(folder):
    mx.nd.save(str(folder / PARAMS), [mx.nd.zeros(3)])


def of_another_algorithm(folder):
    (folder / SYMBOL).rename(folder / "image-classification-symbol.json")
    (folder / PARAMS).rename(folder / "image-classification-0004.params")


def with_a_classifier(folder):
    graph = mx.sym.SoftmaxOutput(mx.sym.FullyConnected(mx.sym.Variable("data"), num_hidden=3), name="softmax")
    graph.save(str(folder / SYMBOL))


def deployed(folder):
    symbol = inference_graph(mx.sym.load(str(folder / SYMBOL)))
    symbol.save(str(folder / SYMBOL))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        pytest.param(without(PARAMS), f"lacks {PARAMS}", id="no-weights"),
        pytest.param(
            of_another_algorithm, "it holds hyperparams.json, image-classification-0004", id="other-algorithm"
        ),
        pytest.param(cut(PARAMS), f"{PARAMS}: damaged", id="weights-cut-short"),
        pytest.param(written(PARAMS, b""), f"{PARAMS}: damaged", id="weights-empty"),
        pytest.param(without_names, "arrays without names", id="weights-without-names"),
        pytest.param(lacking_one_weight, "lacks 'stage2_unit1_conv1_weight'", id="one-weight-missing"),
        pytest.param(with_one_weight_of_another_shape, "has the shape (3, 3)", id="one-weight-misshapen"),
        pytest.param(cut(SYMBOL), "not an MXNet graph", id="graph-cut-short"),
        pytest.param(written(SYMBOL, b'{"nodes": 3}'), "not an MXNet graph", id="graph-of-other-json"),
        pytest.param(with_a_classifier, "no MultiBoxDetection operator", id="graph-of-a-classifier"),
        pytest.param(deployed, "cannot be trained further", id="graph-without-losses"),
    ],
)
def test_a_faulty_model_is_refused_with_the_reason(tmp_path, monkeypatch, model, change, told):
    change(model)
    with pytest.raises(JobError) as caught:
        training_heads(start_from(tmp_path, monkeypatch, pack(model, tmp_path / "channel")).graph)
    assert told in str(caught.value)


def archive_of(folder, *members):
    folder.mkdir()
    with tarfile.open(folder / "model.tar.gz", "w:gz") as tar:
        for member, content in members:
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return folder


def link(name, target):
    member = tarfile.TarInfo(name)
    member.type, member.linkname = tarfile.SYMTYPE, target
    return member


@pytest.mark.parametrize(
    ("members", "told"),
    [
        pytest.param(
            [(tarfile.TarInfo("../" + PARAMS), b"x")], "outside the archive's folder", id="climbing"
        ),
        pytest.param(
            [(tarfile.TarInfo("/tmp/" + PARAMS), b"x")], "outside the archive's folder", id="absolute"
        ),
        pytest.param([(link(PARAMS, "/etc/passwd"), b"")], "is a link or a device", id="link"),
        pytest.param([(tarfile.TarInfo(TOLD), bytes(11))], "more than the 10", id="too-large"),
        pytest.param(
            [(tarfile.TarInfo("junk"), bytes(200))], "more than the 110", id="bomb-that-nobody-wants"
        ),
        pytest.param(
            [(tarfile.TarInfo(str(n)), bytes(60)) for n in range(2)], "more than the 110", id="many-small"
        ),
        pytest.param([(tarfile.TarInfo(TOLD), b"x")] * 2, "twice", id="same-name-twice"),
    ],
)
def test_a_hostile_archive_is_refused_and_leaves_nothing_outside(tmp_path, members, told):
    folder = archive_of(tmp_path / "channel", *members)
    target = tmp_path / "target"
    target.mkdir()
    with pytest.raises(JobError) as caught:
        artifacts.collect(folder, {TOLD: 10, PARAMS: 100}, target)
    assert told in str(caught.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["channel", "target"]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"not an archive", id="no-gzip"),
        pytest.param(b"", id="empty"),
    ],
)
def test_what_is_no_archive_is_called_damaged(tmp_path, content):
    (tmp_path / "model.tar.gz").write_bytes(content)
    with pytest.raises(JobError, match=r"model.tar.gz: damaged"):
        artifacts.collect(tmp_path, {TOLD: 10}, tmp_path)


def test_an_archive_that_ends_early_is_called_damaged(tmp_path, model):
    channel = pack(model, tmp_path / "channel")
    path = channel / "model.tar.gz"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(JobError, match=r"model.tar.gz: damaged"):
        artifact.load(channel)


def test_pretrained_weights_are_asked_for_by_name_and_place(tmp_path, monkeypatch):
    monkeypatch.delenv("PRETRAINED_MODELS_DIR", raising=False)
    job = make_job(tmp_path / "ml", {}, RECIPE)
    monkeypatch.setenv("OPT_ML", str(job.root))
    wanted = {**RECIPE, "base_network": "resnet-50", "image_shape": "300", "use_pretrained_model": "1"}
    with pytest.raises(
        JobError, match=r"resnet-50-0000\.params.*PRETRAINED_MODELS_DIR.*use_pretrained_model=0"
    ):
        choose_start(parse_settings(wanted))


def test_pretrained_weights_fill_the_backbone_and_nothing_else(tmp_path, monkeypatch):
    job = make_job(tmp_path / "ml", {}, RECIPE)
    monkeypatch.setenv("OPT_ML", str(job.root))
    monkeypatch.setenv("PRETRAINED_MODELS_DIR", str(tmp_path))
    wanted = {**RECIPE, "base_network": "resnet-50", "image_shape": "300", "use_pretrained_model": "0"}
    graph = choose_start(parse_settings(wanted)).graph
    heads = inference_graph(graph)
    shapes, _, aux_shapes = heads.infer_shape(data=(1, 3, 300, 300))
    gallery = {
        "arg:" + name: mx.nd.ones(shape)
        for name, shape in zip(heads.list_arguments(), shapes, strict=True)
        if "pred" not in name and "multi" not in name and name != "data"
    }
    gallery |= {
        "aux:" + name: mx.nd.ones(shape)
        for name, shape in zip(heads.list_auxiliary_states(), aux_shapes, strict=True)
    }
    gallery["arg:fc1_weight"] = mx.nd.ones((1000, 2048))
    mx.nd.save(str(tmp_path / "resnet-50-0000.params"), gallery)
    start = choose_start(parse_settings({**wanted, "use_pretrained_model": "1"}))
    assert {"conv0_weight", "stage4_unit3_conv3_weight"} <= set(start.weights.args)
    assert "fc1_weight" not in start.weights.args
    assert "bn1_moving_var" in start.weights.aux
    del gallery["arg:conv0_weight"]
    mx.nd.save(str(tmp_path / "resnet-50-0000.params"), gallery)
    with pytest.raises(JobError, match="such as 'conv0_weight'"):
        choose_start(parse_settings({**wanted, "use_pretrained_model": "1"}))


def test_a_graph_error_is_the_users_to_put_right():
    assert issubclass(GraphError, JobError)
