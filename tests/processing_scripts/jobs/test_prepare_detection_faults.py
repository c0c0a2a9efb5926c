import io
import resource
import subprocess
import sys
import tarfile
from types import SimpleNamespace

import pytest

from processing_scripts.jobs.prepare_detection import main
from tests.processing_scripts.job_testing import cut_short, replace_text, run_python, tree, write_new

SMALL = ("--workers", 1, "--resize", 64)
CARDINAL = "images/017.Cardinal/Cardinal_0001_17001.jpg"


def spoil_row(name, old, new):
    return lambda folder: replace_text(folder / name, old, new)


def box_of_first(folder):
    return (folder / "bounding_boxes.txt").read_text().splitlines()[0]


def set_first_box(box):
    return lambda folder: replace_text(
        folder / "bounding_boxes.txt", box_of_first(folder) + "\n", f"1 {box}\n"
    )


def append_row(name, row):
    return lambda folder: write_new(folder / name, (folder / name).read_bytes() + row.encode() + b"\n")


def drop_last_row(name):
    def spoil(folder):
        lines = (folder / name).read_text().splitlines(keepends=True)
        write_new(folder / name, "".join(lines[:-1]).encode())

    return spoil


def all_cardinals_train(folder):
    lines = (folder / "train_test_split.txt").read_text().splitlines()
    write_new(folder / "train_test_split.txt", "".join(f"{line.split()[0]} 1\n" for line in lines).encode())


def not_utf8(folder):
    write_new(folder / "images.txt", b"1 017.Cardinal/\xff.jpg\n")


