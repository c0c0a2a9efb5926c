import mxnet as mx
import numpy as np
import pytest

from processing_scripts.jobs import evaluate_classification
from processing_scripts.jobs.prepare_classification import main
from processing_scripts.vision.recordio import RecordReader, unpack_image_record
from tests.processing_scripts.annotated import Picture, draw
from tests.processing_scripts.job_testing import read_json, tree

SMALL = ("--workers", 1, "--resize", 32, "--image-shape", "3,32,32")


def prepare(run_job, source, output, *arguments):
    code, message = run_job(main, "--input", source, "--output", output, *SMALL, *arguments)
    assert (code, message) == (0, None)
    return read_json(output / "report" / "report.json")


def rows(output, name):
    return sorted(line.split("\t") for line in (output / "lists" / f"{name}.lst").read_text().splitlines())


def write(folder, text):
    """The table, and the pictures that its first column names."""
    folder.mkdir(exist_ok=True)
    (folder / "labels.csv").write_text(text)
    paths = [line.split(",")[0].strip('"') for line in text.splitlines()[1:]]
    draw(folder, [Picture(path) for path in paths if path.endswith(".jpg")])


SPLIT = """path,class,split
a b.jpg,hen,train
in/köh.jpg, cow ,val
in/c.jpg,cow,train
d.jpg,hen,validation
e.jpg,hen,test
"""


def test_a_table_gives_every_picture_its_class_and_its_part(tmp_path, run_job):
    write(tmp_path / "data", SPLIT)
    report = prepare(run_job, tmp_path / "data", tmp_path / "out")
    assert rows(tmp_path / "out", "train") == [["0", "1", "a b.jpg"], ["2", "0", "in/c.jpg"]]
    assert rows(tmp_path / "out", "validation") == [["1", "0", "in/köh.jpg"], ["3", "1", "d.jpg"]]
    assert report["class_names"] == ["cow", "hen"]
    assert report["hyperparameters"] == {"num_classes": "2", "num_training_samples": "2"}
    assert set(report["inputs"]) == {"labels.csv", "pictures"}
    assert report["settings"]["split"] == "of the table"
    assert set(tree(tmp_path / "out" / "validation_images")) == {"in/köh.jpg", "d.jpg"}
    assert read_json(tmp_path / "out" / "report" / "details.json")["classes"] == [
        {"id": 0, "name": "cow", "train": 1, "validation": 1},
        {"id": 1, "name": "hen", "train": 1, "validation": 1},
    ]


def test_two_files_are_for_training_and_for_validation(tmp_path, run_job):
    write(tmp_path / "data", "path,class\na.jpg,hen\nb.jpg,cow\n")
    (tmp_path / "data" / "labels.csv").rename(tmp_path / "data" / "train.csv")
    write(tmp_path / "data", "path,class\nc.jpg,hen\nd.jpg,cow\n")
    (tmp_path / "data" / "labels.csv").rename(tmp_path / "data" / "val.csv")
    assert prepare(run_job, tmp_path / "data", tmp_path / "out")["splits"] == {"train": 2, "validation": 2}
    assert [row[2] for row in rows(tmp_path / "out", "validation")] == ["c.jpg", "d.jpg"]


def test_a_table_of_class_folders_gives_the_records_of_the_folders(drawn_things, tmp_path, run_job):
    root = drawn_things / "256_ObjectCategories"
    paths = sorted(path.relative_to(root).as_posix() for path in root.rglob("*.jpg"))
    (tmp_path / "data").mkdir()
    for folder in {path.split("/")[0] for path in paths}:
        (tmp_path / "data" / folder).symlink_to(root / folder)
    table = "".join(f"{path},{path.split('/')[0]}\n" for path in paths)
    (tmp_path / "data" / "labels.csv").write_text(f"path,class\n{table}")
    for source, out in [(drawn_things, tmp_path / "folders"), (tmp_path / "data", tmp_path / "table")]:
        prepare(run_job, source, out, "--training-per-class", 5)
    for name in ("train/train.rec", "validation/validation.rec", "lists/train.lst", "lists/validation.idx"):
        assert tree(tmp_path / "table")[name] == tree(tmp_path / "folders")[name]


LISTS = """path,class,split
a.jpg,hen;cow,train
b.jpg,,train
c.jpg,pig; hen,train
d.jpg,cow;pig;hen,val
"""
COLUMNS = """path,split,pig,cow,hen
a.jpg,train,0,1,1
b.jpg,train,0,,0
c.jpg,train,1,0,1
d.jpg,val,1,1,1
"""


