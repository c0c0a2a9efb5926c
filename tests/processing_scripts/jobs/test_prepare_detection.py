import csv
import json
import shutil
import tarfile
from collections import Counter
from pathlib import Path

import cv2
import mxnet as mx
import numpy as np
import pytest
from PIL import Image

from processing_scripts.jobs.prepare_detection import main
from processing_scripts.vision.recordio import RecordReader, unpack_image_record
from tests.processing_scripts.job_testing import (
    cut_short,
    read_json,
    replace_text,
    run_python,
    tree,
    write_new,
)

SMALL = ("--workers", 1, "--resize", 64)
ALL_FIVE = [17, 36, 47, 68, 73]


def prepare(run_job, source, output, *arguments):
    code, message = run_job(main, "--input", source, "--output", output, *SMALL, *arguments)
    assert (code, message) == (0, None)
    return read_json(output / "report" / "report.json")


def details(output):
    return read_json(output / "report" / "details.json")


def records(path):
    return [unpack_image_record(payload) for payload in RecordReader(path)]


def table(folder, name):
    with (folder / name).open(newline="") as file:
        return list(csv.reader(file, delimiter=" "))


def lists_slowly(folder, classes):
    """What the notebook's cells write, in plain Python: the rows of the training list, of the validation
    list, and of the training list after the pictures were mirrored."""
    labels = {row[0]: int(row[1]) for row in table(folder, "image_class_labels.txt")}
    boxes = {row[0]: [float(number) for number in row[1:]] for row in table(folder, "bounding_boxes.txt")}
    training = {row[0]: row[1] == "1" for row in table(folder, "train_test_split.txt")}
    chosen = [(name, path) for name, path in table(folder, "images.txt") if labels[name] in classes]
    rebased = {
        class_id: float(number) for number, class_id in enumerate(sorted(set(labels.values()) & set(classes)))
    }

    def line(index, class_id, box, size, path):
        left, top, width, height = box
        numbers = [rebased[class_id], left / size[0], top / size[1]]
        numbers += [(left + width) / size[0], (top + height) / size[1]]
        return "\t".join([str(index), "2", "5", *(format(number, ".4f") for number in numbers), path]) + "\n"

    originals, flips = [], []
    for index, (name, path) in enumerate(chosen):
        with Image.open(folder / "images" / path) as picture:
            size = picture.size
        left, top, width, height = boxes[name]
        mirrored = [size[0] - width - left, top, width, height]
        originals.append((training[name], line(index, labels[name], boxes[name], size, path)))
        new_path = path[:-4] + "_flip.jpg"
        flips.append((training[name], line(index + len(chosen), labels[name], mirrored, size, new_path)))
    train = "".join(text for is_training, text in originals if is_training)
    validation = "".join(text for is_training, text in originals if not is_training)
    return train, validation, train + "".join(text for is_training, text in flips if is_training)


@pytest.mark.parametrize(
    "classes", [pytest.param(ALL_FIVE, id="five-species"), pytest.param([36, 73], id="two-species")]
)
def test_lists_are_those_of_the_notebook_to_the_letter(drawn_birds, tmp_path, run_job, classes):
    prepare(run_job, drawn_birds, tmp_path / "out", "--classes", ",".join(map(str, classes)))
    train, validation, with_flips = lists_slowly(drawn_birds / "CUB_200_2011", classes)
    lists = tmp_path / "out" / "lists"
    assert (lists / "train.lst").read_text() == train
    assert (lists / "validation.lst").read_text() == validation
    assert (lists / "train_flipped.lst").read_text() == with_flips


