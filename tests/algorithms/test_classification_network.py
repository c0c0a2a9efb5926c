import json
import subprocess
import sys

import numpy as np
import pytest

from algorithms.engine import mx
from algorithms.graphs import GraphError
from algorithms.image_classification import artifact
from algorithms.image_classification.classifier import Classifier
from algorithms.image_classification.network import (
    class_count,
    classification_graph,
    find_head,
    inference_graph,
    layer_count,
)
from algorithms.image_classification.settings import ImageShape
from algorithms.weights import Weights
from tests.algorithms.graph_reference import run_plainly

LARGE, SMALL = ImageShape(3, 224, 224), ImageShape(3, 28, 28)


def graph_of(num_layers, shape, *, num_classes=10, multi_label=False):
    return classification_graph(
        num_layers, num_classes=num_classes, image_shape=shape, multi_label=multi_label
    )


def parameter_count(graph, shape):
    args, _, _ = graph.infer_shape(data=(1, *shape))
    sizes = zip(graph.list_arguments(), args, strict=True)
    return sum(int(np.prod(size)) for name, size in sizes if name not in ("data", "softmax_label"))


# For 1,000 classes, as published: torchvision's table of weights; He et al., Identity Mappings, for 200.
@pytest.mark.parametrize(
    ("num_layers", "parameters"),
    [
        pytest.param(18, 11.69e6, id="18"),
        pytest.param(34, 21.80e6, id="34"),
        pytest.param(50, 25.56e6, id="50"),
        pytest.param(101, 44.55e6, id="101"),
        pytest.param(152, 60.19e6, id="152"),
        pytest.param(200, 64.7e6, id="200"),
    ],
)
def test_a_large_network_has_the_size_of_the_published_one(num_layers, parameters):
    graph = graph_of(num_layers, LARGE, num_classes=1000)
    assert parameter_count(graph, LARGE) == pytest.approx(parameters, rel=2e-3)


@pytest.mark.parametrize(
    ("num_layers", "parameters"),
    [
        pytest.param(20, 0.27e6, id="20"),
        pytest.param(32, 0.46e6, id="32"),
        pytest.param(44, 0.66e6, id="44"),
        pytest.param(56, 0.85e6, id="56"),
        pytest.param(110, 1.73e6, id="110"),
    ],
)
def test_a_small_network_has_the_size_of_the_published_one(num_layers, parameters):
    """He et al., Deep Residual Learning, table 6."""
    assert parameter_count(graph_of(num_layers, SMALL), SMALL) == pytest.approx(parameters, rel=0.02)


@pytest.mark.parametrize("num_layers", [18, 34, 50, 101, 152, 200, 20, 32, 44, 56, 110])
def test_the_layers_and_classes_are_read_from_a_graph_itself(num_layers):
    shape = LARGE if num_layers in (18, 34, 50, 101, 152, 200) else SMALL
    graph = graph_of(num_layers, shape, num_classes=7)
    assert layer_count(graph) == num_layers
    assert class_count(graph, shape) == 7


def test_the_names_are_those_of_the_model_gallery():
    graph = graph_of(50, LARGE)
    # Names in the file resnet-50-0000.params of the MXNet model gallery.
    assert {
        "data",
        "softmax_label",
        "bn_data_gamma",
        "conv0_weight",
        "bn0_gamma",
        "stage1_unit1_bn1_beta",
        "stage1_unit1_conv3_weight",
        "stage1_unit1_sc_weight",
        "stage3_unit6_conv2_weight",
        "bn1_gamma",
        "fc1_weight",
        "fc1_bias",
    } <= set(graph.list_arguments())
    assert {"bn_data_moving_mean", "stage4_unit3_bn3_moving_var"} <= set(graph.list_auxiliary_states())
    assert graph.list_outputs() == ["softmax_output"]


