"""Data at hand: records written by the preparation's own writer, mistakes planted in them."""

import cv2
import numpy as np
import pytest

from processing_scripts.vision.recordio import RecordWriter, frame, pack_image_record
from tests.preflight.definitions import changed, golden, report
from workflows.preflight.data.pictures import size_of
from workflows.preflight.data.records import BadData, read_records

BOX = (0.1, 0.2, 0.5, 0.6)
ZERO, ONE = [2, 5, 0, *BOX], [2, 5, 1, *BOX]  # labels of one bird of class 0, and of class 1


def picture(width=320, height=240, seed=0, suffix=".jpg"):
    pixels = np.random.default_rng(seed).integers(0, 255, (height, width, 3), dtype=np.uint8)
    return cv2.imencode(suffix, pixels)[1].tobytes()


PICTURES = [picture(seed=seed) for seed in range(12)]


def objects(*boxes):
    return [2.0, 5.0, *(float(number) for box in boxes for number in box)]


def write(folder, labels, pictures=PICTURES):
    folder.mkdir(parents=True, exist_ok=True)
    with RecordWriter(folder / f"{folder.name}.rec") as writer:
        for index, label in enumerate(labels):
            writer.write(pack_image_record(label, index, pictures[index]))


def pipeline(name, **hyperparameters):
    document = golden(name)
    for key, value in hyperparameters.items():
        document = changed(document, f"TrainBase/Arguments/HyperParameters/{key}", value)
    # The base training alone: its channels are those of the folders.
    return changed(document, "TrainIncremental/Arguments/AlgorithmSpecification/TrainingImage", "other:1")


DETECTION = pipeline(
    "birds-detection", label_width="12", num_classes="2", num_training_samples="4", mini_batch_size="4"
)
CLASSIFICATION = pipeline(
    "caltech-classification", num_classes="2", num_training_samples="4", mini_batch_size="4"
)
TRAIN, VALIDATION = "/Steps/1/Arguments/InputDataConfig/0", "/Steps/1/Arguments/InputDataConfig/1"


def found(document, folder):
    findings = report(document, data=folder).findings
    return [(each.identifier, each.pointer) for each in findings if each.identifier.startswith("data-")]


@pytest.fixture
def birds(tmp_path):
    write(tmp_path / "train", [ZERO, objects((1, *BOX), (0, *BOX)), ONE, ZERO])
    write(tmp_path / "validation", [ZERO, ONE], PICTURES[8:])
    return tmp_path


@pytest.fixture
def things(tmp_path):
    write(tmp_path / "train", [0.0, 1.0, 0.0, 1.0])
    write(tmp_path / "validation", [0.0, 1.0], PICTURES[8:])
    return tmp_path


def test_nothing_is_found_in_good_records(birds):
    assert found(DETECTION, birds) == []


def test_nothing_is_found_in_good_classification_records(things):
    assert found(CLASSIFICATION, things) == []


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        pytest.param([ZERO, ZERO, [2, 5, 2, *BOX], ZERO], "data-classes", id="gap-between-classes"),
        pytest.param([ONE, ONE, [2, 5, 2, *BOX], ONE], "data-classes", id="classes-from-1"),
        pytest.param([[2, 5, 0.5, *BOX], ZERO, ONE, ONE], "data-classes", id="half-a-class"),
        pytest.param([ZERO, ZERO, ZERO, ZERO], "data-classes", id="fewer-than-num-classes"),
        pytest.param([[2, 5, 0, 0.5, 0.2, 0.5, 0.6], ZERO, ONE, ONE], "data-boxes", id="empty-box"),
        pytest.param([[2, 5, 0, 0.5, 0.2, 1.2, 0.6], ZERO, ONE, ONE], "data-boxes", id="box-outside"),
        pytest.param([[2, 5, 0, 10, 20, 50, 60], ZERO, ONE, ONE], "data-boxes", id="box-in-pixels"),
        pytest.param([[4, 5, 0, *BOX], ZERO, ONE, ONE], "data-label-layout", id="header-of-four"),
        pytest.param([0.0, ZERO, ONE, ONE], "data-label-layout", id="label-of-classification"),
        pytest.param(
            [objects((0, *BOX), (1, *BOX), (1, *BOX)), ONE, ONE, ONE], "data-label-width", id="wide"
        ),
    ],
)
def test_a_mistake_in_the_labels_is_found(birds, labels, expected):
    write(birds / "train", labels)
    assert (expected, TRAIN) in found(DETECTION, birds)


