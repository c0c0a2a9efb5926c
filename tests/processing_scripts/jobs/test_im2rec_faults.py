"""im2rec and pictures that are broken, hostile or gone; runs that are stopped; disks that are full."""

import io
import os
import signal
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path

import pytest
from PIL import Image

from processing_scripts import room
from processing_scripts.im2rec.resumable import ResumableRecords
from processing_scripts.jobs import im2rec
from tests.processing_scripts.jobs.im2rec_testing import files_of, picture, records_of, write_list


def encoded(image, kind="JPEG", **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def bomb():
    """A PNG file of a few kilobytes whose pixels take 14 GB."""
    header = struct.pack(">IIBBBBB", 60_000, 80_000, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(bytes(1 << 20))), (b"IEND", b"")]
    body = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + body


HOSTILE = {
    "nothing.jpg": (b"", "is not a readable"),
    "page.jpg": (b"<html>404</html>", "is not a readable"),
    "animation.jpg": (encoded(picture(), "GIF"), "is not a readable"),
    "bomb.png": (bomb(), "has 60000 x 80000 pixels, more than 80000000"),
    "bomb.bmp": (b"BM" + bytes(12) + struct.pack("<IiiHHI", 40, 40_000, 40_000, 1, 24, 0) + bytes(20),
                 "is not a readable JPEG, PNG, BMP"),
    "cut.png": (encoded(picture(), "PNG")[:-20], "is cut short"),
    "too long.jpg": (encoded(picture(4000, 2)), "become 80000 x 40, too long for a JPEG file"),
}  # fmt: skip


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(6):
        picture(60, 40, number).save(folder / f"{number}.jpg")
    return folder


def test_a_picture_that_cannot_be_used_is_named_and_ends_the_job(tmp_path, root, run_job):
    (root / "3.jpg").write_bytes(b"no picture")
    write_list(tmp_path / "set.lst", [f"{number}.jpg" for number in range(6)])
    code, told = run_job(im2rec.main, tmp_path / "set", root)
    assert code == 1
    assert told.startswith("3.jpg: is not a readable JPEG, PNG, BMP, WebP or TIFF file; 1 of 6 pictures")
    assert "--max-unreadable-share 0 allows" in told
    assert not (tmp_path / "set.rec").exists()
    assert not (tmp_path / "set.idx").exists()


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_are_left_out_by_name_when_that_is_allowed(tmp_path, root, run_job, capsys, name):
    data, fault = HOSTILE[name]
    (root / name).write_bytes(data)
    write_list(tmp_path / "set.lst", ["0.jpg", name, "1.jpg"])
    arguments = (tmp_path / "set", root, "--resize", "40", "--max-unreadable-share", "0.5")
    assert run_job(im2rec.main, *arguments) == (0, None)
    assert [index for _, index, _ in records_of(tmp_path / "set.rec")] == [0, 2]
    assert (tmp_path / "set.idx").read_text().splitlines()[0] == "0\t0"
    told = capsys.readouterr().out
    assert f"left out: {name}: " in told
    assert fault in told
    assert "left out: 1 of 3 rows" in told


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize(
    "options", [pytest.param((), id="encode"), pytest.param(("--pass-through",), id="pass")]
)
def test_a_file_cut_at_every_tenth_byte_is_never_packed(tmp_path, run_job, kind, options):
    whole = encoded(picture(24, 16), kind)
    names = []
    for length in range(0, len(whole) - 1, 10):
        names.append(f"{length}.jpg")
        (tmp_path / names[-1]).write_bytes(whole[:length])
    (tmp_path / "whole.jpg").write_bytes(whole)
    write_list(tmp_path / "set.lst", [*names, "whole.jpg"])
    arguments = (tmp_path / "set", tmp_path, "--max-unreadable-share", "1", *options)
    assert run_job(im2rec.main, *arguments) == (0, None)
    assert [index for _, index, _ in records_of(tmp_path / "set.rec")] == [len(names)]


