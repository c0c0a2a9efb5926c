import json
import os
import socket
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest

from algorithms.object_detection import artifact
from algorithms.object_detection.data import scan, validation_batches
from algorithms.object_detection.detector import MAX_DETECTIONS, Detector
from processing_scripts.vision.boxes import intersection_over_union
from processing_scripts.vision.recordio import RecordReader, unpack_image_record
from tests.algorithms.detection_jobs import NUM_CLASSES
from tests.algorithms.served import Server, bomb, free_port


@pytest.fixture(scope="module")
def server(trained):
    server = Server(trained.job).wait_until_in_service()
    yield server
    server.close()


@pytest.fixture(scope="module")
def examples(data):
    """Labels and encoded pictures of the validation channel."""
    records = (unpack_image_record(payload) for payload in RecordReader(data.validation))
    return [(label, image) for label, _, image in records]


def test_serving_detects_what_validation_detects(server, trained, data, examples):
    model = artifact.load(trained.job.model)
    detector = Detector(model.graph, model.weights, batch_size=8, image_shape=64)
    records = scan(data.validation, num_classes=NUM_CLASSES, label_width=350)
    expected = [
        rows
        for batch in validation_batches(records, batch_size=8, image_shape=64)
        for rows in detector.detect(batch.inputs)
    ]
    for (_, image), rows in zip(examples, expected, strict=True):
        got = np.array(server.invoke(image).json()["prediction"])
        # Batches of another size sum in another order; weak detections may change places.
        strong, got = rows[rows[:, 1] > 0.1], got[got[:, 1] > 0.1]
        np.testing.assert_allclose(got, strong, rtol=1e-3, atol=1e-4)


def test_the_strongest_detection_finds_the_drawn_object(server, examples):
    hits = 0
    for label, image in examples:
        kind, _, *box = server.invoke(image).json()["prediction"][0]
        overlap = intersection_over_union(np.array([box]), np.array([label[3:7]]))[0, 0]
        hits += kind == label[2] and overlap > 0.5
    assert hits >= 0.6 * len(examples)


@pytest.mark.parametrize(
    ("extension", "content_type"),
    [
        pytest.param(".jpg", "image/jpeg", id="jpeg"),
        pytest.param(".png", "image/png", id="png"),
        pytest.param(".png", "application/x-image", id="any-picture"),
        pytest.param(".jpg", "Image/JPEG; q=1", id="parameters-and-case"),
    ],
)
def test_an_answer_has_the_documented_form(server, examples, extension, content_type):
    picture = cv2.imdecode(np.frombuffer(examples[0][1], np.uint8), cv2.IMREAD_COLOR)
    _, encoded = cv2.imencode(extension, picture)
    response = server.invoke(encoded.tobytes(), content_type, **{"X-Amzn-SageMaker-Custom-Attributes": "x"})
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    assert not response.text.endswith("\n")
    rows = response.json()["prediction"]
    assert 0 < len(rows) <= MAX_DETECTIONS
    assert all(len(row) == 6 and all(isinstance(value, float) for value in row) for row in rows)
    kinds, scores = [row[0] for row in rows], [row[1] for row in rows]
    assert set(kinds) <= {0.0, 1.0}
    assert scores == sorted(scores, reverse=True)


def grey_picture():
    return cv2.imencode(".jpg", np.full((40, 60), 128, dtype=np.uint8))[1].tobytes()


def test_a_grey_picture_is_taken(server):
    assert server.invoke(grey_picture()).status_code == 200


@pytest.mark.parametrize(
    ("body", "content_type", "status", "told"),
    [
        pytest.param(grey_picture(), "text/csv", 415, "application/x-image, image/jpeg, image/png", id="csv"),
        pytest.param(grey_picture(), "", 415, "Content-Type ''", id="no-content-type"),
        pytest.param(b"", "image/jpeg", 400, "no body", id="empty"),
        pytest.param(b"GIF89a" + bytes(99), "image/jpeg", 400, "not a readable JPEG or PNG", id="gif"),
        pytest.param(grey_picture()[:300], "image/jpeg", 400, "request's body", id="cut-short"),
        pytest.param(bomb(), "image/png", 400, "pixels", id="bomb"),
        pytest.param(
            bytes(6 * 1024 * 1024 + 1), "image/jpeg", 413, "more than 6291456 bytes", id="too-large"
        ),
    ],
)
def test_a_request_that_cannot_be_answered_is_refused_with_the_reason(
    server, body, content_type, status, told
):
    response = server.invoke(body, content_type)
    assert response.status_code == status
    assert told in response.text
    assert server.client.get("/ping").status_code == 200


def test_a_body_without_a_stated_length_is_limited_as_well(server):
    def chunks():
        for _ in range(7):
            yield bytes(1024 * 1024)

    assert server.invoke(chunks()).status_code == 413


def test_requests_at_the_same_time_get_the_same_answers_as_alone(server, examples):
    images = [image for _, image in examples]
    alone = [server.invoke(image).text for image in images]
    with ThreadPoolExecutor(8) as threads:
        together = list(threads.map(lambda image: server.invoke(image).text, images))
    assert together == alone


def test_batch_transform_gets_json_lines_and_its_own_limit(trained, examples):
    server = Server(
        trained.job, SAGEMAKER_BATCH="true", SAGEMAKER_MAX_PAYLOAD_IN_MB="1"
    ).wait_until_in_service()
    text = server.invoke(examples[0][1]).text
    assert text.endswith("}\n")
    assert text.count("\n") == 1
    assert json.loads(text)["prediction"]
    assert server.invoke(bytes(1024 * 1024 + 1)).status_code == 413
    started = time.monotonic()
    server.close()
    assert time.monotonic() - started < 10


def test_a_server_without_a_model_says_what_is_missing(tmp_path, trained):
    (tmp_path / "model").mkdir()
    done = subprocess.run(
        trained.job.command("serve"),
        env={**os.environ, "OPT_ML": str(tmp_path), "SAGEMAKER_BIND_TO_PORT": str(free_port())},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert "lacks model_algo_1-symbol.json" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_taken_port_is_named(trained):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
        done = subprocess.run(
            trained.job.command("serve"),
            env=trained.job.environment(SAGEMAKER_BIND_TO_PORT=port),
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert done.returncode == 1
    assert f"cannot listen on 127.0.0.1:{port}" in done.stderr
