from pathlib import Path

import numpy as np
import pytest

from algorithms.channels import find_one
from algorithms.object_detection import data as detection_data
from algorithms.object_detection.data import (
    TrainingData,
    check_channels,
    scan,
    validation_batches,
)
from algorithms.object_detection.pictures import to_input
from processing_scripts.contract import JobError
from tests.algorithms.detection_jobs import drawn_examples, write_records

BOX = [0.1, 0.2, 0.5, 0.6]
PICTURE = drawn_examples(1, seed=5)[0][1]


def records_of(path: Path, *labels):
    return write_records(path / "some.rec", [(label, PICTURE) for label in labels])


def test_a_scan_counts_pictures_objects_and_the_widest_label(tmp_path):
    path = records_of(tmp_path, [2, 5, 0, *BOX], [2, 5, 1, *BOX, 0, *BOX], [2, 5])
    records = scan(path, num_classes=2, label_width=12)
    assert (records.count, records.objects, records.label_floats, records.max_objects) == (3, 3, 12, 2)


@pytest.mark.parametrize(
    ("label", "told"),
    [
        pytest.param([2, 5, 2, *BOX], "class 2 is not one of 0 to 1", id="class-too-high"),
        pytest.param([2, 5, -1, *BOX], "class -1", id="class-negative"),
        pytest.param([2, 5, 0.5, *BOX], "class 0.5", id="class-not-whole"),
        pytest.param(
            [2, 5, 0, *BOX] + [0, *BOX] * 2, "17 numbers, hyperparameter label_width allows 12", id="wide"
        ),
        pytest.param([2, 5, 0, 0.1, 0.2, 0.5], "do not fit", id="object-cut-short"),
        pytest.param([0, 5, 0, *BOX], "do not fit", id="header-width-0"),
        pytest.param(3.0, "--pack-label", id="classification-label"),
        pytest.param([2, 5, 0, 10, 20, 50, 60], "as fractions of the picture", id="pixels"),
        pytest.param([2, 5, 0, 0.5, 0.2, 0.1, 0.6], "xmin, ymin, xmax, ymax", id="corners-swapped"),
        pytest.param([2, 5, 0, float("nan"), 0.2, 0.1, 0.6], "is not [2, 5, class", id="nan"),
        pytest.param([2, 6, 0, *BOX, 0], "laid out (2, 6), those before (2, 5)", id="mixed-widths"),
    ],
)
def test_a_faulty_label_is_named_by_its_record(tmp_path, label, told):
    path = records_of(tmp_path, [2, 5, 0, *BOX], label)
    with pytest.raises(JobError) as caught:
        scan(path, num_classes=2, label_width=12)
    assert told in str(caught.value)
    assert f"{path}: record 1" in str(caught.value)


@pytest.mark.parametrize(
    "examples",
    [pytest.param([], id="no-records"), pytest.param([([2, 5], PICTURE)], id="no-objects")],
)
def test_a_file_without_objects_is_refused(tmp_path, examples):
    path = write_records(tmp_path / "some.rec", examples)
    with pytest.raises(JobError, match="no object to detect"):
        scan(path, num_classes=2, label_width=12)


def test_a_record_without_a_picture_is_refused_before_training(tmp_path):
    path = write_records(tmp_path / "some.rec", [([2, 5, 0, *BOX], b"GIF89a...")])
    with pytest.raises(JobError, match="record 0: holds no JPEG or PNG picture"):
        scan(path, num_classes=2, label_width=12)


def test_a_file_of_something_else_is_refused(tmp_path):
    path = tmp_path / "some.rec"
    path.write_bytes(b"this is no RecordIO file")
    with pytest.raises(JobError, match="some.rec: record at byte 0"):
        scan(path, num_classes=2, label_width=12)


@pytest.mark.parametrize(
    ("files", "told"),
    [
        pytest.param([], "holds no .rec file (it holds nothing)", id="empty"),
        pytest.param(["a.lst"], "holds no .rec file (it holds a.lst)", id="other-files"),
        pytest.param(["a.rec", "b.rec"], "holds 2 .rec files (a.rec, b.rec); give exactly one", id="two"),
    ],
)
def test_a_channel_must_hold_exactly_one_record_file(tmp_path, monkeypatch, files, told):
    monkeypatch.setenv("OPT_ML", str(tmp_path))
    folder = tmp_path / "input" / "data" / "train"
    folder.mkdir(parents=True)
    for name in files:
        (folder / name).touch()
    with pytest.raises(JobError) as caught:
        find_one("train", ".rec")
    assert told in str(caught.value)


def test_a_missing_channel_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("OPT_ML", str(tmp_path))
    with pytest.raises(JobError, match="channel 'validation' is missing"):
        find_one("validation", ".rec")


