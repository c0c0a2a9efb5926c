"""im2rec writes what MXNet's im2rec writes, whatever the options."""

import io
import os
import runpy

import mxnet as mx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from processing_scripts.im2rec.lists import read_rows
from processing_scripts.jobs import im2rec, join_records
from tests.processing_scripts.instance_testing import message, opt_ml
from tests.processing_scripts.job_testing import read_json
from tests.processing_scripts.jobs.im2rec_testing import (
    MXNET_TOOL,
    draw_tree,
    files_of,
    mxnet_im2rec,
    picture,
    records_of,
    write_list,
)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A folder of pictures. Read only."""
    return draw_tree(tmp_path_factory.mktemp("tree"))


@pytest.fixture
def both(tmp_path, monkeypatch, run_job):
    """Run both tools with the same arguments behind the prefix; returns their folders."""

    def run(*arguments, ours=()):
        folders = tmp_path / "ours", tmp_path / "theirs"
        for folder in folders:
            folder.mkdir(exist_ok=True)
        mxnet_im2rec(monkeypatch, folders[1] / "set", *arguments)
        assert run_job(im2rec.main, folders[0] / "set", *arguments, *ours) == (0, None)
        return folders

    return run


@pytest.mark.parametrize(
    "options",
    [
        pytest.param((), id="flat"),
        pytest.param(("--recursive",), id="recursive"),
        pytest.param(("--recursive", "--no-shuffle"), id="not-shuffled"),
        pytest.param(("--recursive", "--exts", ".PNG", ".jpeg"), id="upper-case-suffix-finds-none"),
        pytest.param(("--recursive", "--exts", ".png"), id="suffixes"),
        pytest.param(("--recursive", "--chunks", "4"), id="chunks"),
        pytest.param(("--recursive", "--train-ratio", "0.7"), id="training-and-validation"),
        pytest.param(("--recursive", "--train-ratio", "0.5", "--test-ratio", "0.25"), id="three-parts"),
        pytest.param(("--recursive", "--train-ratio", "0.75", "--test-ratio", "0.25"), id="no-validation"),
        pytest.param(
            ("--recursive", "--chunks", "2", "--train-ratio", "0.6", "--test-ratio", "0.1"), id="all"
        ),
    ],
)
def test_lists_are_those_of_mxnet(both, root, capsys, options):
    # MXNet's tool compares with the suffixes as they are given.
    ours, theirs = both(root, "--list", *options)
    found = files_of(ours)
    if ".PNG" in options:
        assert sum(line.endswith(b".png") for line in found["set.lst"].splitlines()) == 3
        return
    assert found == files_of(theirs)
    assert any(found.values())


def test_labels_are_printed_as_mxnet_prints_them(tmp_path, root, monkeypatch, run_job, capsys):
    mxnet_im2rec(monkeypatch, tmp_path / "theirs", root, "--list", "--recursive")
    theirs = capsys.readouterr().out
    assert run_job(im2rec.main, tmp_path / "ours", root, "--list", "--recursive") == (0, None)
    assert capsys.readouterr().out == theirs == ". 0\na pair 1\nb 2\nb/inner 3\nc 4\n"


PACKINGS = [
    pytest.param((), id="as-it-comes"),
    pytest.param(("--resize", "48"), id="resize"),
    pytest.param(("--resize", "100", "--quality", "70"), id="enlarge-at-low-quality"),
    pytest.param(("--center-crop",), id="crop"),
    pytest.param(("--center-crop", "--resize", "33"), id="crop-and-resize"),
    pytest.param(("--color", "0", "--resize", "48"), id="grey"),
    pytest.param(("--color", "-1", "--resize", "48"), id="channels-as-they-are"),
    pytest.param(("--color", "-1", "--encoding", ".png"), id="png-with-transparency-and-16-bits"),
    pytest.param(("--encoding", ".png", "--quality", "3", "--resize", "48"), id="png"),
    pytest.param(("--pass-through",), id="pass-through"),
    pytest.param(("--pack-label", "--resize", "48"), id="all-labels"),
]


@pytest.fixture
def listed(tmp_path, root):
    """Put the same list, with one and several labels, where both tools look."""
    names = [path.relative_to(root) for path in sorted(root.rglob("*")) if path.suffix.lower() != ".txt"]
    names = [name for name in names if (root / name).is_file()]
    rows = [
        f"{100 - number}\t"
        + "\t".join(f"{number + part / 8}" for part in range(1 + number % 3))
        + f"\t{name}\n"
        for number, name in enumerate(names)
    ]
    for folder in ("ours", "theirs"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "set.lst").write_text("".join(rows))
    return len(rows)


@pytest.mark.parametrize("options", PACKINGS)
def test_records_are_those_of_mxnet_byte_for_byte(both, root, listed, options):
    ours, theirs = both(root, *options)
    assert set(files_of(ours)) == {"set.lst", "set.rec", "set.idx"}
    assert files_of(ours) == files_of(theirs)
    assert len(records_of(ours / "set.rec")) == listed == 9


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_the_number_of_threads_changes_no_byte(both, root, listed, threads):
    ours, theirs = both(root, "--resize", "48", ours=("--num-thread", threads))
    assert files_of(ours) == files_of(theirs)


def test_every_list_that_begins_with_the_prefix_is_packed_and_a_folder_means_all(
    both, root, tmp_path, run_job
):
    both(root, "--list", "--recursive", "--chunks", "2", "--train-ratio", "0.5")
    ours, theirs = both(root, "--resize", "32")
    assert files_of(ours) == files_of(theirs)
    assert {"set_0_train.rec", "set_0_val.rec", "set_1_train.rec", "set_1_val.rec"} <= set(files_of(ours))
    before = files_of(ours)
    for rec in ours.glob("*.rec"):
        rec.unlink()
    assert run_job(im2rec.main, ours, root, "--resize", "32") == (0, None)
    assert files_of(ours) == before


def test_mxnet_iterators_read_the_records(tmp_path, root, run_job):
    names = ["top.jpg", "a pair/upright one.JPG", "c/turned.jpg"]
    write_list(tmp_path / "classes.lst", names, label="3")
    write_list(tmp_path / "boxes.lst", names, label="2\t5\t1\t0.1\t0.2\t0.5\t0.75\t0\t0.25\t0.25\t1\t1")
    arguments = ("--resize", "64", "--pack-label")
    assert run_job(im2rec.main, tmp_path, root, *arguments) == (0, None)
    batch = next(
        mx.io.ImageRecordIter(path_imgrec=str(tmp_path / "classes.rec"), data_shape=(3, 64, 64), batch_size=3)
    )
    assert batch.label[0].asnumpy().tolist() == [3, 3, 3]
    batch = next(
        mx.io.ImageDetRecordIter(
            path_imgrec=str(tmp_path / "boxes.rec"), data_shape=(3, 64, 64), batch_size=3,
            label_pad_width=20, verbose=False,
        )
    )  # fmt: skip
    numbers = [2, 5, 1, 0.1, 0.2, 0.5, 0.75, 0, 0.25, 0.25, 1, 1]
    np.testing.assert_allclose(batch.label[0].asnumpy()[:, 4:16], [numbers] * 3, rtol=1e-6)


LINES = st.lists(
    st.lists(
        st.sampled_from(["0", "7", " 12 ", "-1", "x", "", "1.5", "nan", "a b.jpg", "鳥.jpg", "1e3"]),
        max_size=5,
    ).map("\t".join)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r"), max_size=12),
    max_size=6,
)


@given(LINES)
def test_lists_are_read_as_mxnet_reads_them(tmp_path_factory, lines):
    path = tmp_path_factory.mktemp("lists") / "set.lst"
    path.write_text("\n".join(lines), encoding="utf-8", newline="\n")
    theirs = [[item[0], item[1], *map(str, item[2:])] for item in READ_LIST(path)]
    ours = [[row.index, row.path, *map(str, row.labels)] for row in read_rows(path) if not row.fault]
    # What does not fit into a record's id is a fault here, and an error of struct there.
    assert ours == [item for item in theirs if 0 <= item[0] < 1 << 64]


READ_LIST = runpy.run_path(str(MXNET_TOOL))["read_list"]


def test_orientation_is_obeyed_as_mxnet_does_unless_told_otherwise(tmp_path, root, run_job):
    write_list(tmp_path / "set.lst", ["c/turned.jpg"])
    for options, size in ((), (60, 90)), (("--ignore-orientation",), (90, 60)):
        assert run_job(im2rec.main, tmp_path / "set", root, *options) == (0, None)
        ((_, _, image),) = records_of(tmp_path / "set.rec")
        assert Image.open(io.BytesIO(image)).size == size


def test_files_that_need_no_change_are_kept_when_asked(tmp_path, run_job):
    exif = Image.Exif()
    exif[0x0112] = 3
    kept = {"fits.jpg": picture(90, 60), "upright.jpg": picture(60, 75)}
    changed = {
        "larger.jpg": (picture(91, 61), {}),
        "grey.jpg": (picture(90, 60, mode="L"), {}),
        "turned.jpg": (picture(90, 60), {"exif": exif}),
        "other.png": (picture(90, 60), {}),
    }
    for name, image in kept.items():
        image.save(tmp_path / name, quality=40)
    for name, (image, options) in changed.items():
        image.save(tmp_path / name, **options)
    names = [*kept, *changed]
    write_list(tmp_path / "set.lst", names)
    arguments = (tmp_path / "set", tmp_path, "--resize", "60", "--keep-unchanged")
    assert run_job(im2rec.main, *arguments) == (0, None)
    images = {
        name: image for name, (_, _, image) in zip(names, records_of(tmp_path / "set.rec"), strict=True)
    }
    for name in kept:
        assert images[name] == (tmp_path / name).read_bytes()
    for name in changed:
        assert images[name] != (tmp_path / name).read_bytes()
        found = Image.open(io.BytesIO(images[name]))
        assert (found.format, found.mode, min(found.size)) == ("JPEG", "RGB", 60)


def test_where_the_time_went_is_told_and_can_be_had_as_json(tmp_path, root, run_job, capsys):
    write_list(tmp_path / "set.lst", ["top.jpg"] * 20)
    timings = tmp_path / "timings.json"
    arguments = (tmp_path / "set", root, "--resize", "30", "--num-thread", "2", "--timings", timings)
    assert run_job(im2rec.main, *arguments) == (0, None)
    found = read_json(timings)["set.lst"]
    assert (found["pictures"], found["workers"]) == (20, 2)
    assert found["bytes_before"] == 20 * (root / "top.jpg").stat().st_size
    assert found["bytes_after"] == (tmp_path / "set.rec").stat().st_size
    assert set(found["shares"]) == {"read", "decode", "resize", "encode", "wait"}
    assert sum(found["shares"].values()) == pytest.approx(1, abs=0.01)
    assert found["pictures_per_second"] == pytest.approx(20 / found["seconds"], rel=0.2)
    told = capsys.readouterr().out
    assert "pack set: 20 of 20 pictures" in told
    assert "2 workers in " in told


def test_several_instances_pack_what_one_packs(tmp_path, root, monkeypatch, run_job):
    names = [f"{name}" for name in ("top.jpg", "b/grey.jpg", "b/inks.jpg", "c/turned.jpg")] * 2
    channel = tmp_path / "opt-ml" / "processing" / "input" / "set"
    list_file = write_list(channel.parent / "lists" / "set.lst", names)
    for index in range(3):
        monkeypatch.setenv("OPT_ML", str(opt_ml(tmp_path / "hosts", index, 3)))
        write_list(channel / "set.lst", names)
        assert im2rec.main([str(channel / "set"), str(root), "--resize", "32"]) == 0
    parts = sorted(channel.glob("*.rec"))
    assert [path.name for path in parts] == [f"set-0000{number}-of-00003.rec" for number in (1, 2, 3)]
    assert run_job(join_records.main) == (0, None)
    joined = tmp_path / "opt-ml" / "processing" / "output"
    whole = tmp_path / "whole"
    write_list(whole / "set.lst", names)
    assert run_job(im2rec.main, whole / "set", root, "--resize", "32") == (0, None)
    assert (joined / "set" / "set.rec").read_bytes() == (whole / "set.rec").read_bytes()
    assert (joined / "lists" / "set.idx").read_bytes() == (whole / "set.idx").read_bytes()
    assert list_file.exists()


def test_one_of_several_instances_writes_the_lists(tmp_path, root, monkeypatch):
    for index in range(2):
        monkeypatch.setenv("OPT_ML", str(opt_ml(tmp_path / "hosts", index, 2)))
        assert im2rec.main(["--list", str(tmp_path / f"set{index}"), str(root)]) == 0
    assert [(tmp_path / f"set{index}.lst").exists() for index in range(2)] == [True, False]
    assert message(tmp_path / "hosts" / "algo-2") is None


def test_a_link_in_a_circle_is_followed_once(tmp_path, run_job):
    (tmp_path / "pictures" / "inner").mkdir(parents=True)
    (tmp_path / "other").mkdir()
    picture().save(tmp_path / "pictures" / "inner" / "a.jpg")
    picture().save(tmp_path / "other" / "b.jpg")
    (tmp_path / "pictures" / "inner" / "back").symlink_to(tmp_path / "pictures")
    (tmp_path / "pictures" / "linked").symlink_to(tmp_path / "other")
    assert run_job(
        im2rec.main, "--list", "--recursive", "--no-shuffle", tmp_path / "set", tmp_path / "pictures"
    ) == (
        0,
        None,
    )
    assert (tmp_path / "set.lst").read_text() == ("0\t0.000000\tinner/a.jpg\n1\t1.000000\tlinked/b.jpg\n")


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        pytest.param("a\tb.jpg", "'a\\tb.jpg' does not fit into a list", id="tab"),
        pytest.param("a\nb.jpg", "'a\\nb.jpg' does not fit into a list", id="line-end"),
        pytest.param(" a.jpg", "' a.jpg' does not fit into a list", id="blank-in-front"),
        pytest.param(os.fsdecode(b"\xff.jpg"), "is not UTF-8; rename the file", id="not-utf-8"),
    ],
)
def test_a_name_that_no_list_can_hold_is_refused(tmp_path, run_job, name, fault):
    (tmp_path / "pictures").mkdir()
    picture().save(io.BytesIO(), "JPEG")
    (tmp_path / "pictures" / name).write_bytes(b"")
    code, told = run_job(im2rec.main, "--list", tmp_path / "set", tmp_path / "pictures")
    assert code == 1
    assert fault in told
    assert not (tmp_path / "set.lst").exists()


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        pytest.param(("set",), "the following arguments are required: root", id="no-root"),
        pytest.param(("--list", "set", "nowhere"), "nowhere: not a folder", id="list-of-no-folder"),
        pytest.param(("set", "."), "set: no list begins with it; write one with --list", id="no-list"),
        pytest.param(("there", "nowhere"), "nowhere: not a folder", id="pack-no-folder"),
        pytest.param(("--quality", "0", "set", "."), "--quality 0 is not between 1 and 100", id="quality"),
        pytest.param(("--num-thread", "0", "set", "."), "0 is below 1", id="threads"),
        pytest.param(
            ("--train-ratio", "0.8", "--test-ratio", "0.4", "set", "."),
            "--train-ratio 0.8 and --test-ratio 0.4 exceed 1",
            id="ratios",
        ),
        pytest.param(("--color", "2", "set", "."), "invalid choice: 2", id="colour"),
        pytest.param(
            ("--pass-through", "--keep-unchanged", "set", "."), "leave --keep-unchanged out", id="both"
        ),
    ],
)
def test_wrong_arguments_are_refused(tmp_path, monkeypatch, run_job, arguments, fault):
    monkeypatch.chdir(tmp_path)
    write_list(tmp_path / "there.lst", ["a.jpg"])
    code, told = run_job(im2rec.main, *arguments)
    assert code == 1
    assert fault in told
