import json
from dataclasses import replace

import mxnet as mx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processing_scripts.jobs.prepare_detection import main
from tests.processing_scripts.annotated import (
    FARM,
    TRAIN,
    VALIDATION,
    Box,
    Picture,
    single,
    write_coco,
    write_csv,
    write_cub,
    write_voc,
)
from tests.processing_scripts.instance_testing import assert_same_data_set, merge, opt_ml, output
from tests.processing_scripts.job_testing import cut_short, read_json, tree

SMALL = ("--workers", 1, "--resize", 64, "--classes", "all")
WRITERS = {"coco": write_coco, "voc": write_voc, "csv": write_csv}
every_format = pytest.mark.parametrize(
    "write", [pytest.param(write, id=name) for name, write in WRITERS.items()]
)


def prepare(run_job, source, output, *arguments):
    code, message = run_job(main, "--input", source, "--output", output, *SMALL, *arguments)
    assert (code, message) == (0, None)
    return read_json(output / "report" / "report.json")


def refuse(run_job, source, *arguments):
    code, message = run_job(main, "--input", source, "--output", source / "out", *SMALL, *arguments)
    assert code == 1
    assert "\n" not in message
    assert not (source / "out").exists()
    return message


def labels(output, name):
    """Path -> numbers of the label, as the list has them."""
    rows = [line.split("\t") for line in (output / "lists" / f"{name}.lst").read_text().splitlines()]
    return {row[-1].split("/")[-1]: " ".join(row[3:-1]) for row in rows}


def record_files(output):
    return {name: digest for name, digest in tree(output).items() if name.endswith((".rec", ".idx"))}


@every_format
def test_lists_worked_out_by_hand(tmp_path, run_job, write):
    write(tmp_path / "data")
    report = prepare(run_job, tmp_path / "data", tmp_path / "out")
    assert labels(tmp_path / "out", "train_flipped") == {
        "a b.jpg": "0.0000 0.1000 0.1000 0.3500 0.5000 1.0000 0.5000 0.5000 1.0000 1.0000",
        "z.jpg": "1.0000 0.7500 0.6000 0.9500 1.0000 0.0000 0.0200 0.0400 0.0600 0.1200 "
        "1.0000 0.0050 0.0200 0.0200 0.0600",
        # 200 - 50 - 20 = 130 and 200 - 100 - 100 = 0
        "a b_flip.jpg": "0.0000 0.6500 0.1000 0.9000 0.5000 1.0000 0.0000 0.5000 0.5000 1.0000",
        # 200 - 40 - 150 = 10, 200 - 8 - 4 = 188, 200 - 3 - 1 = 196
        "z_flip.jpg": "1.0000 0.0500 0.6000 0.2500 1.0000 0.0000 0.9400 0.0400 0.9800 0.1200 "
        "1.0000 0.9800 0.0200 0.9950 0.0600",
    }
    assert labels(tmp_path / "out", "validation") == {
        "bird.jpg": "1.0000 0.0000 0.0000 1.0000 1.0000",
        "köh.png": "0.0000 0.3000 0.2000 0.4000 0.3000 0.0000 0.0000 0.0000 0.0500 0.1000",
    }
    assert report["class_names"] == ["cow", "hen"]
    assert report["label_width"] == 2 + 5 * 3
    assert report["splits"] == {"train": 2, "validation": 2}
    assert report["objects"] == {"train": 5, "validation": 3}
    classes = read_json(tmp_path / "out" / "report" / "details.json")["classes"]
    assert [(entry["train"], entry["validation"]) for entry in classes] == [(2, 1), (2, 1)]
    assert [(entry["train_objects"], entry["validation_objects"]) for entry in classes] == [(2, 2), (3, 1)]


@st.composite
def box(draw):
    left, top = draw(st.integers(0, 199)), draw(st.integers(0, 99))
    width, height = draw(st.integers(1, 200 - left)), draw(st.integers(1, 100 - top))
    return Box(draw(st.sampled_from(["cow", "hen"])), left, top, width, height)


@st.composite
def farms(draw):
    """Cow and hen for training and held out, and more pictures; in each format they have this order."""
    more = draw(st.lists(st.lists(box(), min_size=1, max_size=3), max_size=2))
    boxes = [(Box("cow", 1, 1, 9, 9),), *map(tuple, more), (Box("hen", 5, 5, 9, 9), draw(box()))]
    return [
        Picture(f"{split}-{number}.jpg", boxes=mine, split=split)
        for split in (TRAIN, VALIDATION)
        for number, mine in enumerate(boxes)
    ]


