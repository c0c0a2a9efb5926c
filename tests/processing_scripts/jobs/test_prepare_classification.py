import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections import Counter
from pathlib import Path

import cv2
import mxnet as mx
import numpy as np
import pytest
from PIL import Image

from processing_scripts.jobs.prepare_classification import main
from processing_scripts.vision.recordio import RecordReader, unpack_image_record
from tests.processing_scripts.job_testing import cut_short, read_json, run_python, tree, write_new

SMALL = ("--workers", 1, "--resize", 64, "--image-shape", "3,64,64", "--training-per-class", 5)
FOLDERS = ["025.cactus", "056.dog", "087.goldfish", "198.spider"]


def prepare(run_job, source, output, *arguments):
    code, message = run_job(main, "--input", source, "--output", output, *SMALL, *arguments)
    assert (code, message) == (0, None)
    return read_json(output / "report" / "report.json")


def details(output):
    return read_json(output / "report" / "details.json")


def rows(output, name):
    return [line.split("\t") for line in (output / "lists" / f"{name}.lst").read_text().splitlines()]


def records(path):
    return [unpack_image_record(payload) for payload in RecordReader(path)]


def test_five_of_seven_pictures_of_every_class_are_for_training(drawn_things, tmp_path, run_job):
    report = prepare(run_job, drawn_things, tmp_path / "out")
    train, validation = rows(tmp_path / "out", "train"), rows(tmp_path / "out", "validation")
    assert Counter(row[1] for row in train) == {"0": 5, "1": 5, "2": 5, "3": 5}
    assert Counter(row[1] for row in validation) == {"0": 2, "1": 2, "2": 2, "3": 2}
    pictures = sorted(
        path.relative_to(drawn_things / "256_ObjectCategories").as_posix()
        for path in drawn_things.rglob("*.jpg")
    )
    # Numbered in the order of the paths; a class's number is its folder's position.
    assert sorted(train + validation, key=lambda row: int(row[0])) == [
        [str(index), str(FOLDERS.index(path.split("/")[0])), path] for index, path in enumerate(pictures)
    ]
    assert report["hyperparameters"] == {"num_classes": "4", "num_training_samples": "20"}
    assert (report["num_classes"], report["num_training_samples"]) == (4, 20)
    assert report["class_names"] == ["cactus", "dog", "goldfish", "spider"]
    assert details(tmp_path / "out")["classes"][1] == {
        "id": 1, "name": "dog", "folder": "056.dog", "train": 5, "validation": 2,
    }  # fmt: skip
    assert report["splits"] == {"train": 20, "validation": 8}


def test_training_is_mixed_and_validation_in_order(drawn_things, tmp_path, run_job):
    prepare(run_job, drawn_things, tmp_path / "out")
    labels = [int(row[1]) for row in rows(tmp_path / "out", "train")]
    # The algorithm reads records in their order; sorted ones would give it batches of one class.
    assert all(labels[start : start + 5] != sorted(labels[start : start + 5]) for start in (0, 10))
    assert [row[0] for row in rows(tmp_path / "out", "validation")] == sorted(
        (row[0] for row in rows(tmp_path / "out", "validation")), key=int
    )


def test_the_strays_of_caltech_are_counted_and_named(drawn_things, tmp_path, run_job, capsys):
    report = prepare(run_job, drawn_things, tmp_path / "out")
    assert report["strays"] == 3
    assert details(tmp_path / "out")["strays"] == ["056.dog/greg/vision309", "198.spider/RENAME2", "README"]
    assert "3 entries are no pictures of a class: 056.dog/greg/vision309, 198.spi" in capsys.readouterr().out


def test_records_hold_the_rows_of_the_lists_in_their_order(drawn_things, tmp_path, run_job):
    prepare(run_job, drawn_things, tmp_path / "out")
    for name in ("train", "validation"):
        file = tmp_path / "out" / name / f"{name}.rec"
        listed = [(float(label), int(index)) for index, label, _ in rows(tmp_path / "out", name)]
        assert [(label.tolist()[0], index) for label, index, _ in records(file)] == listed
        # A scalar label stands in the header, whose first number is then 0.
        assert all(payload[:4] == bytes(4) for payload in RecordReader(file))
        index = mx.recordio.MXIndexedRecordIO(str(tmp_path / "out" / "lists" / f"{name}.idx"), str(file), "r")
        assert [mx.recordio.unpack(index.read_idx(number))[0].label for _, number in listed] == [
            label for label, _ in listed
        ]
        index.close()
        assert [path.name for path in file.parent.iterdir()] == [file.name]


