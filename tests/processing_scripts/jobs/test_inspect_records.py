"""The job that decodes every record, on drawn pictures with faults planted in them."""

import json

import cv2
import numpy as np
import pytest

from processing_scripts.jobs import inspect_records
from processing_scripts.vision.images import decode_image, encode_jpeg, mirror_image
from processing_scripts.vision.recordio import RecordWriter, pack_image_record

BOX = (0.1, 0.2, 0.5, 0.6)
PNG = cv2.imencode(".png", np.full((30, 40, 3), 90, np.uint8))[1].tobytes()


@pytest.fixture(scope="module")
def drawn(drawn_birds):
    return [path.read_bytes() for path in sorted(drawn_birds.rglob("*.jpg"))]


@pytest.fixture
def inspect(run_job, tmp_path):
    """Runs the job on tmp_path/data and returns its report."""

    def run(*arguments):
        folder = tmp_path / "out"
        given = ["--input", tmp_path / "data", "--output", folder, "--workers", 2, *arguments]
        code, message = run_job(inspect_records.main, *given)
        assert code == 0, message
        return json.loads((folder / "inspection.json").read_text())

    return run


@pytest.fixture
def write(tmp_path):
    """Writes a channel below tmp_path/data; the ids of its records begin with 100."""

    def records(channel, pictures, labels=None, name=None):
        folder = tmp_path / "data" / channel
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / (name or f"{channel}.rec")
        with RecordWriter(file) as writer:
            for position, picture in enumerate(pictures):
                label = labels[position] if labels else float(position % 3)
                writer.write(pack_image_record(label, 100 + position, picture))
        return file

    return records


def test_pictures_classes_and_sides_are_counted(inspect, write):
    pictures = [encode_jpeg(decode_image(PNG, source="")), PNG]
    write("train", pictures, [[2, 5, 1, *BOX, 0, *BOX], [2, 5, 1, *BOX]])
    write("validation", [PNG], [[2, 5, 0, *BOX]])
    report = inspect()
    assert report["channels"]["train"] == {
        "files": ["train.rec"],
        "records": 2,
        "damages": [],
        "faults": [],
        "classes": {"0": 1, "1": 2},
        "odd_labels": 0,
        "smallest": {"width": 40, "height": 30},
        "plain_pictures": 2,
    }
    assert report["copies"] == []  # plain pictures are alike, but no copies