@pytest.mark.parametrize(
    ("config", "told"),
    [
        pytest.param({"train": {"ContentType": "image/jpeg"}}, "'image/jpeg'", id="pictures"),
        pytest.param(
            {"train_annotation": {"ContentType": "image/jpeg"}}, "JSON annotations", id="annotations"
        ),
        pytest.param({"validation": {"TrainingInputMode": "Pipe"}}, "Pipe mode", id="pipe"),
        pytest.param({"train": {"RecordWrapperType": "RecordIO"}}, "augmented manifest", id="manifest"),
    ],
)
def test_other_forms_of_input_are_refused_with_what_is_supported(config, told):
    with pytest.raises(JobError) as caught:
        check_channels(config)
    assert told in str(caught.value)
    assert "supported here: channels 'train' and 'validation' with ContentType application/x-recordio" in str(
        caught.value
    )


def test_a_missing_content_type_means_recordio():
    check_channels(
        {"train": {"TrainingInputMode": "File"}, "model": {"ContentType": "application/x-sagemaker-model"}}
    )


def epoch_of(records, *, batch_size, seed=0, number=0):
    training = TrainingData(records, batch_size=batch_size, image_shape=64, seed=seed)
    # Copied at once: MXNet uses a batch's memory again for later ones.
    return [(batch.data.asnumpy(), batch.label.asnumpy()) for batch in training.epoch(number)]


@pytest.fixture
def records(data):
    return scan(data.train, num_classes=2, label_width=350)


def test_training_sees_exactly_the_inputs_that_validation_and_serving_compute(records, monkeypatch):
    """MXNet's iterator and our own preparation agree bit for bit: colour order, mean, size, interpolation."""
    monkeypatch.setattr(detection_data, "AUGMENTATION", {})
    (expected,) = validation_batches(records, batch_size=100, image_shape=64)
    seen = []
    for pictures, labels in epoch_of(records, batch_size=8):
        for picture, label in zip(pictures, labels, strict=True):
            distances = np.abs(expected.inputs - picture).max(axis=(1, 2, 3))
            number = int(distances.argmin())
            assert distances[number] == 0
            np.testing.assert_array_equal(label, expected.truths[number])
            seen.append(number)
    assert sorted(seen) == list(range(48))
    assert seen != sorted(seen)


def test_the_order_of_an_epoch_follows_from_its_seed(records):
    def first_labels(seed):
        ((_, labels),) = epoch_of(records, batch_size=48, seed=seed)
        return labels.tolist()

    assert first_labels(1) == first_labels(1)
    assert first_labels(1) != first_labels(2)


def test_a_resumed_training_sees_the_epochs_of_an_uninterrupted_one(records):
    training = TrainingData(records, batch_size=10, image_shape=64, seed=5)
    list(training.epoch(0))
    list(training.epoch(1))
    uninterrupted = [batch.data.asnumpy() for batch in training.epoch(2)]
    resumed = [pictures for pictures, _ in epoch_of(records, batch_size=10, seed=5, number=2)]
    np.testing.assert_array_equal(resumed, uninterrupted)
    first = [pictures for pictures, _ in epoch_of(records, batch_size=10, seed=5, number=0)]
    assert not np.array_equal(first[0], resumed[0])


def test_validation_sees_every_picture_once_although_the_batch_does_not_divide_them(data):
    records = scan(data.validation, num_classes=2, label_width=350)
    sizes = [len(batch.truths) for batch in validation_batches(records, batch_size=8, image_shape=64)]
    assert sizes == [8, 8, 5]


def test_objects_with_a_sixth_number_and_a_longer_header_are_understood(tmp_path):
    path = write_records(
        tmp_path / "some.rec",
        [([4, 6, 0.0, 0.0, 1, *BOX, 0], PICTURE), ([4, 6, 0.0, 0.0, 1, *BOX, 0, 0, *BOX, 1], PICTURE)],
    )
    records = scan(path, num_classes=2, label_width=350)
    ((_, found),) = epoch_of(records, batch_size=2)
    labels = sorted(found.tolist(), key=lambda label: label[1][0])
    np.testing.assert_allclose(labels[0][1], [-1] * 6)
    # Mirrored or not, the class and the vertical corners stay.
    np.testing.assert_allclose([row[0] for row in labels[1]], [1, 0])
    np.testing.assert_allclose([[row[2], row[4]] for row in labels[1]], [[0.2, 0.6]] * 2)
    (examples,) = validation_batches(records, batch_size=2, image_shape=64)
    np.testing.assert_allclose(examples.truths[0], [[1, *BOX]])


def test_the_network_input_is_red_green_blue_minus_the_imagenet_mean():
    red = np.zeros((10, 20, 3), dtype=np.uint8)
    red[:, :, 2] = 255  # OpenCV's order is blue, green, red
    data = to_input(red, 4)
    assert data.shape == (3, 4, 4)
    np.testing.assert_allclose(data[:, 0, 0], [255 - 123.68, -116.779, -103.939], rtol=1e-6)