IM2REC = """
import numpy, runpy, sys, warnings
numpy.bool = bool
runpy.run_path(sys.argv.pop(1), run_name="__main__")
"""


def test_mxnets_im2rec_packs_the_same_lists_to_the_same_bytes(drawn_things, tmp_path, run_job):
    prepare(run_job, drawn_things, tmp_path / "out")
    tool = Path(mx.__file__).parent / "tools" / "im2rec.py"
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    for name in ("train", "validation"):
        shutil.copy(tmp_path / "out" / "lists" / f"{name}.lst", theirs)
    images = drawn_things / "256_ObjectCategories"
    done = run_python("-c", IM2REC, tool, "--resize", 64, theirs, f"{images}/")
    assert done.returncode == 0, done.stderr
    for name in ("train", "validation"):
        ours = tmp_path / "out" / name / f"{name}.rec"
        assert (theirs / f"{name}.rec").read_bytes() == ours.read_bytes()
        assert tree(theirs)[f"{name}.idx"] == tree(tmp_path / "out" / "lists")[f"{name}.idx"]


def test_mxnets_im2rec_gives_the_classes_the_same_numbers(drawn_things, tmp_path, run_job):
    prepare(run_job, drawn_things, tmp_path / "out")
    tool = Path(mx.__file__).parent / "tools" / "im2rec.py"
    done = run_python(
        "-c", IM2REC, tool, "--list", "--recursive", "--no-shuffle", tmp_path / "all",
        drawn_things / "256_ObjectCategories",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    theirs = [line.split("\t") for line in (tmp_path / "all.lst").read_text().splitlines()]
    ours = rows(tmp_path / "out", "train") + rows(tmp_path / "out", "validation")
    assert {(int(index), float(label), path) for index, label, path in ours} == {
        (int(index), float(label), path) for index, label, path in theirs
    }


def test_mxnet_reads_labels_and_pictures_of_the_whole_training_set(drawn_things, tmp_path, run_job):
    report = prepare(run_job, drawn_things, tmp_path / "out")
    batch = next(
        mx.io.ImageRecordIter(
            path_imgrec=str(tmp_path / "out" / "train" / "train.rec"), data_shape=(3, 64, 64),
            batch_size=report["num_training_samples"], verbose=False,
        )
    )  # fmt: skip
    assert Counter(batch.label[0].asnumpy().tolist()) == dict.fromkeys([0.0, 1.0, 2.0, 3.0], 5)
    listed = [float(row[1]) for row in rows(tmp_path / "out", "train")]
    assert batch.label[0].asnumpy().tolist() == listed
    # The first picture, cut out of its middle, is the one that the first row names.
    first = rows(tmp_path / "out", "train")[0][2]
    pixels = cv2.imread(str(drawn_things / "256_ObjectCategories" / first))
    height, width = pixels.shape[:2]
    size = (width * 64 // height, 64) if width > height else (64, height * 64 // width)
    left, top = (size[0] - 64) // 2, (size[1] - 64) // 2
    middle = cv2.resize(pixels, size)[top : top + 64, left : left + 64, ::-1]
    theirs = batch.data[0][0].asnumpy().transpose(1, 2, 0)
    assert np.abs(theirs - middle).mean() < 4


def plain_tree(root, pictures):
    """Class folders of one's own, from {path: Pillow picture}."""
    for path, picture in pictures.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        picture.save(root / path)


def noise(mode):
    data = np.random.default_rng(5).integers(0, 256, (70, 90, 3), dtype=np.uint8)
    return Image.fromarray(data).convert(mode)


def test_grey_cmyk_palette_and_transparent_pictures_become_colour_pictures(tmp_path, run_job):
    pictures = {
        "cat/cmyk.jpg": noise("CMYK"), "cat/grey.jpg": noise("L"), "cat/rgb.jpg": noise("RGB"),
        "dog/alpha.png": noise("RGBA"), "dog/grey.png": noise("L"),
        "dog/palette.png": noise("P"),
    }  # fmt: skip
    plain_tree(tmp_path / "data", pictures)
    report = prepare(run_job, tmp_path / "data", tmp_path / "out", "--training-per-class", 2)
    assert report["class_names"] == ["cat", "dog"]
    images = [
        image
        for name in ("train", "validation")
        for *_, image in records(tmp_path / "out" / name / f"{name}.rec")
    ]
    assert len(images) == 6
    for image in images:
        with Image.open(io.BytesIO(image)) as picture:
            assert (picture.mode, picture.format, min(picture.size)) == ("RGB", "JPEG", 64)
    held_out = {path.name for path in (tmp_path / "out" / "validation_images").rglob("*.*")}
    assert held_out == {Path(row[2]).name for row in rows(tmp_path / "out", "validation")}


def test_without_resizing_pictures_keep_their_size(drawn_things, tmp_path, run_job):
    prepare(run_job, drawn_things, tmp_path / "out", "--resize", 0)
    for (_, _, path), (_, _, image) in zip(
        rows(tmp_path / "out", "train"), records(tmp_path / "out" / "train" / "train.rec"), strict=True
    ):
        with (
            Image.open(io.BytesIO(image)) as packed,
            Image.open(drawn_things / "256_ObjectCategories" / path) as source,
        ):
            assert packed.size == source.size


def test_a_ratio_is_used_instead_of_a_number(drawn_things, tmp_path, run_job):
    report = prepare(run_job, drawn_things, tmp_path / "out", "--train-ratio", 0.4)
    # 0.4 x 7 = 2.8
    classes = details(tmp_path / "out")["classes"]
    assert {(entry["train"], entry["validation"]) for entry in classes} == {(3, 4)}
    assert "training_per_class" not in report["settings"]


def test_the_split_follows_its_seed_and_not_the_order_of_the_file_system(drawn_things, tmp_path, run_job):
    """Folders filled in opposite orders list their files in different orders on most file systems."""
    source = drawn_things / "256_ObjectCategories"
    for name, backwards in (("forth", False), ("back", True)):
        for path in sorted(source.rglob("*.jpg"), reverse=backwards):
            target = tmp_path / name / path.relative_to(source)
            target.parent.mkdir(parents=True, exist_ok=True)
            os.link(path, target)
    prepare(run_job, tmp_path / "forth", tmp_path / "a")
    prepare(run_job, tmp_path / "back", tmp_path / "b")
    prepare(run_job, tmp_path / "forth", tmp_path / "c", "--seed", 1)
    assert tree(tmp_path / "a") == tree(tmp_path / "b")
    training = [{row[2] for row in rows(tmp_path / name, "train")} for name in ("a", "c")]
    assert training[0] != training[1]


@pytest.mark.parametrize("compression", [pytest.param("", id="tar"), pytest.param("gz", id="gzip")])
def test_outputs_do_not_depend_on_the_number_of_processes_or_the_form_of_the_input(
    drawn_things, tmp_path, compression
):
    with tarfile.open(tmp_path / "256_ObjectCategories.tar", f"w:{compression}") as archive:
        archive.add(drawn_things / "256_ObjectCategories", "./256_ObjectCategories")
        archive.addfile(tarfile.TarInfo("elsewhere.txt"))
    trees = []
    for number, (source, workers) in enumerate([(drawn_things, 1), (tmp_path, 2)]):
        output = tmp_path / f"out-{number}"
        done = run_python(
            "-m", "processing_scripts.jobs.prepare_classification", "--input", source, "--output", output,
            *SMALL, "--workers", workers, OPT_ML=str(tmp_path / "ml"),
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        trees.append(tree(output))
        assert "pack: 28 of 28 pictures, " in done.stdout
        assert done.stdout.endswith("done: 20 training and 8 validation pictures\n")
        shutil.rmtree(output)
    assert trees[0] == trees[1]
    assert not list(tmp_path.rglob("*.staged")) + list(tmp_path.rglob("*.partial"))


def test_every_other_output_is_listed_and_nothing_of_this_machine(drawn_things, tmp_path, run_job):
    report = prepare(run_job, drawn_things, tmp_path / "out")
    listed = read_json(tmp_path / "out" / "report" / "outputs.json")["outputs"]
    found = tree(tmp_path / "out")
    assert {name: entry["sha256"] for name, entry in listed.items()} == {
        name: digest for name, digest in found.items() if name != "report/outputs.json"
    }
    assert {name.split("/")[0] for name in found} == {
        "train", "validation", "validation_images", "lists", "report",
    }  # fmt: skip
    assert str(tmp_path) not in json.dumps([report, listed, details(tmp_path / "out")])
    assert report["source"] == "class folders"
    assert report["settings"] == {
        "training_per_class": 5, "seed": 0, "resize": 64, "quality": 95, "image_shape": "3,64,64",
        "max_unreadable_share": 0.0,
    }  # fmt: skip


def test_what_later_steps_read_does_not_grow_with_the_pictures(drawn_things, tmp_path, run_job):
    sizes = []
    for copies in (1, 4):
        root = tmp_path / f"times-{copies}"
        for source in drawn_things.rglob("*.jpg"):
            (root / source.parent.name).mkdir(parents=True, exist_ok=True)
            for number in range(copies):
                os.link(source, root / source.parent.name / f"{number}-{source.name}")
        (root / "stray.txt").touch()
        prepare(run_job, root, tmp_path / f"out-{copies}", "--train-ratio", 0.5)
        sizes.append((tmp_path / f"out-{copies}" / "report" / "report.json").stat().st_size)
    # A digit more in three counts: 16 and 12 pictures become 56 and 56.
    assert 0 <= sizes[1] - sizes[0] < 8


def test_held_out_pictures_are_handed_on_untouched(drawn_things, tmp_path, run_job):
    prepare(run_job, drawn_things, tmp_path / "out")
    paths = {row[2] for row in rows(tmp_path / "out", "validation")}
    source = tree(drawn_things / "256_ObjectCategories")
    assert tree(tmp_path / "out" / "validation_images") == {path: source[path] for path in paths}


def test_the_picture_of_the_classes_has_a_row_for_each(drawn_things, tmp_path, run_job):
    prepare(run_job, drawn_things, tmp_path / "out")
    with Image.open(tmp_path / "out" / "report" / "classes.png") as picture:
        pixels = np.asarray(picture.convert("RGB")).astype(int)
    # A name of 210 pixels, then two held-out pictures of 150; four rows of 150 with gaps of 8.
    assert pixels.shape == (8 + 4 * 158, 210 + 8 + 2 * 158, 3)
    for row in range(4):
        cells = pixels[8 + row * 158 :][:150, 218:]
        assert all(cells[50:100, left : left + 150].std() > 10 for left in (0, 158))


def test_a_second_run_replaces_the_first_and_leaves_foreign_files_alone(drawn_things, tmp_path, run_job):
    out = tmp_path / "out"
    prepare(run_job, drawn_things, out, "--training-per-class", 1)
    (out / "validation_images" / "notes.txt").write_text("mine")
    prepare(run_job, drawn_things, out)
    prepare(run_job, drawn_things, tmp_path / "fresh")
    (tmp_path / "fresh" / "validation_images" / "notes.txt").write_text("mine")
    assert tree(out) == tree(tmp_path / "fresh")


def test_unreadable_pictures_are_skipped_up_to_the_allowed_share(things, tmp_path, run_job):
    cut_short(things / "025.cactus" / "025_0003.jpg")
    write_new(things / "198.spider" / "198_0001.jpg", b"<html>404</html>")
    report = prepare(run_job, things.parent, tmp_path / "out", "--max-unreadable-share", 0.1)
    assert report["skipped"] == 2
    assert details(tmp_path / "out")["skipped"] == [
        {"path": "025.cactus/025_0003.jpg", "fault": "is cut short"},
        {"path": "198.spider/198_0001.jpg", "fault": "is not a readable JPEG or PNG file"},
    ]
    packed = rows(tmp_path / "out", "train") + rows(tmp_path / "out", "validation")
    assert len(packed) == 26
    assert report["num_training_samples"] == len(records(tmp_path / "out" / "train" / "train.rec"))
    assert {path for *_, path in packed}.isdisjoint({"025.cactus/025_0003.jpg", "198.spider/198_0001.jpg"})


def test_an_index_file_leads_to_every_record(drawn_things, tmp_path):
    """As a process, with the defaults of /opt/ml."""
    source = tmp_path / "ml" / "processing" / "input" / "data"
    shutil.copytree(drawn_things, source, copy_function=os.link)
    done = subprocess.run(
        [sys.executable, "-m", "processing_scripts.jobs.prepare_classification", "--training-per-class", "6"],
        capture_output=True, text=True, env={**os.environ, "OPT_ML": str(tmp_path / "ml")},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    output = tmp_path / "ml" / "processing" / "output"
    keys = [line.split("\t")[0] for line in (output / "lists" / "validation.idx").read_text().splitlines()]
    assert keys == [row[0] for row in rows(output, "validation")]
    for _, _, image in records(output / "validation" / "validation.rec"):
        assert min(cv2.imdecode(np.frombuffer(image, np.uint8), cv2.IMREAD_COLOR).shape[:2]) == 256