def test_undecodable_records_in_the_middle_are_named_and_the_others_are_looked_at(inspect, write, drawn):
    pictures = drawn[:8]
    pictures[3] = pictures[3][: len(pictures[3]) // 2]
    pictures[5] = b"no picture"
    write("train", pictures)
    channel = inspect()["channels"]["train"]
    assert channel["records"] == 8
    assert channel["faults"] == [
        {"record": 3, "id": 103, "fault": "is cut short"},
        {"record": 5, "id": 105, "fault": "is not a readable JPEG or PNG file"},
    ]


def test_copies_are_named_with_their_records_and_ids(inspect, write, drawn):
    pixels = [decode_image(data, source="drawn") for data in drawn[:12]]
    write("train", drawn[:10])
    smaller = cv2.resize(pixels[4], None, fx=0.9, fy=0.9, interpolation=cv2.INTER_AREA)
    held_out = [drawn[11], encode_jpeg(pixels[2], quality=50), encode_jpeg(smaller), drawn[7]]
    write("validation", [*held_out, encode_jpeg(mirror_image(pixels[9]), quality=70)])
    copies = inspect()["copies"]
    pairs = [(each["validation_record"], each["training_record"], each["is_mirrored"]) for each in copies]
    assert pairs == [(1, 2, False), (2, 4, False), (3, 7, False), (4, 9, True)]
    assert (copies[0]["validation_id"], copies[0]["training_id"]) == (101, 102)
    assert (copies[2]["distance"], copies[2]["correlation"]) == (0, 1)
    assert {each["channel"] for each in copies} == {"train"}


def test_numbers_count_pictures_that_cannot_be_decoded_too(inspect, write, drawn):
    write("train", [drawn[0][:300], *drawn[1:4]])
    write("validation", [drawn[9], b"", drawn[2]])
    (copy,) = inspect()["copies"]
    assert (copy["validation_record"], copy["training_record"]) == (2, 2)


def test_what_the_preparation_has_mirrored_is_compared_too(inspect, write, drawn):
    write("train", drawn[:2])
    write("train_flipped", [encode_jpeg(mirror_image(decode_image(each, source=""))) for each in drawn[:2]])
    write("validation", [drawn[1]])
    found = [(each["channel"], each["is_mirrored"]) for each in inspect()["copies"]]
    assert found == [("train", False), ("train_flipped", True)]


def test_different_drawn_pictures_are_no_copies(inspect, write, drawn):
    write("train", drawn[::2])
    write("validation", drawn[1::2])
    assert inspect()["copies"] == []


def test_a_file_in_parts_is_one_channel(inspect, write, drawn):
    write("train", drawn[:3], name="train-00001-of-00002.rec")
    write("train", [drawn[3], b"none"], name="train-00002-of-00002.rec")
    channel = inspect()["channels"]["train"]
    assert channel["files"] == ["train-00001-of-00002.rec", "train-00002-of-00002.rec"]
    assert [fault["record"] for fault in channel["faults"]] == [4]


def test_a_damage_between_records_is_told_and_what_stands_before_it_is_looked_at(inspect, write, drawn):
    file = write("train", drawn[:30])
    file.write_bytes(file.read_bytes()[:-50])
    channel = inspect()["channels"]["train"]
    assert channel["records"] == 29
    (damage,) = channel["damages"]
    assert "the file ends inside a part" in damage


@pytest.mark.parametrize(
    "label",
    [
        pytest.param(0.5, id="half-a-class"),
        pytest.param(-1.0, id="below-zero"),
        pytest.param(float("nan"), id="no-number"),
        pytest.param([2, 5, 0, 0.1], id="too-short"),
        pytest.param([2, 0, 0, 0.1, 0.1, 0.2, 0.2], id="objects-without-width"),
        pytest.param([7, float("inf"), 0, 0.1, 0.1, 0.2, 0.2], id="endless-objects"),
        pytest.param([12, 5, 0, 0.1, 0.1, 0.2, 0.2], id="header-behind-the-end"),
        pytest.param([float("nan")] * 7, id="no-numbers"),
    ],
)
def test_a_label_without_a_class_is_counted_as_odd(inspect, write, drawn, label):
    write("train", drawn[:2], [0.0, label])
    channel = inspect()["channels"]["train"]
    assert (channel["odd_labels"], channel["classes"]) == (1, {"0": 1})


def test_a_record_without_a_header_is_a_fault(inspect, write, tmp_path, drawn):
    file = write("train", drawn[:1])
    with RecordWriter(tmp_path / "short.rec") as writer:
        writer.write(b"short")
    file.write_bytes(file.read_bytes() + (tmp_path / "short.rec").read_bytes())
    (fault,) = inspect()["channels"]["train"]["faults"]
    assert (fault["record"], fault["id"]) == (1, None)


def test_a_folder_without_records_is_refused(run_job, tmp_path):
    (tmp_path / "data" / "train").mkdir(parents=True)
    code, message = run_job(inspect_records.main, "--input", tmp_path / "data", "--output", tmp_path / "out")
    assert code == 1
    assert "holds no .rec file in train/ or train_flipped/ or validation/" in message


def test_several_files_in_a_channel_are_refused(run_job, tmp_path, write, drawn):
    write("train", drawn[:1], name="a.rec")
    write("train", drawn[:1], name="b.rec")
    code, message = run_job(inspect_records.main, "--input", tmp_path / "data", "--output", tmp_path / "out")
    assert code == 1
    assert "a.rec, b.rec" in message
