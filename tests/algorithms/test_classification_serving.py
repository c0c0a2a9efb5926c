import json
import os
import subprocess
import time

import cv2
import numpy as np
import pytest

from algorithms.image_classification import artifact
from algorithms.image_classification.classifier import Classifier
from algorithms.image_classification.network import classification_graph
from algorithms.image_classification.pictures import whole_input
from algorithms.image_classification.predictor import ClassificationPredictor
from algorithms.image_classification.settings import ImageShape
from algorithms.serving.server import UnusableRequest
from processing_scripts.contract import JobError
from processing_scripts.vision.images import decode_image
from processing_scripts.vision.recordio import RecordReader, unpack_image_record
from tests.algorithms.served import Server, bomb, free_port


@pytest.fixture(scope="module")
def server(classified):
    server = Server(classified.job).wait_until_in_service()
    yield server
    server.close()


@pytest.fixture(scope="module")
def examples(pictures):
    """Class numbers and encoded pictures of the validation channel."""
    records = (unpack_image_record(payload) for payload in RecordReader(pictures.validation))
    return [(int(label[0]), image) for label, _, image in records]


@pytest.fixture(scope="module")
def model(classified):
    return artifact.load(classified.job.model)


def test_an_answer_is_a_bare_array_of_probabilities(server, examples):
    response = server.invoke(examples[0][1], **{"X-Amzn-SageMaker-Custom-Attributes": "x"})
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    probabilities = json.loads(response.text)
    assert len(probabilities) == 3
    assert all(isinstance(value, float) for value in probabilities)
    assert sum(probabilities) == pytest.approx(1, abs=1e-5)


def test_most_pictures_get_their_class(server, examples):
    hits = sum(int(np.argmax(server.invoke(image).json())) == kind for kind, image in examples)
    assert hits >= 0.9 * len(examples)


def test_a_request_is_stretched_whole_and_classified_by_the_trained_network(server, examples, model):
    classifier = Classifier(model.graph, model.weights, batch_size=1, image_shape=ImageShape(3, 28, 28))
    picture = decode_image(examples[0][1], source="here")[:, :20]
    stretched = cv2.resize(picture, (28, 28), interpolation=cv2.INTER_LINEAR)[:, :, ::-1]
    expected = classifier.classify(stretched.transpose(2, 0, 1)[None].astype(np.float32))
    png = cv2.imencode(".png", picture)[1].tobytes()
    got = server.invoke(png, "image/png").json()
    np.testing.assert_allclose(got, expected[0], rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize(
    ("extension", "content_type"),
    [
        pytest.param(".jpg", "image/jpeg", id="jpeg"),
        pytest.param(".png", "application/x-image", id="any-picture"),
        pytest.param(".jpg", "Image/JPEG; q=1", id="parameters-and-case"),
    ],
)
def test_each_documented_content_type_is_taken_also_for_grey_pictures(server, extension, content_type):
    grey = cv2.imencode(extension, np.full((40, 60), 128, dtype=np.uint8))[1].tobytes()
    assert len(server.invoke(grey, content_type).json()) == 3


@pytest.mark.parametrize(
    ("body", "content_type", "status", "told"),
    [
        pytest.param(b"{}", "application/json", 415, "send one of application/x-image", id="type"),
        pytest.param(b"", "image/jpeg", 400, "no body", id="empty"),
        pytest.param(b"hello", "image/jpeg", 400, "not a readable JPEG or PNG", id="no-picture"),
        pytest.param(bomb(), "image/png", 400, "pixels", id="bomb"),
        pytest.param(bytes(6 * 1024 * 1024 + 1), "image/jpeg", 413, "more than", id="too-large"),
    ],
)
def test_a_request_that_cannot_be_used_is_refused_and_the_next_one_served(
    server, body, content_type, status, told
):
    response = server.invoke(body, content_type)
    assert response.status_code == status
    assert told in response.text
    assert server.client.get("/ping").status_code == 200


def test_batch_transform_gets_an_object_in_one_line(classified, examples, server):
    batch = Server(classified.job, SAGEMAKER_BATCH="true").wait_until_in_service()
    text = batch.invoke(examples[0][1]).text
    assert text.endswith("}\n")
    assert text.count("\n") == 1
    assert json.loads(text) == {"prediction": server.invoke(examples[0][1]).json()}
    started = time.monotonic()
    batch.close()
    assert time.monotonic() - started < 10


def test_with_many_labels_each_class_stands_by_itself(examples):
    shape = ImageShape(3, 28, 28)
    graph = classification_graph(20, num_classes=3, image_shape=shape, multi_label=True)
    args, _, aux = graph.infer_shape(data=(1, *shape))
    rng = np.random.default_rng(0)
    weights = artifact.Weights(
        {
            name: _array(rng.normal(0, 0.1, size))
            for name, size in zip(graph.list_arguments(), args, strict=True)
            if name not in ("data", "softmax_label")
        },
        {name: _array(np.ones(size)) for name, size in zip(graph.list_auxiliary_states(), aux, strict=True)},
    )
    weights.args["fc1_weight"][:] = 0
    weights.args["fc1_bias"][:] = _array(np.array([0.0, np.log(3), -np.log(3)]))
    predictor = ClassificationPredictor(artifact.Artifact(graph, weights, "x.params", shape), batch=False)
    assert predictor.predict(examples[0][1]) == pytest.approx([0.5, 0.75, 0.25])


def _array(values):
    from algorithms.engine import mx

    array = mx.nd.empty(values.shape)
    array[:] = values
    return array


def test_a_model_that_does_not_tell_its_shape_is_refused_with_what_to_add(model):
    silent = artifact.Artifact(model.graph, model.weights, model.params_file, None)
    with pytest.raises(JobError, match=r"model-shapes\.json.*\[1, 3, height, width\]"):
        ClassificationPredictor(silent, batch=False)


def test_a_cut_off_picture_is_the_clients_fault(model, examples):
    predictor = ClassificationPredictor(model, batch=False)
    with pytest.raises(UnusableRequest, match="cut short"):
        predictor.predict(examples[0][1][:-200])


def test_the_whole_picture_counts_and_not_its_centre(model):
    """A left half and a right half give another input than their middle alone."""
    pixels = np.zeros((28, 112, 3), dtype=np.uint8)
    pixels[:, :28] = 255
    assert whole_input(pixels, ImageShape(3, 28, 28))[:, :, :7].min() == 255


def test_a_server_without_a_model_says_what_is_missing(tmp_path, classified):
    (tmp_path / "model").mkdir()
    done = subprocess.run(
        classified.job.command("serve"),
        env={**os.environ, "OPT_ML": str(tmp_path), "SAGEMAKER_BIND_TO_PORT": str(free_port())},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert "lacks image-classification-symbol.json and image-classification-NNNN.params" in done.stderr
    assert "Traceback" not in done.stderr