@settings(max_examples=10, deadline=None)
@given(farms(), st.booleans())
def test_the_same_boxes_give_the_same_records_in_every_format(tmp_path_factory, pictures, has_one_object):
    pictures = single(pictures) if has_one_object else pictures
    found = []
    for name, write in (WRITERS | ({"cub": write_cub} if has_one_object else {})).items():
        folder = tmp_path_factory.mktemp(name)
        write(folder, pictures)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("OPT_ML", str(folder / "opt-ml"))
            assert main(["--input", str(folder), "--output", str(folder / "out"), *map(str, SMALL)]) == 0
        found.append(record_files(folder / "out"))
    assert len(found[0]) == 6
    assert all(files == found[0] for files in found[1:])


@every_format
def test_mxnet_reads_as_many_objects_as_there_are(tmp_path, run_job, write):
    write(tmp_path / "data")
    report = prepare(run_job, tmp_path / "data", tmp_path / "out")
    for name, expected in [("train_flipped/train", [2, 3, 2, 3]), ("validation/validation", [1, 2])]:
        batches = mx.io.ImageDetRecordIter(
            path_imgrec=str(tmp_path / "out" / f"{name}.rec"), data_shape=(3, 64, 64),
            batch_size=len(expected), label_pad_width=report["label_width"], verbose=False,
            label_pad_value=-1,
        )  # fmt: skip
        rows = next(batches).label[0].asnumpy()[:, 6:].reshape(len(expected), -1, 5)
        assert (rows[:, :, 0] >= 0).sum(axis=1).tolist() == expected
        boxes = rows[rows[:, :, 0] >= 0]
        assert (boxes[:, 1:3] < boxes[:, 3:5]).all()


def in_split(split, *boxes):
    return Picture(f"{split}-{len(boxes)}-{boxes[0].name if boxes else 'none'}.jpg", boxes, split)


COW, HEN = Box("cow", 10, 10, 20, 20), Box("hen", 50, 50, 20, 20)
BOTH = [in_split(split, COW, HEN) for split in (TRAIN, VALIDATION)]


@pytest.mark.parametrize("write", [pytest.param(write_coco, id="coco"), pytest.param(write_csv, id="csv")])
@pytest.mark.parametrize(("choice", "objects"), [("drop", 4), ("keep", 6)])
def test_crowds_are_left_out_unless_asked_for(tmp_path, run_job, write, choice, objects):
    crowd = replace(HEN, is_crowd=True)
    write(tmp_path, [*BOTH, in_split(TRAIN, crowd, crowd)])
    report = prepare(run_job, tmp_path, tmp_path / "out", "--crowd", choice)
    assert sum(report["objects"].values()) == objects
    left_out = {"drop": (2, 1), "keep": (0, 0)}[choice]
    found = report["left_out"]
    assert (found["crowd_objects"], found["pictures_without_objects"]) == left_out


@pytest.mark.parametrize("write", [pytest.param(write_voc, id="voc"), pytest.param(write_csv, id="csv")])
@pytest.mark.parametrize(
    ("choice", "train", "validation"),
    [pytest.param("train", 3, 2, id="train"), ("keep", 3, 3), ("drop", 2, 2)],
)
def test_difficult_objects_are_trained_and_not_asked_for(tmp_path, run_job, write, choice, train, validation):
    difficult = replace(HEN, is_difficult=True, left=0)
    write(tmp_path, [in_split(split, COW, HEN, difficult) for split in (TRAIN, VALIDATION)])
    report = prepare(run_job, tmp_path, tmp_path / "out", "--difficult", choice)
    assert report["objects"] == {"train": train, "validation": validation}
    assert report["left_out"]["difficult_objects"] == 6 - train - validation


def test_pictures_may_lie_beside_coco_s_file_and_have_no_sizes_in_it(tmp_path, run_job):
    write_coco(tmp_path, BOTH, in_one_file=True)
    document = read_json(tmp_path / "farm.json")
    for image in document["images"]:
        del image["width"], image["height"]
    (tmp_path / "farm.json").write_text(json.dumps(document))
    report = prepare(run_job, tmp_path, tmp_path / "out", "--split", "random", "--train-ratio", 0.5)
    assert report["splits"] == {"train": 1, "validation": 1}
    assert set(report["inputs"]) == {"farm.json", "pictures"}


@every_format
def test_a_picture_that_cannot_be_decoded_takes_its_objects_with_it(tmp_path, run_job, write):
    write(tmp_path, [*FARM, in_split(TRAIN, COW, HEN)])
    (cut,) = tmp_path.rglob("z.jpg")
    cut_short(cut)
    report = prepare(run_job, tmp_path, tmp_path / "out", "--max-unreadable-share", 0.2)
    assert report["skipped"] == 1
    assert report["objects"] == {"train": 4, "validation": 3}
    assert report["label_width"] == 2 + 5 * 2


@every_format
def test_pictures_without_objects_are_left_out_and_counted(tmp_path, run_job, write):
    write(tmp_path, [*BOTH, in_split(TRAIN), in_split(VALIDATION)])
    report = prepare(run_job, tmp_path, tmp_path / "out")
    assert report["splits"] == {"train": 1, "validation": 1}
    assert report["left_out"]["pictures_without_objects"] == 2