@pytest.mark.parametrize(
    ("num_layers", "shape", "maps"),
    [
        pytest.param(18, LARGE, [56, 28, 14, 7], id="quartered-first"),
        pytest.param(18, ImageShape(3, 64, 96), [16, 8, 4, 2], id="oblong"),
        pytest.param(18, ImageShape(3, 32, 32), [32, 16, 8, 4], id="small-pictures"),
        pytest.param(20, SMALL, [28, 14, 7], id="small-network"),
        pytest.param(20, ImageShape(3, 64, 64), [64, 32, 16], id="small-network-large-pictures"),
    ],
)
def test_the_first_layers_follow_from_the_picture_size(num_layers, shape, maps):
    internals = graph_of(num_layers, shape).get_internals()
    outputs = [f"stage{stage}_unit1_conv2_output" for stage in range(1, len(maps) + 1)]
    _, shapes, _ = mx.sym.Group([internals[name] for name in outputs]).infer_shape(data=(1, *shape))
    assert [shape[2] for shape in shapes] == maps


def test_the_graph_is_the_same_text_every_time():
    assert graph_of(18, LARGE).tojson() == graph_of(18, LARGE).tojson()


def test_the_graph_for_inference_needs_no_labels():
    for multi_label in (False, True):
        graph = graph_of(20, SMALL, multi_label=multi_label)
        assert find_head(graph, "here").multi_label == multi_label
        assert "softmax_label" not in inference_graph(graph).list_arguments()


def test_a_graph_without_probabilities_is_refused():
    with pytest.raises(GraphError, match="ends in Activation and not in probabilities"):
        find_head(mx.sym.Activation(mx.sym.Variable("data"), act_type="relu"), "here")


PROGRAM = """
import json, sys
from pathlib import Path
import numpy as np
from algorithms.image_classification import artifact
from algorithms.image_classification.classifier import Classifier
model = artifact.load(Path(sys.argv[1]))
inputs = np.load(sys.argv[2])
classifier = Classifier(model.graph, model.weights, batch_size=len(inputs), image_shape=model.image_shape)
print(json.dumps(classifier.classify(inputs).tolist()))
"""


@pytest.fixture(scope="module")
def model(classified):
    return artifact.load(classified.job.model)


@pytest.fixture(scope="module")
def inputs():
    return np.random.default_rng(7).uniform(0, 255, (5, 3, 28, 28)).astype(np.float32)


def test_probabilities_are_those_of_the_plain_operators(model, inputs):
    classifier = Classifier(model.graph, model.weights, batch_size=5, image_shape=SMALL)
    expected = run_plainly(inference_graph(model.graph), model.weights, inputs)
    np.testing.assert_allclose(classifier.classify(inputs), expected, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(expected.sum(axis=1), 1, rtol=1e-5)


def test_a_dangerous_setting_in_the_environment_has_no_effect(tmp_path, classified, model, inputs):
    """With MXNet's default backend the very first pass of a ResNet-20 is wrong in a fresh process."""
    np.save(tmp_path / "inputs.npy", inputs)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(classified.job.model), str(tmp_path / "inputs.npy")],
        env=classified.job.environment(MXNET_SUBGRAPH_BACKEND="MKLDNN"),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    expected = run_plainly(inference_graph(model.graph), model.weights, inputs)
    np.testing.assert_allclose(json.loads(done.stdout), expected, rtol=1e-3, atol=1e-5)


def test_a_classifier_that_already_ran_sees_weights_that_change_afterwards(model, inputs):
    weights = Weights(
        {name: mx.nd.zeros_like(array) for name, array in model.weights.args.items()},
        {name: mx.nd.ones_like(array) for name, array in model.weights.aux.items()},
    )
    classifier = Classifier(model.graph, weights, batch_size=5, image_shape=SMALL)
    np.testing.assert_allclose(classifier.classify(inputs), 1 / 3, rtol=1e-5)
    for changed, final in ((weights.args, model.weights.args), (weights.aux, model.weights.aux)):
        for name, array in changed.items():
            array[:] = final[name]
    expected = run_plainly(inference_graph(model.graph), model.weights, inputs)
    np.testing.assert_allclose(classifier.classify(inputs), expected, rtol=1e-3, atol=1e-5)
