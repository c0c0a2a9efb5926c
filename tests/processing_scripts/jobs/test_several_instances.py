"""Preparation on several instances yields what one instance yields."""

import shutil

import mxnet as mx
import numpy as np
import pytest

from processing_scripts.jobs import (
    evaluate_classification,
    evaluate_detection,
    prepare_classification,
    prepare_detection,
)
from processing_scripts.vision.recordio import RecordReader
from tests.processing_scripts.instance_testing import (
    assert_same_data_set,
    merge,
    message,
    opt_ml,
    output,
    run_side_by_side,
)
from tests.processing_scripts.job_testing import cut_short, read_json, tree, write_new

DETECTION = ("train", "train_flipped", "validation")
CLASSIFICATION = ("train", "validation")
BIRDS = ("--workers", 1, "--resize", 64)
THINGS = (*BIRDS, "--image-shape", "3,64,64", "--training-per-class", 5)
CARDINAL = "images/017.Cardinal/Cardinal_0001_17001.jpg"
JAY = "images/073.Blue_Jay/Blue_Jay_0002_73002.jpg"


@pytest.fixture
def run_on(tmp_path, monkeypatch):
    """Run a job's main() on this many instances, one after the other; returns trees and exit codes."""

    def run(main, count, *arguments):
        roots, codes = [], []
        for index in range(count):
            roots.append(opt_ml(tmp_path / f"of-{count}", index, count))
            monkeypatch.setenv("OPT_ML", str(roots[-1]))
            codes.append(main([str(argument) for argument in arguments]))
        return roots, codes

    return run


@pytest.fixture
def prepared_on(tmp_path, run_on):
    """Run a preparation on this many instances; returns what S3 holds then."""

    def run(main, count, *arguments):
        roots, codes = run_on(main, count, *arguments)
        assert codes == [0] * count, [message(root) for root in roots]
        return merge(roots, tmp_path / f"merged-{count}")

    return run


@pytest.mark.parametrize("count", [2, 3, 11])
def test_birds_are_the_same_on_several_instances(drawn_birds, prepared_on, count):
    arguments = ("--input", drawn_birds, *BIRDS)
    one = prepared_on(prepare_detection.main, 1, *arguments)
    several = prepared_on(prepare_detection.main, count, *arguments)
    assert_same_data_set(several, one, DETECTION)
    assert sorted(path.name for path in (one / "train_flipped").iterdir()) == ["train.rec"]
    assert sorted(path.name for path in (several / "train_flipped").iterdir()) == [
        f"train-{number:05}-of-{count:05}.rec" for number in range(1, count + 1)
    ]


@pytest.mark.parametrize("count", [2, 3, 11])
def test_things_are_the_same_on_several_instances(drawn_things, prepared_on, count):
    arguments = ("--input", drawn_things, *THINGS)
    one = prepared_on(prepare_classification.main, 1, *arguments)
    several = prepared_on(prepare_classification.main, count, *arguments)
    assert_same_data_set(several, one, CLASSIFICATION)
    assert sorted(path.name for path in (several / "train").iterdir()) == [
        f"train-{number:05}-of-{count:05}.rec" for number in range(1, count + 1)
    ]


def test_a_picture_stays_with_its_instance_when_others_come(birds, prepared_on, tmp_path):
    def held_by(folder):
        return [
            {mx.recordio.unpack(payload)[1] for payload in RecordReader(path)}
            for path in sorted((folder / "validation").iterdir())
        ]

    arguments = ("--input", birds.parent, *BIRDS)
    few = held_by(prepared_on(prepare_detection.main, 3, *arguments, "--classes", "17,36"))
    for name in ("of-3", "merged-3"):
        (tmp_path / name).rename(tmp_path / f"few-{name}")
    many = held_by(prepared_on(prepare_detection.main, 3, *arguments, "--classes", "17,36,47"))
    assert sum(map(len, few)) == 6
    assert sum(map(len, many)) == 9
    assert all(before <= after for before, after in zip(few, many, strict=True))


@pytest.mark.parametrize(
    ("module", "source", "arguments", "channels"),
    [
        pytest.param("prepare_detection", "drawn_birds", BIRDS, DETECTION, id="birds"),
        pytest.param("prepare_classification", "drawn_things", THINGS, CLASSIFICATION, id="things"),
    ],
)
def test_processes_side_by_side_leave_what_one_leaves(request, tmp_path, module, source, arguments, channels):
    merged = {}
    for count in (1, 2):
        roots = [opt_ml(tmp_path / f"of-{count}", index, count) for index in range(count)]
        for root in roots:
            (root / "processing" / "input").mkdir(parents=True)
            (root / "processing" / "input" / "data").symlink_to(request.getfixturevalue(source))
        run_side_by_side(f"processing_scripts.jobs.{module}", roots, *arguments, "--workers", 2)
        merged[count] = merge(roots, tmp_path / f"merged-{count}")
    assert_same_data_set(merged[2], merged[1], channels)


