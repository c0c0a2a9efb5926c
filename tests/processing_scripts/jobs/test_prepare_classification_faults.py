import io
import shutil
import tarfile

import numpy as np
import pytest
from PIL import Image

from processing_scripts.jobs.prepare_classification import main
from tests.processing_scripts.job_testing import cut_short, run_python, tree, write_new

SMALL = ("--workers", 1, "--resize", 64, "--image-shape", "3,64,64", "--training-per-class", 5)
CACTUS = "025.cactus/025_0003.jpg"


def picture(width, height):
    file = io.BytesIO()
    Image.fromarray(np.full((height, width, 3), 99, np.uint8)).save(file, format="PNG")
    return file.getvalue()


def keep(folder, count):
    """Leave only the first pictures of a class."""

    def spoil(root):
        for path in sorted((root / folder).glob("*.jpg"))[count:]:
            path.unlink()

    return spoil


def two_faults(root):
    keep("025.cactus", 5)(root)
    keep("198.spider", 0)(root)


@pytest.mark.parametrize(
    ("spoil", "arguments", "fault"),
    [
        pytest.param(
            two_faults,
            [],
            "--training-per-class 5 and at least one picture for validation need 6 pictures a class; too few "
            "in: 025.cactus (5), 198.spider (0); add pictures, or leave these classes out",
            id="too-few-pictures",
        ),
        pytest.param(
            keep("087.goldfish", 4),
            [],
            "too few in: 087.goldfish (4); use --training-per-class 3 or fewer, or leave these classes out",
            id="remedy",
        ),
        pytest.param(
            keep("056.dog", 7),
            ["--train-ratio", 0.99],
            "--train-ratio 0.99 leaves no picture for training or none for validation in: 025.cactus (7), "
            "056.dog (7), 087.goldfish (7), 198.spider (7); choose another ratio, or add pictures",
            id="ratio",
        ),
        pytest.param(
            lambda root: shutil.copytree(root / "056.dog", root / "300.dog"),
            [],
            "the folders 056.dog and 300.dog are both the class 'dog'",
            id="same-name",
        ),
        pytest.param(
            lambda root: cut_short(root / CACTUS),
            [],
            f"{CACTUS}: is cut short; 1 of 28 pictures cannot be used, more than --max-unreadable-share 0",
            id="truncated-picture",
        ),
        pytest.param(
            lambda root: write_new(root / CACTUS, b""),
            [],
            f"{CACTUS}: is not a readable JPEG or PNG file",
            id="empty-picture",
        ),
        pytest.param(
            lambda root: write_new(root / CACTUS, picture(70_000, 64)),
            [],
            f"{CACTUS}: 70000 x 64 pixels become 70000 x 64, too long for a JPEG file",
            id="too-long-picture",
        ),
        pytest.param(
            lambda root: write_new(root / CACTUS, picture(70_000, 64)),
            ["--resize", 0],
            f"{CACTUS}: 70000 x 64 pixels become 70000 x 64, too long for a JPEG file",
            id="too-long-picture-as-it-is",
        ),
        pytest.param(
            lambda root: write_new(root / CACTUS, picture(80, 63)),
            ["--resize", 0],
            f"{CACTUS}: has 80 x 63 pixels, less than the 64 x 64 of --image-shape 3,64,64; use --resize or "
            "leave it out, or choose a smaller --image-shape",
            id="smaller-than-the-image-shape",
        ),
        pytest.param(
            lambda root: write_new(root / "cactus\t.jpg", b""), [], None, id="stray-with-a-tab-is-harmless"
        ),
    ],
)
def test_a_fault_in_the_data_ends_the_job_with_one_message_and_leaves_the_run_before(
    things, tmp_path, run_job, spoil, arguments, fault
):
    out = tmp_path / "out"
    (out / "train").mkdir(parents=True)
    (out / "train" / "train.rec").write_bytes(b"the run before")
    before = tree(out)
    spoil(things)
    code, message = run_job(main, "--input", things.parent, "--output", out, *SMALL, *arguments)
    if fault is None:
        assert code == 0
        return
    assert code == 1
    assert fault in message
    assert "\n" not in message
    assert tree(out) == before
    assert [path.name for path in out.iterdir()] == ["train"]