def test_rows_without_a_picture_are_named(tmp_path, root, run_job, capsys):
    (root / "folder.jpg").mkdir()
    os.mkfifo(root / "pipe.jpg")
    (root / "circle.jpg").symlink_to("circle.jpg")
    rows = ["0\t0\t0.jpg", "1\t0\tgone.jpg", "2\t0\tfolder.jpg", "3\t0\tpipe.jpg", "no row", "x\t0\t1.jpg",
            "4\ty\t1.jpg", "-4\t0\t1.jpg", "", "7\t0\t0.jpg/x.jpg",
            "8\t0\tcircle.jpg", "9\t0\t1.jpg\0", "5\t0\t1.jpg"]  # fmt: skip
    (tmp_path / "set.lst").write_text("\n".join(rows))
    arguments = (tmp_path / "set", root, "--max-unreadable-share", "0.9")
    assert run_job(im2rec.main, *arguments) == (0, None)
    assert [index for _, index, _ in records_of(tmp_path / "set.rec")] == [0, 5]
    told = [line for line in capsys.readouterr().out.splitlines() if line.startswith("left out: ")]
    assert told == [
        "left out: gone.jpg: not there",
        "left out: folder.jpg: is not a file",
        "left out: pipe.jpg: is not a file",
        "left out: row 5: needs index, label and path, with tabs between them",
        "left out: row 6: invalid literal for int() with base 10: 'x'",
        "left out: row 7: could not convert string to float: 'y'",
        "left out: row 8: index -4 is not one of 0, 1, 2 ...",
        "left out: 0.jpg/x.jpg: not there",
        "left out: circle.jpg: cannot be read: Too many levels of symbolic links",
        "left out: 1.jpg\0: cannot be read: embedded null byte",
        "left out: 10 of 12 rows",
    ]


@pytest.fixture
def stopped(tmp_path, root, run_job):
    """A run that ended at the fifth of six pictures, which is whole by now; returns its arguments."""
    good = (root / "4.jpg").read_bytes()
    (root / "4.jpg").write_bytes(b"no picture")
    write_list(tmp_path / "set.lst", [f"{number}.jpg" for number in range(6)])
    arguments = (tmp_path / "set", root, "--resize", "20", "--num-thread", "1")
    assert run_job(im2rec.main, *arguments)[0] == 1
    (root / "4.jpg").write_bytes(good)
    return arguments


@pytest.fixture
def undisturbed(tmp_path, run_job):
    """What a run leaves that nothing has stopped."""

    def run(arguments):
        folder = tmp_path / "undisturbed"
        folder.mkdir()
        (folder / "set.lst").write_bytes((tmp_path / "set.lst").read_bytes())
        assert run_job(im2rec.main, folder / "set", *arguments[1:]) == (0, None)
        return files_of(folder)

    return run


def test_a_stopped_run_goes_on_where_it_stopped(tmp_path, stopped, undisturbed, run_job, capsys):
    capsys.readouterr()
    assert run_job(im2rec.main, *stopped) == (0, None)
    told = capsys.readouterr().out
    assert "set.rec: going on after 4 rows that a stopped run has done" in told
    assert "pack set: 2 of 2 pictures" in told
    assert files_of(tmp_path) == undisturbed(stopped)


@pytest.mark.parametrize(
    ("change", "options", "told"),
    [
        pytest.param(
            lambda folder: picture(60, 40, 99).save(folder / "pictures" / "1.jpg"),
            (),
            "pictures have changed since a run was stopped; starting anew",
            id="picture",
        ),
        pytest.param(None, ("--quality", "50"), None, id="option"),
        pytest.param(None, ("--fresh",), None, id="on-request"),
        pytest.param(lambda folder: write_list(folder / "set.lst", ["5.jpg", "0.jpg"]), (), None, id="list"),
        pytest.param(
            lambda folder: (folder / ".set.rec.partial").write_bytes(b"less"), (), None, id="shorter"
        ),
        pytest.param(
            lambda folder: (folder / ".set.rec.checkpoint").write_text("{"),
            (),
            None,
            id="no-checkpoint",
        ),
    ],
)
def test_a_run_starts_anew_when_something_has_changed(
    tmp_path, stopped, undisturbed, run_job, capsys, change, options, told
):
    if change:
        change(tmp_path)
    capsys.readouterr()
    arguments = (*stopped, *options)
    assert run_job(im2rec.main, *arguments) == (0, None)
    printed = capsys.readouterr().out
    assert "going on after" not in printed
    assert told is None or told in printed
    assert files_of(tmp_path) == undisturbed(arguments)


KILLED = """
import sys
from processing_scripts.im2rec import resumable
from processing_scripts.jobs import im2rec
resumable._CHECKPOINT_EVERY_S = 0
sys.exit(im2rec.main(sys.argv[1:]))
"""


def state_of(process: str) -> tuple[str, int]:
    """The letter that says what a process does, X if there is none, and the process that has started it."""
    try:
        state, parent = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[:2]
    except (FileNotFoundError, ProcessLookupError):
        return "X", 0
    return state, int(parent)