@pytest.mark.parametrize("count", [2, 3])
def test_unreadable_pictures_are_left_out_whichever_instance_meets_them(birds, prepared_on, count):
    # One that the header tells, one that only decoding tells, in the first and the last share.
    write_new(birds / CARDINAL, b"<html>404</html>")
    cut_short(birds / JAY)
    arguments = ("--input", birds.parent, *BIRDS, "--max-unreadable-share", 0.1)
    one = prepared_on(prepare_detection.main, 1, *arguments)
    several = prepared_on(prepare_detection.main, count, *arguments)
    assert_same_data_set(several, one, DETECTION)
    assert read_json(several / "report" / "report.json")["skipped"] == 2


def test_unreadable_things_are_left_out_whichever_instance_meets_them(things, prepared_on):
    write_new(things / "025.cactus" / "025_0003.jpg", b"<html>404</html>")
    cut_short(things / "198.spider" / "198_0007.jpg")
    arguments = ("--input", things.parent, *THINGS, "--max-unreadable-share", 0.1)
    one = prepared_on(prepare_classification.main, 1, *arguments)
    several = prepared_on(prepare_classification.main, 3, *arguments)
    assert_same_data_set(several, one, CLASSIFICATION)
    assert read_json(several / "report" / "report.json")["skipped"] == 2


@pytest.mark.parametrize(
    ("share", "codes"),
    [
        # Nobody looks at the jay but the instance that packs it.
        pytest.param(0, [0, 1], id="none-allowed"),
        # The first looks at both pictures, the second at one of them.
        pytest.param(0.03, [1, 0], id="one-of-40-allowed"),
    ],
)
def test_too_many_unreadable_pictures_fail_the_job_on_one_instance_at_least(birds, run_on, share, codes):
    cut_short(birds / JAY)
    if share:
        cut_short(birds / CARDINAL)
    arguments = ("--input", birds.parent, *BIRDS, "--max-unreadable-share", share)
    roots, found = run_on(prepare_detection.main, 2, *arguments)
    assert found == codes
    assert "pictures cannot be used, more than --max-unreadable-share" in message(roots[codes.index(1)])
    assert not list(output(roots[codes.index(1)]).rglob("*.*"))


def test_an_instance_without_a_picture_leaves_empty_parts(drawn_birds, prepared_on):
    # Of each class five pictures for training and three held out.
    arguments = ("--input", drawn_birds, *BIRDS, "--classes", "17")
    one = prepared_on(prepare_detection.main, 1, *arguments)
    several = prepared_on(prepare_detection.main, 9, *arguments)
    assert_same_data_set(several, one, DETECTION)
    sizes = [path.stat().st_size for path in sorted((several / "validation").iterdir())]
    assert len(sizes) == 9
    assert sizes.count(0) >= 6


def test_mxnet_reads_every_part_with_its_index(drawn_birds, prepared_on, tmp_path):
    merged = prepared_on(prepare_detection.main, 2, "--input", drawn_birds, *BIRDS)
    report = read_json(merged / "report" / "report.json")
    rows = (merged / "lists" / "train_flipped.lst").read_text().splitlines()
    listed = {int(row.split("\t")[0]): [float(number) for number in row.split("\t")[3:8]] for row in rows}
    read = set()
    for number in (1, 2):
        name = f"-{number:05}-of-00002"
        index, part = (
            merged / "lists" / f"train_flipped{name}.idx",
            merged / "train_flipped" / f"train{name}.rec",
        )
        file = mx.recordio.MXIndexedRecordIO(str(index), str(part), "r")
        ids = [mx.recordio.unpack(file.read_idx(key))[0].id for key in file.keys]
        file.close()
        batch = next(
            mx.io.ImageDetRecordIter(
                path_imgrec=str(part), data_shape=(3, 64, 64), verbose=False,
                batch_size=len(ids), label_pad_width=report["label_width"],
            )
        )  # fmt: skip
        boxes = np.array([listed[key] for key in ids], np.float32)
        np.testing.assert_array_equal(batch.label[0].asnumpy()[:, 6:11], boxes)
        read |= set(ids)
    assert read == set(listed)


def test_ready_record_files_are_passed_on_by_the_first_instance(drawn_things, prepared_on, tmp_path):
    packed = prepared_on(prepare_classification.main, 1, "--input", drawn_things, *THINGS)
    for channel in CLASSIFICATION:
        (tmp_path / "ready" / channel).mkdir(parents=True)
        shutil.copy(packed / channel / f"{channel}.rec", tmp_path / "ready" / channel)
    several = prepared_on(
        prepare_classification.main, 2, "--input", tmp_path / "ready", *BIRDS, "--image-shape", "3,64,64"
    )
    for channel in CLASSIFICATION:
        assert tree(several / channel) == tree(packed / channel)
    assert read_json(several / "report" / "report.json")["splits"] == {"train": 20, "validation": 8}
    assert read_json(several / "report" / "outputs-00002-of-00002.json") == {"outputs": {}}


@pytest.mark.parametrize(
    "job",
    [
        pytest.param(evaluate_detection, id="detection"),
        pytest.param(evaluate_classification, id="classification"),
    ],
)
def test_an_evaluation_on_several_instances_is_refused(run_on, job):
    roots, codes = run_on(job.main, 2)
    name = job.__name__.rpartition(".")[2]
    assert codes == [1, 1]
    assert {message(root) for root in roots} == {
        f"{name} runs on one instance, not on 2; set the step's InstanceCount to 1"
    }
