"""Record files that are there already, as the notebook downloads them."""

import io
import struct

import mxnet as mx
import numpy as np
import pytest
from PIL import Image

from processing_scripts.jobs.prepare_classification import main
from processing_scripts.vision.recordio import pack_image_record
from tests.processing_scripts.job_testing import read_json, tree

SHAPE = ("--workers", 1, "--image-shape", "3,32,32")
TRAIN, VALIDATION = "caltech-256-60-train.rec", "caltech-256-60-val.rec"


def image(number=0, size=(40, 36), kind="JPEG"):
    data = np.random.default_rng(number).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(data).save(file, format=kind)
    return file.getvalue()


def write_with_mxnet(path, labelled):
    """The referee's writer: labels and encoded pictures to a record file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = mx.recordio.MXRecordIO(str(path), "w")
    for number, (label, data) in enumerate(labelled):
        writer.write(mx.recordio.pack(mx.recordio.IRHeader(0, label, 1000 + number, 0), data))
    writer.close()


@pytest.fixture
def ready(tmp_path):
    """Three classes: 2, 1 and 1 pictures for training, 1, 0 and 2 for validation."""
    folder = tmp_path / "data"
    write_with_mxnet(folder / TRAIN, [(0, image(1)), (2, image(2)), (1, image(3)), (0, image(4))])
    write_with_mxnet(
        folder / VALIDATION, [(2, image(5)), (0, image(6, kind="PNG")), (2, image(7, size=(32, 64)))]
    )
    return folder


def prepare(run_job, folder, output, *arguments):
    assert run_job(main, "--input", folder, "--output", output, *SHAPE, *arguments) == (0, None)
    return read_json(output / "report" / "report.json")


def test_ready_records_are_counted_and_passed_on_unchanged(ready, tmp_path, run_job):
    report = prepare(run_job, ready, tmp_path / "out")
    found = tree(tmp_path / "out")
    given = tree(ready)
    assert found["train/train.rec"] == given[TRAIN]
    assert found["validation/validation.rec"] == given[VALIDATION]
    assert report["hyperparameters"] == {"num_classes": "3", "num_training_samples": "4"}
    assert report["splits"] == {"train": 4, "validation": 3}
    assert report["class_names"] == ["class 0", "class 1", "class 2"]
    assert read_json(tmp_path / "out" / "report" / "details.json")["classes"] == [
        {"id": 0, "name": "class 0", "folder": "class_000", "train": 2, "validation": 1},
        {"id": 1, "name": "class 1", "folder": "class_001", "train": 1, "validation": 0},
        {"id": 2, "name": "class 2", "folder": "class_002", "train": 1, "validation": 2},
    ]
    assert report["source"] == "ready records"
    assert report["inputs"] == given


def test_held_out_pictures_and_their_list_come_out_of_the_records(ready, tmp_path, run_job):
    prepare(run_job, ready, tmp_path / "out")
    assert (tmp_path / "out" / "lists" / "validation.lst").read_text() == (
        "0\t2\tclass_002/000000.jpg\n1\t0\tclass_000/000001.png\n2\t2\tclass_002/000002.jpg\n"
    )
    pictures = tmp_path / "out" / "validation_images"
    assert {str(path.relative_to(pictures)): path.read_bytes() for path in pictures.rglob("*.*")} == {
        "class_002/000000.jpg": image(5),
        "class_000/000001.png": image(6, kind="PNG"),
        "class_002/000002.jpg": image(7, size=(32, 64)),
    }


def test_what_this_job_packed_can_be_its_input(drawn_things, tmp_path, run_job):
    first = prepare(
        run_job, drawn_things, tmp_path / "a", "--resize", 40, "--training-per-class", 5
    )  # a folder per channel
    classes = read_json(tmp_path / "a" / "report" / "details.json")["classes"]
    (tmp_path / "a" / "classes.txt").write_text("".join(f"{entry['folder']}\n" for entry in classes))
    second = prepare(run_job, tmp_path / "a", tmp_path / "b")
    for key in ("hyperparameters", "class_names", "splits"):
        assert second[key] == first[key]
    assert tree(tmp_path / "b" / "train") == tree(tmp_path / "a" / "train")


def test_the_number_of_processes_changes_nothing(ready, tmp_path, run_job):
    prepare(run_job, ready, tmp_path / "a")
    prepare(run_job, ready, tmp_path / "b", "--workers", 2)
    assert tree(tmp_path / "a") == tree(tmp_path / "b")


def test_a_second_run_with_folders_leaves_nothing_of_the_records(ready, drawn_things, tmp_path, run_job):
    arguments = ("--resize", 32, "--training-per-class", 5)
    prepare(run_job, ready, tmp_path / "a")
    prepare(run_job, drawn_things, tmp_path / "a", *arguments)
    prepare(run_job, drawn_things, tmp_path / "b", *arguments)
    assert tree(tmp_path / "a") == tree(tmp_path / "b")


def with_label(label):
    """A record whose label is an array, as a detection record has it."""
    return lambda folder: write_raw(folder / TRAIN, [pack_image_record(label, 7, image())])


def write_raw(path, payloads):
    writer = mx.recordio.MXRecordIO(str(path), "w")
    for payload in payloads:
        writer.write(payload)
    writer.close()


def write(name, *labelled):
    return lambda folder: write_with_mxnet(folder / name, labelled)


def append(name, data):
    def spoil(folder):
        (folder / name).write_bytes((folder / name).read_bytes() + data)

    return spoil


def names(text):
    return lambda folder: (folder / "classes.txt").write_bytes(text)


@pytest.mark.parametrize(
    ("spoil", "fault"),
    [
        pytest.param(
            write(TRAIN, (0, image()), (1, image()[:-20])),
            f"{TRAIN}: record 2: its picture is cut short; pack the file again",
            id="truncated-picture",
        ),
        pytest.param(
            write(VALIDATION, (0, b"text")),
            f"{VALIDATION}: record 1: its picture is not a readable JPEG or PNG file",
            id="no-picture",
        ),
        pytest.param(
            write(TRAIN, (0, image(size=(40, 31)))),
            "record 1: has 40 x 31 pixels, less than the 32 x 32 of --image-shape 3,32,32; pack the file "
            "again from larger pictures, or choose a smaller --image-shape",
            id="small-picture",
        ),
        pytest.param(
            with_label([2, 5, 0, 0.1, 0.1, 0.9, 0.9]),
            f"{TRAIN}: record 1: has 7 label numbers, not one class; was it packed for detection?",
            id="detection-records",
        ),
        pytest.param(write(TRAIN, (0.5, image())), "record 1: has the class 0.5, not one of 0", id="half"),
        pytest.param(write(TRAIN, (-1, image())), "record 1: has the class -1, not one of", id="negative"),
        pytest.param(write(TRAIN, (float("nan"), image())), "record 1: has the class nan", id="nan"),
        pytest.param(write(TRAIN, (float("inf"), image())), "record 1: has the class inf", id="infinite"),
        pytest.param(
            write(TRAIN, (0, image()), (3, image())),
            f"{TRAIN}: has class 3, but no record of class 1, 2; classes must be successive from 0",
            id="gap",
        ),
        pytest.param(
            write(VALIDATION, (0, image()), (5, image())),
            f"{VALIDATION}: has class 5, of which {TRAIN} has no record",
            id="unknown-class",
        ),
        pytest.param(write(TRAIN), f"{TRAIN}: has no records", id="empty"),
        pytest.param(write(VALIDATION), f"{VALIDATION}: has no records", id="empty-validation"),
        pytest.param(append(TRAIN, b"more"), "the file ends inside a record header", id="rest"),
        pytest.param(
            append(TRAIN, struct.pack("<II", 0xCED7230A, 8) + bytes(8)),
            "record 5: an image record has at least 24 bytes, this one 8",
            id="short-record",
        ),
        pytest.param(names(b"a\nb\n"), "classes.txt: has 2 names, the records have 3 classes", id="names"),
        pytest.param(names(b"a\nb\n9.a\n"), "classes.txt: row 3: 'a' is unprintable or stands", id="twice"),
        pytest.param(names(b"a\nb\n\xff\n"), "classes.txt: not UTF-8 text", id="names-not-utf8"),
        pytest.param(
            write("extra-train.rec", (0, image())),
            f"holds {TRAIN}, {VALIDATION}, extra-train.rec; give it one .rec file with 'train' in its name",
            id="three-files",
        ),
        pytest.param(lambda folder: (folder / VALIDATION).unlink(), "and one with 'val'", id="one-file"),
    ],
)
def test_faulty_records_are_refused_with_file_and_record(ready, tmp_path, run_job, spoil, fault):
    spoil(ready)
    code, message = run_job(main, "--input", ready, "--output", tmp_path / "out", *SHAPE)
    assert code == 1
    assert fault in message
    assert "\n" not in message
    assert not (tmp_path / "out").exists()