def small_data_set(folder):
    """Two species, four pictures of 200 x 100, boxes whose fractions are worked out by hand below."""
    files = {
        "classes.txt": "5 005.Owl\n9 009.Wren\n11 011.Kite\n",
        "images.txt": "1 009.Wren/a.jpg\n2 005.Owl/b.jpg\n3 011.Kite/c.jpg\n4 005.Owl/d.jpg\n"
        "7 009.Wren/e.jpg\n",
        "image_class_labels.txt": "7 9\n1 9\n2 5\n3 11\n4 5\n",
        "bounding_boxes.txt": "1 20.0 10.0 50.0 40.0\n2 0.0 0.0 200.0 100.0\n3 1 1 5 5\n"
        "4 33.3 25.5 66.6 50.1\n7 100 50 100 50\n",
        "train_test_split.txt": "1 1\n2 0\n3 1\n4 1\n7 0\n",
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    for path in ("009.Wren/a", "005.Owl/b", "005.Owl/d", "009.Wren/e"):
        file = folder / "images" / f"{path}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (200, 100), (120, 90, 60)).save(file)


def test_lists_worked_out_by_hand(tmp_path, run_job):
    small_data_set(tmp_path / "data")
    report = prepare(run_job, tmp_path / "data", tmp_path / "out", "--classes", "9,5")
    lists = tmp_path / "out" / "lists"
    # Rows are numbered over both species and both lists; owls (5) are class 0, wrens (9) class 1.
    assert (lists / "train_flipped.lst").read_text().splitlines() == [
        "0\t2\t5\t1.0000\t0.1000\t0.1000\t0.3500\t0.5000\t009.Wren/a.jpg",
        "2\t2\t5\t0.0000\t0.1665\t0.2550\t0.4995\t0.7560\t005.Owl/d.jpg",
        # 200 - 50 - 20 = 130; 200 - 66.6 - 33.3 = 100.1; numbered from 4, the number of pictures
        "4\t2\t5\t1.0000\t0.6500\t0.1000\t0.9000\t0.5000\t009.Wren/a_flip.jpg",
        "6\t2\t5\t0.0000\t0.5005\t0.2550\t0.8335\t0.7560\t005.Owl/d_flip.jpg",
    ]
    assert (lists / "validation.lst").read_text().splitlines() == [
        "1\t2\t5\t0.0000\t0.0000\t0.0000\t1.0000\t1.0000\t005.Owl/b.jpg",
        "3\t2\t5\t1.0000\t0.5000\t0.5000\t1.0000\t1.0000\t009.Wren/e.jpg",
    ]
    assert details(tmp_path / "out")["classes"] == [
        {"id": 0, "class_id": 5, "name": "005.Owl", "train": 1, "validation": 1},
        {"id": 1, "class_id": 9, "name": "009.Wren", "train": 1, "validation": 1},
    ]
    assert report["hyperparameters"] == {
        "num_classes": "2",
        "num_training_samples": "2",
        "num_training_samples_with_flips": "4",
        "label_width": "7",
    }
    assert report["class_names"] == ["005.Owl", "009.Wren"]


def test_records_hold_the_rows_of_the_lists_in_their_order(drawn_birds, tmp_path, run_job):
    prepare(run_job, drawn_birds, tmp_path / "out")
    out = tmp_path / "out"
    for records_file, name in [
        ("train/train.rec", "train"),
        ("train_flipped/train.rec", "train_flipped"),
        ("validation/validation.rec", "validation"),
    ]:
        rows = [line.split("\t") for line in (out / "lists" / f"{name}.lst").read_text().splitlines()]
        found = records(out / records_file)
        assert [record_id for _, record_id, _ in found] == [int(row[0]) for row in rows]
        for (label, _, image), row in zip(found, rows, strict=True):
            np.testing.assert_array_equal(label, np.array(row[1:-1], dtype=np.float32))
            assert min(cv2.imdecode(np.frombuffer(image, np.uint8), cv2.IMREAD_UNCHANGED).shape[:2]) == 64
        index = mx.recordio.MXIndexedRecordIO(
            str(out / "lists" / f"{name}.idx"), str(out / records_file), "r"
        )
        assert [mx.recordio.unpack(index.read_idx(int(row[0])))[0].id for row in rows] == [
            int(row[0]) for row in rows
        ]
        index.close()
    assert sorted(path.name for path in (out / "train").iterdir()) == ["train.rec"]


def test_flips_mirror_their_originals(drawn_birds, tmp_path, run_job):
    prepare(run_job, drawn_birds, tmp_path / "out", "--classes", "17")
    both = records(tmp_path / "out" / "train_flipped" / "train.rec")
    originals, flips = both[: len(both) // 2], both[len(both) // 2 :]
    assert [image for *_, image in originals] == [
        image for *_, image in records(tmp_path / "out" / "train" / "train.rec")
    ]
    for (label, _, image), (flipped_label, _, flipped) in zip(originals, flips, strict=True):
        pixels, mirrored = (
            cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR).astype(int)
            for data in (image, flipped)
        )
        assert np.abs(pixels[:, ::-1] - mirrored).mean() < 3
        assert np.abs(pixels - mirrored).mean() > 6
        np.testing.assert_allclose(flipped_label[[3, 5]], 1 - label[[5, 3]], atol=1.01e-4)
        np.testing.assert_array_equal(flipped_label[[2, 4, 6]], label[[2, 4, 6]])


IM2REC = """
import numpy, runpy, sys, warnings
numpy.bool = bool
runpy.run_path(sys.argv.pop(1), run_name="__main__")
"""


def test_mxnets_im2rec_packs_the_same_lists_to_the_same_bytes(drawn_birds, tmp_path, run_job):
    prepare(run_job, drawn_birds, tmp_path / "out")
    tool = Path(mx.__file__).parent / "tools" / "im2rec.py"
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    for name in ("train", "validation"):
        shutil.copy(tmp_path / "out" / "lists" / f"{name}.lst", theirs)
    images = drawn_birds / "CUB_200_2011" / "images"
    done = run_python("-c", IM2REC, tool, "--resize", 64, "--pack-label", theirs, f"{images}/")
    assert done.returncode == 0, done.stderr
    for name in ("train", "validation"):
        ours = tmp_path / "out" / name / f"{name}.rec"
        assert (theirs / f"{name}.rec").read_bytes() == ours.read_bytes()
        assert tree(theirs)[f"{name}.idx"] == tree(tmp_path / "out" / "lists")[f"{name}.idx"]


def test_mxnet_reads_boxes_and_pictures_of_the_whole_training_set(drawn_birds, tmp_path, run_job):
    report = prepare(run_job, drawn_birds, tmp_path / "out")
    batches = mx.io.ImageDetRecordIter(
        path_imgrec=str(tmp_path / "out" / "train" / "train.rec"), data_shape=(3, 64, 64),
        batch_size=report["num_training_samples"], label_pad_width=report["label_width"], verbose=False,
    )  # fmt: skip
    labels = next(batches).label[0].asnumpy()
    assert Counter(labels[:, 6].astype(int)) == dict.fromkeys(range(5), 5)
    assert (labels[:, 7:9] < labels[:, 9:11]).all()


def test_outputs_do_not_depend_on_the_number_of_processes_or_the_form_of_the_input(drawn_birds, tmp_path):
    with tarfile.open(tmp_path / "CUB_200_2011.tgz", "w:gz") as archive:
        archive.add(drawn_birds / "CUB_200_2011", "./CUB_200_2011")
        archive.addfile(tarfile.TarInfo("attributes.txt"))
    trees = []
    for number, (source, workers) in enumerate([(drawn_birds, 1), (drawn_birds, 3), (tmp_path, 2)]):
        output = tmp_path / f"out-{number}"
        done = run_python(
            "-m", "processing_scripts.jobs.prepare_detection", "--input", source, "--output", output,
            "--workers", workers, "--resize", 64, OPT_ML=str(tmp_path / "ml"),
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        trees.append(tree(output))
        assert "pack: 40 of 40 pictures, " in done.stdout
    assert trees[0] == trees[1] == trees[2]
    assert not list(tmp_path.rglob("*.staged")) + list(tmp_path.rglob("*.partial"))


def test_every_other_output_is_listed_and_nothing_of_this_machine(drawn_birds, tmp_path, run_job):
    report = prepare(run_job, drawn_birds, tmp_path / "out")
    listed = read_json(tmp_path / "out" / "report" / "outputs.json")["outputs"]
    found = tree(tmp_path / "out")
    assert {name: entry["sha256"] for name, entry in listed.items()} == {
        name: digest for name, digest in found.items() if name != "report/outputs.json"
    }
    assert all(entry["bytes"] == (tmp_path / "out" / name).stat().st_size for name, entry in listed.items())
    assert str(tmp_path) not in json.dumps([report, listed, details(tmp_path / "out")])
    tables = {path.name for path in (drawn_birds / "CUB_200_2011").glob("*.txt")}
    assert set(report["inputs"]) == tables | {"pictures"}
    assert report["splits"] == {"train": 25, "validation": 15}


def test_held_out_pictures_are_handed_on_untouched(drawn_birds, tmp_path, run_job):
    prepare(run_job, drawn_birds, tmp_path / "out")
    images = drawn_birds / "CUB_200_2011" / "images"
    rows = (tmp_path / "out" / "lists" / "validation.lst").read_text().splitlines()
    paths = [row.split("\t")[-1] for row in rows]
    assert len(paths) == 15
    held_out = tmp_path / "out" / "validation_images"
    assert tree(held_out) == {path: digest for path, digest in tree(images).items() if path in paths}


def test_the_species_picture_has_a_row_per_species_and_its_boxes(drawn_birds, tmp_path, run_job):
    prepare(run_job, drawn_birds, tmp_path / "out", "--classes", "17,73")
    with Image.open(tmp_path / "out" / "report" / "species.png") as picture:
        pixels = np.asarray(picture.convert("RGB"))
    # Two rows of 150 with gaps of 8; the box colours of classes 0 and 1.
    assert pixels.shape[0] == 8 + 2 * 158
    for number, colour in enumerate([(213, 94, 0), (0, 114, 178)]):
        row = pixels[8 + number * 158 :][:150]
        assert (row == colour).all(axis=2).sum() > 500


def test_classes_can_be_named_and_all_means_all(drawn_birds, tmp_path, run_job):
    named = prepare(run_job, drawn_birds, tmp_path / "a", "--classes", "073.Blue_Jay, cardinal")
    assert named["class_names"] == ["017.Cardinal", "073.Blue_Jay"]
    assert prepare(run_job, drawn_birds, tmp_path / "b", "--classes", "all")["num_classes"] == 5


def test_a_random_split_is_stratified_and_follows_its_seed(drawn_birds, tmp_path, run_job):
    random = ("--split", "random", "--train-ratio", 0.75)
    prepare(run_job, drawn_birds, tmp_path / "a", *random, "--seed", 1)
    prepare(run_job, drawn_birds, tmp_path / "b", *random, "--seed", 1)
    prepare(run_job, drawn_birds, tmp_path / "c", *random, "--seed", 2)
    assert tree(tmp_path / "a") == tree(tmp_path / "b") != tree(tmp_path / "c")
    assert {(entry["train"], entry["validation"]) for entry in details(tmp_path / "a")["classes"]} == {(6, 2)}


def test_the_split_of_one_species_does_not_depend_on_the_others(drawn_birds, tmp_path, run_job):
    paths = []
    for number, classes in enumerate(["17", "17,36"]):
        out = tmp_path / str(number)
        prepare(run_job, drawn_birds, out, "--split", "random", "--classes", classes)
        lines = (out / "lists" / "train.lst").read_text().splitlines()
        paths.append([line.split("\t")[-1] for line in lines if "Cardinal" in line])
    assert paths[0] == paths[1]


def test_a_second_run_replaces_the_first_and_leaves_foreign_files_alone(drawn_birds, tmp_path, run_job):
    out = tmp_path / "out"
    prepare(run_job, drawn_birds, out, "--classes", "17,36")
    (out / "validation_images" / "notes.txt").write_text("mine")
    prepare(run_job, drawn_birds, out, "--classes", "73")
    prepare(run_job, drawn_birds, tmp_path / "fresh", "--classes", "73")
    (tmp_path / "fresh" / "validation_images" / "notes.txt").write_text("mine")
    assert tree(out) == tree(tmp_path / "fresh")


def test_boxes_up_to_a_pixel_over_the_border_are_cut_off_and_counted(tmp_path, run_job):
    small_data_set(tmp_path / "data")
    replace_text(tmp_path / "data" / "bounding_boxes.txt", "1 20.0 10.0 50.0 40.0", "1 -0.5 60.0 50.0 41.0")
    report = prepare(run_job, tmp_path / "data", tmp_path / "out", "--classes", "5,9")
    assert report["clipped_boxes"] == 1
    first = (tmp_path / "out" / "lists" / "train.lst").read_text().splitlines()[0]
    assert first == "0\t2\t5\t1.0000\t0.0000\t0.6000\t0.2475\t1.0000\t009.Wren/a.jpg"


CARDINAL = "images/017.Cardinal/Cardinal_0001_17001.jpg"


def test_unreadable_pictures_are_skipped_up_to_the_allowed_share(birds, tmp_path, run_job):
    cut_short(birds / CARDINAL)
    write_new(birds / "images/073.Blue_Jay/Blue_Jay_0002_73002.jpg", b"<html>404</html>")
    report = prepare(run_job, birds.parent, tmp_path / "out", "--max-unreadable-share", 0.05)
    assert report["skipped"] == 2
    assert details(tmp_path / "out")["skipped"] == [
        {"path": "017.Cardinal/Cardinal_0001_17001.jpg", "fault": "is cut short"},
        {"path": "073.Blue_Jay/Blue_Jay_0002_73002.jpg", "fault": "is not a readable JPEG or PNG file"},
    ]
    assert sum(report["splits"].values()) == 38
    counts = [entry["train"] + entry["validation"] for entry in details(tmp_path / "out")["classes"]]
    assert counts == [7, 8, 8, 8, 7]
    lists = "".join(path.read_text() for path in (tmp_path / "out" / "lists").glob("*.lst"))
    assert "Cardinal_0001" not in lists
    assert "Blue_Jay_0002" not in lists
    # The others keep their numbers.
    assert "1\t2\t5\t0.0000" in lists


def test_files_that_have_the_size_are_packed_as_they_are_when_asked(birds, tmp_path, run_job):
    images = birds / "images"
    small = set(sorted(images.rglob("*.jpg"))[::2])
    for path in small:
        pixels = cv2.resize(cv2.imread(str(path)), (96, 64))
        write_new(path, cv2.imencode(".jpg", pixels)[1].tobytes())
    boxes = "".join(f"{row[0]} 10.0 10.0 50.0 40.0\n" for row in table(birds, "bounding_boxes.txt"))
    write_new(birds / "bounding_boxes.txt", boxes.encode())
    report = prepare(run_job, birds, tmp_path / "out", "--keep-unchanged")
    assert report["settings"]["keep_unchanged"] is True
    for name in ("train", "validation", "train_flipped"):
        rows = (tmp_path / "out" / "lists" / f"{name}.lst").read_text().splitlines()
        packed = records(next((tmp_path / "out" / name).glob("*.rec")))
        for row, (_, _, image) in zip(rows, packed, strict=True):
            source = images / row.split("\t")[-1]
            assert min(cv2.imdecode(np.frombuffer(image, np.uint8), 1).shape[:2]) == 64
            # The mirror images have no file.
            assert not source.exists() or (image == source.read_bytes()) == (source in small)


def test_where_the_time_went_can_be_had_as_json(drawn_birds, tmp_path, run_job):
    arguments = ("--input", drawn_birds, "--output", tmp_path / "out", "--workers", 2, "--classes", "17")
    assert run_job(main, *arguments, "--timings", tmp_path / "timings.json") == (0, None)
    found = read_json(tmp_path / "timings.json")
    records = sum(
        (tmp_path / "out" / name).stat().st_size for name in ("train/train.rec", "validation/validation.rec")
    )
    assert (found["pictures"], found["workers"]) == (8, 2)
    assert found["bytes_after"] > records
    assert found["shares"]["encode"] > 0