def children_of(process: int) -> list[str]:
    numbers = [path.name for path in Path("/proc").iterdir() if path.name.isdecimal()]
    return [number for number in numbers if state_of(number)[1] == process]


def is_running(process: str) -> bool:
    """Whether a process goes on for seconds."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if state_of(process)[0] in "ZX":
            return False
        time.sleep(0.01)
    return True


@pytest.mark.parametrize("kind", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_run_goes_on_as_well(tmp_path, root, undisturbed, run_job, capsys, kind):
    write_list(tmp_path / "set.lst", [f"{number % 6}.jpg" for number in range(1500)])
    arguments = (tmp_path / "set", root, "--resize", "20", "--num-thread", "2")
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, *map(str, arguments)], stdout=subprocess.PIPE, text=True
    )
    checkpoint = tmp_path / ".set.rec.checkpoint"
    deadline = time.monotonic() + 60
    while not checkpoint.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    children = children_of(process.pid)
    process.send_signal(kind)
    told, _ = process.communicate(timeout=60)
    assert process.returncode == (130 if kind == signal.SIGINT else -signal.SIGKILL), told
    assert ("stopped; the same command goes on from here" in told) == (kind == signal.SIGINT)
    assert len(children) == 2
    assert not any(is_running(child) for child in children)
    assert not (tmp_path / "set.rec").exists()
    assert run_job(im2rec.main, *arguments) == (0, None)
    assert "rows that a stopped run has done" in capsys.readouterr().out
    assert files_of(tmp_path) == undisturbed(arguments)


def test_a_second_run_at_the_same_time_is_refused(tmp_path, root, run_job):
    write_list(tmp_path / "set.lst", ["0.jpg"])
    with ResumableRecords(tmp_path / "set.rec", recipe="", is_fresh=False):
        code, told = run_job(im2rec.main, tmp_path / "set", root)
    assert code == 1
    assert told.endswith(".set.rec.partial: another run is writing it; wait until it has ended")


@pytest.mark.parametrize(
    ("options", "count", "what"),
    [
        pytest.param((), 300, "the other 44 pictures need about ", id="encoded"),
        pytest.param(("--pass-through",), 6, "the pictures of set.lst need about ", id="passed-through"),
    ],
)
def test_a_disk_without_room_is_noticed_before_it_is_full(
    tmp_path, root, run_job, monkeypatch, options, count, what
):
    usage = room.shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(room.shutil, "disk_usage", lambda _: usage)
    write_list(tmp_path / "set.lst", [f"{number % 6}.jpg" for number in range(count)])
    code, told = run_job(im2rec.main, tmp_path / "set", root, *options)
    assert code == 1
    assert told.startswith(f"{tmp_path}: {what}")
    assert told.endswith("bytes, 1000 are free; give the job a larger volume")
    assert not (tmp_path / "set.rec").exists()


def test_a_full_disk_is_told(tmp_path, root):
    write_list(tmp_path / "set.lst", [f"{number % 6}.jpg" for number in range(1500)])
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20));"
    ignore = "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
    run = "import sys; from processing_scripts.jobs import im2rec; sys.exit(im2rec.main(sys.argv[1:]))"
    done = subprocess.run(
        [sys.executable, "-c", limit + ignore + run, tmp_path / "set", root],
        env={**os.environ, "OPT_ML": str(tmp_path / "opt-ml")},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "set.rec: cannot be written: File too large; give the job a larger volume" in done.stderr
    assert not (tmp_path / "set.rec").exists()
    # With a disk that has room the same command goes on.
    done = subprocess.run([sys.executable, "-c", run, tmp_path / "set", root], capture_output=True, text=True)
    assert done.returncode == 0
    assert len(records_of(tmp_path / "set.rec")) == 1500


@pytest.mark.parametrize("kind", ["BMP", "WEBP", "TIFF"])
def test_what_opencv_reads_besides_is_packed(tmp_path, run_job, kind):
    name = f"a.{kind.lower()}"
    picture(60, 40).save(tmp_path / name, kind)
    assert run_job(im2rec.main, "--list", tmp_path / "set", tmp_path, "--exts", f".{kind.lower()}") == (
        0,
        None,
    )
    assert run_job(im2rec.main, tmp_path / "set", tmp_path, "--resize", "20") == (0, None)
    ((_, _, image),) = records_of(tmp_path / "set.rec")
    assert Image.open(io.BytesIO(image)).size == (30, 20)