@pytest.mark.parametrize(
    ("spoil", "fault"),
    [
        pytest.param(
            append_row("bounding_boxes.txt", "99 1 1 5 5"),
            "bounding_boxes.txt: row 41: image_id 99 is not in images.txt",
            id="unknown-image-id-in-boxes",
        ),
        pytest.param(
            append_row("image_class_labels.txt", "99 17"),
            "image_class_labels.txt: row 41: image_id 99 is not in images.txt",
            id="unknown-image-id-in-labels",
        ),
        pytest.param(
            drop_last_row("train_test_split.txt"),
            "images.txt: row 40: image_id 40 is not in train_test_split.txt",
            id="image-without-split",
        ),
        pytest.param(
            append_row("images.txt", "40 017.Cardinal/again.jpg"),
            "images.txt: row 41: image_id 40 stands in an earlier row too",
            id="duplicate-image-id",
        ),
        pytest.param(
            append_row("images.txt", "41 017.Cardinal/Cardinal_0001_17001.jpg"),
            "images.txt: row 41: path 017.Cardinal/Cardinal_0001_17001.jpg stands in an earlier row too",
            id="duplicate-path",
        ),
        pytest.param(
            append_row("classes.txt", "17 017.Again"),
            "classes.txt: row 6: class_id 17 stands in an earlier row too",
            id="duplicate-class-id",
        ),
        pytest.param(
            spoil_row("image_class_labels.txt", "\n9 36\n", "\n9 201\n"),
            "image_class_labels.txt: row 9: class_id 201 is not in classes.txt",
            id="unknown-class-id",
        ),
        pytest.param(
            set_first_box("1.0 two 3.0 4.0"),
            "bounding_boxes.txt: row 1: top is 'two', not a number",
            id="non-numeric-box",
        ),
        pytest.param(
            set_first_box("1.0 nan 3.0 4.0"),
            "bounding_boxes.txt: row 1: top is 'nan', not a number",
            id="nan-in-box",
        ),
        pytest.param(
            set_first_box("1.0 2.0 3.0"),
            "bounding_boxes.txt: row 1: has 4 fields; expected image_id, left, top, width, height",
            id="field-missing",
        ),
        pytest.param(
            spoil_row("image_class_labels.txt", "\n9 36\n", "\n9.5 36\n"),
            "image_class_labels.txt: row 9: image_id is '9.5', not a whole number",
            id="fractional-id",
        ),
        pytest.param(
            spoil_row("train_test_split.txt", "40 ", "40 7"),
            "train_test_split.txt: row 40: is_training is 7",
            id="split-flag",
        ),
        pytest.param(
            set_first_box("10.0 10.0 0.0 20.0"),
            "bounding_boxes.txt: row 1: the box has no area (width 0, height 20)",
            id="box-without-area",
        ),
        pytest.param(
            set_first_box("10.0 10.0 20.0 -1.0"),
            "bounding_boxes.txt: row 1: the box has no area (width 20, height -1)",
            id="negative-box",
        ),
        pytest.param(
            set_first_box("-3.0 10.0 20.0 20.0"),
            "bounding_boxes.txt: row 1: the box reaches 3 pixels out of the picture",
            id="box-outside",
        ),
        pytest.param(
            set_first_box("-0.9 10.0 0.5 20.0"),
            "bounding_boxes.txt: row 1: no part of the box lies in the picture",
            id="box-beside-the-picture",
        ),
        pytest.param(
            lambda folder: (folder / CARDINAL).unlink(),
            "images.txt: row 1: picture 017.Cardinal/Cardinal_0001_17001.jpg is not in",
            id="missing-picture",
        ),
        pytest.param(
            lambda folder: cut_short(folder / CARDINAL),
            "017.Cardinal/Cardinal_0001_17001.jpg: is cut short; 1 of 40 pictures cannot be used, more than "
            "--max-unreadable-share 0 allows",
            id="truncated-picture",
        ),
        pytest.param(
            lambda folder: write_new(folder / CARDINAL, b"text"),
            "017.Cardinal/Cardinal_0001_17001.jpg: is not a readable JPEG or PNG file",
            id="not-a-picture",
        ),
        pytest.param(
            all_cardinals_train,
            "class 017.Cardinal has no validation picture; leave it out or change --split",
            id="class-without-validation",
        ),
        pytest.param(
            append_row("images.txt", "41 ../../../etc/passwd"),
            "images.txt: row 41: '../../../etc/passwd' leaves the folder of pictures",
            id="path-outside",
        ),
        pytest.param(not_utf8, "images.txt: not UTF-8 text", id="not-utf8"),
        pytest.param(
            lambda folder: (folder / "bounding_boxes.txt").unlink(),
            "bounding_boxes.txt: not there",
            id="missing-table",
        ),
        pytest.param(
            lambda folder: write_new(folder / "classes.txt", b""),
            "classes.txt: has no rows",
            id="empty-table",
        ),
    ],
)
def test_a_fault_in_the_data_ends_the_job_with_one_message_and_leaves_the_run_before(
    birds, drawn_birds, tmp_path, run_job, spoil, fault
):
    out = tmp_path / "out"
    out.mkdir()
    (out / "report").mkdir()
    (out / "report" / "outputs.json").write_text('{"outputs": {"train/train.rec": {}}}')
    (out / "train").mkdir()
    (out / "train" / "train.rec").write_bytes(b"the run before")
    before = tree(out)
    spoil(birds)
    code, message = run_job(main, "--input", birds.parent, "--output", out, *SMALL)
    assert code == 1
    assert fault in message
    assert "\n" not in message
    assert tree(out) == before
    assert sorted(path.name for path in out.iterdir()) == ["report", "train"]


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        pytest.param(
            ["--classes", "17,1000"], "--classes: no class has the id 1000; classes.txt has 17, 36", id="id"
        ),
        pytest.param(
            ["--classes", "Cardinl"], "no class is named 'Cardinl'; did you mean '017.Cardinal'?", id="name"
        ),
        pytest.param(["--classes", "17,Cardinal"], "--classes names 017.Cardinal twice", id="twice"),
        pytest.param(["--classes", ""], "--classes is empty", id="empty"),
        pytest.param(["--split", "none"], "argument --split: invalid choice: 'none'", id="split"),
        pytest.param(
            ["--train-ratio", "1.5"], "argument --train-ratio: 1.5 is not between 0 and 1", id="ratio"
        ),
        pytest.param(["--quality", "101"], "argument --quality: 101 is above 100", id="quality"),
        pytest.param(["--resize", "zero"], "argument --resize: invalid positive value: 'zero'", id="resize"),
        pytest.param(["--workers", "0"], "argument --workers: 0 is below 1", id="workers"),
        pytest.param(["--seed", "-1"], "argument --seed: -1 is below 0", id="seed"),
        pytest.param(["--clases", "17"], "unrecognized arguments: --clases 17", id="misspelt"),
        pytest.param(
            ["--split", "random", "--train-ratio", "1"],
            "class 017.Cardinal has no validation picture",
            id="all-train",
        ),
    ],
)
def test_a_wrong_argument_ends_the_job_with_one_message(drawn_birds, tmp_path, run_job, arguments, fault):
    code, message = run_job(main, "--input", drawn_birds, "--output", tmp_path / "out", *SMALL, *arguments)
    assert code == 1
    assert fault in message
    assert not (tmp_path / "out").exists()


def test_an_input_without_a_data_set_is_named_with_what_is_there(tmp_path, run_job):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "CUB_200_2011.zip").touch()
    code, message = run_job(main, "--input", tmp_path / "data", "--output", tmp_path / "out")
    assert code == 1
    assert "holds neither CUB_200_2011/images.txt nor CUB_200_2011.tgz, but CUB_200_2011.zip" in message


def hostile_member(name, kind=tarfile.REGTYPE, target=""):
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member, b""