@pytest.mark.parametrize("text", [pytest.param(LISTS, id="lists"), pytest.param(COLUMNS, id="columns")])
def test_mxnet_reads_several_classes_a_picture_as_zeros_and_ones(tmp_path, run_job, text):
    write(tmp_path / "data", text)
    report = prepare(run_job, tmp_path / "data", tmp_path / "out", "--labels", "many")
    assert report["class_names"] == ["cow", "hen", "pig"]
    assert report["hyperparameters"] == {
        "num_classes": "3", "num_training_samples": "3", "multi_label": "1",
    }  # fmt: skip
    assert rows(tmp_path / "out", "train") == [
        ["0", "1", "1", "0", "a.jpg"], ["1", "0", "0", "0", "b.jpg"], ["2", "0", "1", "1", "c.jpg"],
    ]  # fmt: skip
    file = tmp_path / "out" / "train" / "train.rec"
    batches = mx.io.ImageRecordIter(
        path_imgrec=str(file), data_shape=(3, 32, 32), label_width=3, batch_size=3, verbose=False,
        preprocess_threads=1,
    )  # fmt: skip
    read = next(batches).label[0].asnumpy()
    ids = [unpack_image_record(payload)[1] for payload in RecordReader(file)]
    np.testing.assert_array_equal(read[np.argsort(ids)], [[1, 1, 0], [0, 0, 0], [0, 1, 1]])


def test_pictures_with_several_classes_are_drawn_by_the_rarest(tmp_path, run_job):
    table = "".join(f"{number}.jpg,{'cow' if number < 8 else 'cow;hen'}\n" for number in range(12))
    write(tmp_path / "data", f"path,class\n{table}")
    many = ("--labels", "many")
    code, message = run_job(main, "--input", tmp_path / "data", "--output", tmp_path / "no", *SMALL, *many)
    assert (code, "give --train-ratio, or a column split" in message) == (1, True)
    prepare(run_job, tmp_path / "data", tmp_path / "out", *many, "--train-ratio", 0.75)
    classes = read_json(tmp_path / "out" / "report" / "details.json")["classes"]
    assert [(entry["train"], entry["validation"]) for entry in classes] == [(9, 3), (3, 1)]


def test_the_evaluation_refuses_several_classes_a_picture(tmp_path, run_job):
    write(tmp_path / "data", LISTS)
    prepare(run_job, tmp_path / "data", tmp_path / "out", "--labels", "many")
    out = tmp_path / "out"
    code, message = run_job(
        evaluate_classification.main, "--lists", out / "lists", "--report", out / "report",
        "--predictions", out, "--images", out, "--output", tmp_path / "evaluation",
    )  # fmt: skip
    assert code == 1
    assert "its pictures have several classes each (multi_label), which this evaluation cannot" in message


@pytest.mark.parametrize(
    ("text", "arguments", "fault"),
    [
        pytest.param(
            LISTS, [], "row 2: class is 'hen;cow'; several classes a picture need --labels", id="many"
        ),
        pytest.param(COLUMNS, [], "row 1: has no column 'class'; the first row must name path", id="columns"),
        pytest.param("path,class\na.jpg,hen\nb.jpg,\n", [], "row 3: has no class; name one", id="no-class"),
        pytest.param(
            "path,class\na.jpg,hen\nb.jpg,hen\n", [], "has 1 classes, and a classifier", id="one-class"
        ),
        pytest.param(
            "path,class\na.jpg,hen\n./a.jpg,cow\n", [], "row 3: path a.jpg stands in an", id="twice"
        ),
        pytest.param("path,class\n../a.png,hen\n", [], "row 2: '../a.png' leaves the folder", id="outside"),
        pytest.param('path,class\n"a\tb.png",hen\n', [], "is unprintable (a tab, perhaps)", id="tab"),
        pytest.param(
            f"{SPLIT}f.png,cow,dev\n", [], "row 7: split is 'dev', not train, val or test", id="split"
        ),
        pytest.param(
            SPLIT.replace("in/c.jpg,cow,train", "in/c.jpg,cow,val"),
            [],
            "class cow has no training picture",
            id="no-training",
        ),
        pytest.param("path,class\na.jpg,hen\nb.jpg,cow\n", [], "too few in: cow (1), hen (1)", id="too-few"),
        pytest.param(
            COLUMNS.replace("d.jpg,val,1", "d.jpg,val,2"),
            ["--labels", "many"],
            "row 5: pig is '2', not 0 or 1",
            id="no-flag",
        ),
        pytest.param(
            "path,file,hen\na.jpg,1,1\n",
            ["--labels", "many"],
            "a class cannot have a column called file; write the classes into a column class",
            id="taken",
        ),
        pytest.param(
            "path,cow,hen\na.jpg,1,0\n", ["--labels", "many"], "no row has a 1 in the column hen", id="unused"
        ),
        pytest.param(f"{SPLIT}x.png,cow,val\n", [], "row 7: picture x.png is not in", id="missing-picture"),
    ],
)
def test_a_fault_in_the_table_is_named(tmp_path, run_job, text, arguments, fault):
    write(tmp_path / "data", text)
    code, message = run_job(
        main, "--input", tmp_path / "data", "--output", tmp_path / "out", *SMALL, *arguments
    )
    assert code == 1
    assert fault in message
    assert "\n" not in message
    assert not (tmp_path / "out").exists()


def test_several_classes_a_picture_need_a_table(drawn_things, tmp_path, run_job):
    code, message = run_job(
        main, "--input", drawn_things, "--output", tmp_path / "out", *SMALL, "--labels", "many"
    )
    assert code == 1
    assert "holds no .csv file with a column path, as --labels many needs" in message