def test_numbers_of_pictures_are_compared_with_the_hyperparameters(birds):
    write(birds / "train", [objects((0, *BOX)), objects((1, *BOX))])
    assert found(DETECTION, birds) == [("data-below-batch", TRAIN), ("data-sample-count", TRAIN)]


def test_a_class_of_the_validation_alone_is_found(birds):
    write(birds / "validation", [ZERO, ONE, objects((7, *BOX))], PICTURES[8:])
    assert found(DETECTION, birds) == [("data-classes", VALIDATION)]


def test_a_class_of_the_training_alone_is_noted(birds):
    write(birds / "validation", [ZERO], PICTURES[8:])
    assert found(DETECTION, birds) == [("data-class-not-validated", VALIDATION)]


@pytest.mark.parametrize(("zeros", "expected"), [(9, []), (10, [("data-class-balance", TRAIN)])])
def test_a_class_with_a_tenth_of_another_s_labels_is_noted(birds, zeros, expected):
    write(birds / "train", [ONE, objects(*[(0, *BOX)] * zeros), *[objects()] * 2])
    wide = changed(DETECTION, "TrainBase/Arguments/HyperParameters/label_width", "52")
    assert found(wide, birds) == expected


def test_a_picture_on_both_sides_is_found(birds):
    write(birds / "validation", [ONE, ZERO], PICTURES)
    assert found(DETECTION, birds) == [("data-same-picture", VALIDATION)]


def test_a_small_picture_is_found_unless_it_is_resized(things):
    write(things / "train", [0.0, 1.0, 0.0, 1.0], [picture(width=200), *PICTURES])
    assert found(CLASSIFICATION, things) == [("data-small-picture", TRAIN)]
    resized = changed(CLASSIFICATION, "TrainBase/Arguments/HyperParameters/resize", "256")
    assert found(resized, things) == []


def test_what_is_no_picture_is_found(things):
    write(things / "train", [0.0, 1.0, 0.0, 1.0], [b"no picture", *PICTURES])
    assert found(CLASSIFICATION, things) == [("data-unreadable", TRAIN)]


def test_a_damaged_file_is_found(things):
    file = things / "train" / "train.rec"
    file.write_bytes(file.read_bytes()[:-100])
    assert found(CLASSIFICATION, things) == [("data-unreadable", TRAIN)]


@pytest.mark.parametrize("names", [[], ["a.rec", "b.rec"]], ids=["none", "several"])
def test_a_channel_without_exactly_one_file_is_found(things, names):
    (things / "train" / "train.rec").unlink()
    for name in names:
        (things / "train" / name).write_bytes(b"")
    assert found(CLASSIFICATION, things) == [("data-missing", TRAIN)]


def test_a_list_is_read_where_there_are_no_records(birds):
    (birds / "train" / "train.rec").unlink()
    rows = ["0\t2\t5\t0\t0.1\t0.2\t0.5\t0.6\ta.jpg", "1\t2\t5\t1\t0.5\t0.2\t0.1\t0.6\tb.jpg"]
    (birds / "train" / "train.lst").write_text("\n".join([*rows, *rows]) + "\n")
    assert found(DETECTION, birds) == [("data-boxes", TRAIN)] * 2


def test_a_malformed_row_of_a_list_is_found(birds):
    (birds / "train" / "train.rec").unlink()
    (birds / "train" / "train.lst").write_text("0\tred\ta.jpg\n")
    assert ("data-unreadable", TRAIN) in found(DETECTION, birds)


def test_records_that_were_split_at_magic_numbers_are_joined(tmp_path):
    magic = bytes.fromhex("0a23d7ce")
    inside = b"\xff\xd8" + b"ab" + magic * 2 + b"cd"
    (tmp_path / "a.rec").write_bytes(frame(pack_image_record(3.0, 0, inside)))
    (sample,) = read_records(tmp_path / "a.rec")
    assert (sample.label, sample.picture) == ((3.0,), inside)


@pytest.mark.parametrize("cut", [3, 7, 20, 35])
def test_a_file_that_is_cut_short_is_no_traceback(tmp_path, cut):
    whole = frame(pack_image_record([2.0, 5.0], 0, b"\xff\xd8"))
    (tmp_path / "a.rec").write_bytes(whole[:cut])
    with pytest.raises(BadData):
        list(read_records(tmp_path / "a.rec"))


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_sizes_are_read_from_headers(suffix):
    encoded = picture(width=37, height=53, suffix=suffix)
    assert size_of(encoded) == (37, 53)
    assert size_of(encoded[:12]) is None
    assert size_of(b"") is None