def test_a_class_that_loses_its_last_picture_is_named(things, tmp_path, run_job):
    for path in (things / "025.cactus").glob("*.jpg"):
        cut_short(path)
    code, message = run_job(
        main, "--input", things.parent, "--output", tmp_path / "out", *SMALL, "--max-unreadable-share", 0.5
    )
    assert (code, message) == (1, "class 025.cactus has no training picture that can be read; add some")


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        pytest.param(
            ["--resize", 63],
            "--resize 63 makes pictures smaller than --image-shape 3,64,64; use 64 or more, or 0 to keep",
            id="resize-below-the-image-shape",
        ),
        pytest.param(
            ["--image-shape", "3,64,80"],
            "--resize 64 makes pictures smaller than --image-shape 3,64,80; use 80 or more",
            id="wide-image-shape",
        ),
        pytest.param(["--image-shape", "224,224"], "not of the form channels,height,width", id="two-sides"),
        pytest.param(["--image-shape", "3,0,224"], "not of the form channels,height,width", id="zero"),
        pytest.param(["--image-shape", "3,x,224"], "invalid image_shape value: '3,x,224'", id="text"),
        pytest.param(["--image-shape", "1,64,64"], "'1,64,64' has 1 channels", id="grey-shape"),
        pytest.param(["--training-per-class", 0], "0 is below 1", id="no-training"),
        pytest.param(["--train-ratio", 2], "argument --train-ratio: 2 is not between 0 and 1", id="ratio"),
        pytest.param(["--quality", 0], "argument --quality: 0 is below 1", id="quality"),
        pytest.param(["--resize", -1], "argument --resize: -1 is below 0", id="resize"),
        pytest.param(["--clases", 2], "unrecognized arguments: --clases 2", id="misspelt"),
    ],
)
def test_a_wrong_argument_ends_the_job_with_one_message(drawn_things, tmp_path, run_job, arguments, fault):
    code, message = run_job(main, "--input", drawn_things, "--output", tmp_path / "out", *SMALL, *arguments)
    assert code == 1
    assert fault in message
    assert not (tmp_path / "out").exists()


def test_an_input_without_a_data_set_is_named_with_what_is_there(tmp_path, run_job):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "256_ObjectCategories.zip").touch()
    code, message = run_job(main, "--input", tmp_path / "data", "--output", tmp_path / "out")
    assert code == 1
    assert "holds neither class folders, 256_ObjectCategories, 256_ObjectCategories.tar nor .rec" in message
    assert "but 256_ObjectCategories.zip; point the input at the data set" in message


def test_as_a_process_a_fault_gives_one_line_and_exit_code_one(tmp_path):
    done = run_python(
        "-m", "processing_scripts.jobs.prepare_classification", "--input", tmp_path / "no",
        OPT_ML=str(tmp_path),
    )  # fmt: skip
    assert done.returncode == 1
    message = (tmp_path / "output" / "message").read_text()
    assert "nor .rec files, but nothing; point" in message
    assert done.stderr == f"ERROR {message}\n"


def packed(things, tmp_path):
    """256_ObjectCategories.tar, without compression, in a folder of its own."""
    (tmp_path / "packed").mkdir()
    path = tmp_path / "packed" / "256_ObjectCategories.tar"
    # Without the headers of the newer format, which would reveal a damage by themselves.
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as archive:
        archive.add(things / "256_ObjectCategories", "256_ObjectCategories")
    return path


def overwrite_header(data):
    """Damage the header of the third picture."""
    start = [place for place in range(0, len(data), 512) if data[place:].startswith(b"256_Ob")][6]
    return data[:start] + bytes(range(256)) * 2 + data[start + 512 :]


def end_after_a_member(data):
    """Cut off at the border of two members, where nothing but the missing end tells."""
    return data[: [place for place in range(512, len(data), 512) if data[place:].startswith(b"256_Ob")][6]]


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda data: data[: len(data) // 2], id="cut-short"),
        pytest.param(end_after_a_member, id="cut-between-members"),
        pytest.param(overwrite_header, id="damaged-header"),
        pytest.param(lambda data: b"<html>" + data, id="web-page"),
        pytest.param(lambda data: data[:0], id="empty"),
    ],
)
def test_a_damaged_archive_is_named(drawn_things, tmp_path, run_job, damage):
    path = packed(drawn_things, tmp_path)
    path.write_bytes(damage(path.read_bytes()))
    code, message = run_job(main, "--input", path.parent, "--output", tmp_path / "out", *SMALL)
    assert code == 1
    assert "256_ObjectCategories.tar: damaged, or not a .tar file" in message
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("name", "kind", "fault"),
    [
        pytest.param("../outside.jpg", tarfile.REGTYPE, "leaves the folder", id="dotdot"),
        pytest.param("/tmp/outside.jpg", tarfile.REGTYPE, "leaves the folder", id="absolute"),
        pytest.param("256_ObjectCategories/a/1.jpg", tarfile.SYMTYPE, "is a link", id="link"),
        pytest.param("256_ObjectCategories/a/1.jpg", tarfile.FIFOTYPE, "is neither a file", id="fifo"),
    ],
)
def test_a_hostile_archive_is_refused_and_nothing_of_it_stays(
    drawn_things, tmp_path, monkeypatch, run_job, name, kind, fault
):
    path = packed(drawn_things, tmp_path)
    with tarfile.open(path, "a") as archive:
        member = tarfile.TarInfo(name)
        member.type, member.linkname = kind, "/etc/passwd"
        archive.addfile(member)
    (tmp_path / "scratch").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "scratch"))
    code, message = run_job(main, "--input", path.parent, "--output", tmp_path / "out", *SMALL)
    assert code == 1
    assert fault in message
    assert list((tmp_path / "scratch").iterdir()) == []


def test_an_archive_of_something_else_is_told(tmp_path, run_job):
    (tmp_path / "data").mkdir()
    with tarfile.open(tmp_path / "data" / "256_ObjectCategories.tar", "w") as archive:
        archive.addfile(tarfile.TarInfo("other/1.jpg"))
    code, message = run_job(main, "--input", tmp_path / "data", "--output", tmp_path / "out", *SMALL)
    assert code == 1
    assert "256_ObjectCategories.tar: holds no 256_ObjectCategories; is it the data set's" in message