@every_format
def test_a_file_renames_merges_and_drops_classes(tmp_path, run_job, write):
    dog = Box("dog", 80, 10, 10, 10)
    pictures = [in_split(split, COW, HEN, dog) for split in (TRAIN, VALIDATION)]
    classes = {"classes": ("cow", "dog", "hen")} if write is write_coco else {}
    write(tmp_path, pictures, **classes)
    (tmp_path / "map.csv").write_text("from,to\ncow,animal\nhen,animal\nDog,\n")
    report = prepare(run_job, tmp_path, tmp_path / "out", "--class-map", "map.csv")
    assert report["class_names"] == ["animal"]
    assert report["objects"] == {"train": 2, "validation": 2}
    assert report["settings"]["class_map"] == "map.csv"
    assert "class map" in report["inputs"]
    chosen = prepare(run_job, tmp_path, tmp_path / "chosen", "--classes", "dog,hen")
    assert chosen["class_names"] == ["dog", "hen"]
    assert set(labels(tmp_path / "chosen", "train").values()) == {
        "1.0000 0.2500 0.5000 0.3500 0.7000 0.0000 0.4000 0.1000 0.4500 0.2000"
    }


def write_unsplit(write):
    option = {
        write_coco: {"in_one_file": True},
        write_voc: {"with_lists": False},
        write_csv: {"with_split": False},
    }
    return lambda folder, pictures: write(folder, pictures, **option[write])


@every_format
def test_without_a_ready_split_one_is_made_or_the_remedy_named(tmp_path, run_job, write):
    pictures = [Picture(f"{number}.jpg", (COW,) if number < 8 else (COW, HEN)) for number in range(12)]
    write_unsplit(write)(tmp_path, pictures)
    assert "use --split random, with --train-ratio and --seed" in refuse(run_job, tmp_path)
    random = ("--split", "random", "--train-ratio", 0.75)
    report = prepare(run_job, tmp_path, tmp_path / "a", *random)
    # Of the 8 with cows alone 6, of the 4 with the rarer hens 3.
    assert report["splits"] == {"train": 9, "validation": 3}
    classes = read_json(tmp_path / "a" / "report" / "details.json")["classes"]
    assert [(entry["train"], entry["validation"]) for entry in classes] == [(9, 3), (3, 1)]
    prepare(run_job, tmp_path, tmp_path / "b", *random)
    prepare(run_job, tmp_path, tmp_path / "c", *random, "--seed", 1)
    assert tree(tmp_path / "a") == tree(tmp_path / "b") != tree(tmp_path / "c")


def test_voc_takes_trainval_and_test_where_train_and_val_are_not(tmp_path, run_job):
    write_voc(tmp_path, [*BOTH, in_split("unlisted", COW)])
    lists = tmp_path / "ImageSets" / "Main"
    (lists / "val.txt").rename(lists / "test.txt")
    (lists / "train.txt").rename(lists / "trainval.txt")
    report = prepare(run_job, tmp_path, tmp_path / "out")
    assert report["splits"] == {"train": 1, "validation": 1}
    assert report["left_out"]["pictures_without_split"] == 1
    drawn = prepare(run_job, tmp_path, tmp_path / "all", "--split", "random", "--train-ratio", 0.7)
    # Those with a hen: round(2 * 0.7); the unlisted one with a cow alone: round(1 * 0.7).
    assert drawn["splits"] == {"train": 2, "validation": 1}


def test_several_formats_in_a_folder_need_a_word(tmp_path, run_job):
    write_voc(tmp_path, BOTH)
    write_csv(tmp_path, BOTH)
    message = refuse(run_job, tmp_path)
    assert "looks like voc (Annotations) and csv (boxes.csv); say which with --format" in message
    assert "holds no coco data set, but Annotations, ImageSets" in refuse(
        run_job, tmp_path, "--format", "coco"
    )
    assert prepare(run_job, tmp_path, tmp_path / "out", "--format", "csv")["settings"]["format"] == "csv"


@every_format
def test_two_instances_leave_what_one_leaves(tmp_path, monkeypatch, write):
    write(tmp_path / "data")
    channels = ("train", "train_flipped", "validation")
    merged = []
    for count in (1, 2):
        roots = [opt_ml(tmp_path / str(count), index, count) for index in range(count)]
        for root in roots:
            monkeypatch.setenv("OPT_ML", str(root))
            arguments = ["--input", tmp_path / "data", "--output", output(root), *SMALL]
            assert main([str(argument) for argument in arguments]) == 0
        merged.append(merge(roots, tmp_path / f"merged-{count}"))
    assert_same_data_set(merged[1], merged[0], channels)