@pytest.mark.parametrize(
    ("member", "fault"),
    [
        pytest.param(
            hostile_member("../outside.txt"), "member '../outside.txt' leaves the folder", id="dotdot"
        ),
        pytest.param(
            hostile_member("/tmp/outside.txt"), "member '/tmp/outside.txt' leaves the folder", id="absolute"
        ),
        pytest.param(
            hostile_member("CUB_200_2011/images/a.jpg", tarfile.SYMTYPE, "/etc/passwd"),
            "is a link",
            id="link",
        ),
        pytest.param(
            hostile_member("CUB_200_2011/images/a.jpg", tarfile.LNKTYPE, "x"), "is a link", id="hard-link"
        ),
        pytest.param(
            hostile_member("CUB_200_2011/zero", tarfile.CHRTYPE),
            "is neither a file nor a folder",
            id="device",
        ),
        pytest.param(
            (tarfile.TarInfo("CUB_200_2011/parts/zeros"), bytes(70 << 20)),
            "unpacks to more than 67108864",
            id="bomb",
        ),
    ],
)
def test_a_hostile_archive_is_refused_and_nothing_of_it_stays(tmp_path, monkeypatch, run_job, member, fault):
    info, content = member
    info.size = len(content)
    (tmp_path / "data").mkdir()
    (tmp_path / "scratch").mkdir()
    with tarfile.open(tmp_path / "data" / "CUB_200_2011.tgz", "w:gz", compresslevel=1) as archive:
        archive.addfile(info, io.BytesIO(content))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "scratch"))
    code, message = run_job(main, "--input", tmp_path / "data", "--output", tmp_path / "out")
    assert code == 1
    assert fault in message
    assert list((tmp_path / "scratch").iterdir()) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "opt-ml", "scratch"]


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda data: data[: len(data) // 2], id="cut-short"),
        pytest.param(lambda data: b"<html>" + data, id="web-page"),
        pytest.param(lambda data: data[:5000] + bytes(200) + data[5200:], id="flipped-bytes"),
    ],
)
def test_a_damaged_archive_is_named(drawn_birds, tmp_path, run_job, damage):
    (tmp_path / "data").mkdir()
    path = tmp_path / "data" / "CUB_200_2011.tgz"
    with tarfile.open(path, "w:gz") as archive:
        archive.add(drawn_birds / "CUB_200_2011", "CUB_200_2011")
    path.write_bytes(damage(path.read_bytes()))
    code, message = run_job(main, "--input", tmp_path / "data", "--output", tmp_path / "out")
    assert code == 1
    assert "CUB_200_2011.tgz: damaged, or not a .tgz file" in message


def test_too_small_a_disk_is_noticed_before_unpacking(drawn_birds, tmp_path, monkeypatch, run_job):
    (tmp_path / "data").mkdir()
    with tarfile.open(tmp_path / "data" / "CUB_200_2011.tgz", "w:gz") as archive:
        archive.add(drawn_birds / "CUB_200_2011", "CUB_200_2011")
    # No disk of that size is at hand without the rights to mount one.
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=1000))
    code, message = run_job(main, "--input", tmp_path / "data", "--output", tmp_path / "out")
    assert code == 1
    assert "bytes, 1000 are free; give the job a larger volume, or name another folder in TMPDIR" in message


def test_as_a_process_a_fault_gives_one_line_and_exit_code_one(tmp_path):
    done = run_python(
        "-m", "processing_scripts.jobs.prepare_detection", "--input", tmp_path / "none", OPT_ML=str(tmp_path)
    )
    assert done.returncode == 1
    message = (tmp_path / "output" / "message").read_text()
    assert "none: holds neither CUB_200_2011/images.txt nor CUB_200_2011.tgz, but nothing" in message
    assert done.stderr == f"ERROR {message}\n"


@pytest.mark.parametrize("workers", [pytest.param(1, id="one-process"), pytest.param(2, id="two-processes")])
def test_a_full_disk_is_named_with_its_file_and_leaves_the_run_before(
    drawn_birds, tmp_path, run_job, workers
):
    run_job(main, "--input", drawn_birds, "--output", tmp_path / "out", *SMALL)
    before = tree(tmp_path / "out")
    done = subprocess.run(
        [sys.executable, "-m", "processing_scripts.jobs.prepare_detection", "--input", drawn_birds,
         "--output", tmp_path / "out", "--workers", str(workers)],
        capture_output=True, text=True, env={"OPT_ML": str(tmp_path / "ml"), "PATH": ""},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000)),
    )  # fmt: skip
    assert done.returncode == 1
    message = (tmp_path / "ml" / "output" / "message").read_text()
    assert ".rec" in message
    assert "cannot be written: File too large; give the job a larger volume" in message
    assert "Traceback" not in done.stderr
    assert tree(tmp_path / "out") == before
