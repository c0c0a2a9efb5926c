"""What it costs until a job sees a channel of 2 GB: lent through an overlay, copied, and beside both `cp`.

    python -m benchmarks.channel_without_copy [GIGABYTES]

Prints one line and JSON. The data is random, so that no file system saves blocks by itself; it lies in a
folder for temporary files and is deleted afterwards. The job of one step looks at its first and last bytes.
What is counted is the blocks of all files of the step that are not the stored object itself.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.toys import TOY_IMAGES, definition, processing
from workflows.definition.loader import load
from workflows.local import container
from workflows.local.engine import Engine
from workflows.local.executor import Place
from workflows.local.images import ImageTable
from workflows.local.store import Store

_URI = "s3://data/channel/train.rec"
_FILE = "/opt/ml/processing/input/data/train.rec"
# It ends badly, so that what it was given can be measured.
_LOOK = f"wc -c < {_FILE}; head -c 8 {_FILE} | od -An -tx1; tail -c 8 {_FILE} | od -An -tx1; exit 1"
_CHUNK = 2**20
_BLOCK = 512  # of st_blocks, whatever the file system


class _Lines:
    """A listener that keeps what jobs say."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def log_line(self, _: str, line: str) -> None:
        self.lines.append(line)

    def __getattr__(self, _: str) -> Callable[..., None]:
        return lambda *_, **__: None


def fill(store: Store, size: int) -> Path:
    """Store one object of this size; returns its file."""
    source = store.home / "source"
    with source.open("wb") as file:
        for start in range(0, size, _CHUNK):
            file.write(os.urandom(min(_CHUNK, size - start)))
    store.objects.adopt_file(source, _URI)
    source.unlink()
    os.sync()  # so that nobody's time is spent on it later
    return store.objects.path(_URI)


@contextmanager
def without_overlays() -> Iterator[None]:
    """As on a machine that allows none."""
    allowed = container.overlays_work
    container.overlays_work = lambda _: False
    try:
        yield
    finally:
        container.overlays_work = allowed


def run_job(store: Store, stored: Path) -> tuple[float, int]:
    """Seconds of an execution of one job, and the bytes on disk that it was given beside the object."""
    text = definition(processing("Look", _LOOK, inputs={"data": "s3://data/channel/"}, limit_s=3600))
    place = Place(region="us-east-1", account="000000000000", images=ImageTable(TOY_IMAGES))
    listener = _Lines()
    started = time.perf_counter()
    execution = Engine(store=store, place=place).start("channel", load(text), {}, listener=listener)
    execution.run()
    seconds = time.perf_counter() - started
    check(listener.lines, stored)
    return seconds, extra_bytes(execution.folder, stored)


def check(lines: list[str], stored: Path) -> None:
    """Stop unless the job has seen the object."""
    with stored.open("rb") as file:
        first = file.read(8)
        file.seek(-8, os.SEEK_END)
        expected = [str(stored.stat().st_size), first.hex(), file.read().hex()]
    if (seen := [line.replace(" ", "") for line in lines]) != expected:
        sys.exit(f"the job has seen {seen}, not {expected}")


def extra_bytes(folder: Path, stored: Path) -> int:
    """What the files of a folder take, without those that are the stored one."""
    own = stored.stat().st_ino
    states = [path.lstat() for path in folder.rglob("*") if path.is_file()]
    return sum(state.st_blocks * _BLOCK for state in states if state.st_ino != own)


def copy_plainly(stored: Path) -> tuple[float, int]:
    """Seconds and bytes of `cp`."""
    target = stored.with_name("copy")
    started = time.perf_counter()
    subprocess.run(["cp", str(stored), str(target)], check=True)
    seconds = time.perf_counter() - started
    size = target.stat().st_blocks * _BLOCK
    target.unlink()
    return seconds, size


def main() -> None:
    """Measure all three, print them."""
    gigabytes = float(sys.argv[1]) if len(sys.argv) > 1 else 2.0
    with tempfile.TemporaryDirectory(prefix="channel-") as name:
        store = Store(Path(name) / "home")
        stored = fill(store, int(gigabytes * 10**9))
        if not container.namespaces_work() or not container.overlays_work(store.home):
            sys.exit("this machine allows no overlays: every channel is copied")
        run_job(store, stored)  # what is asked once of a machine is not a channel's cost
        lent = run_job(store, stored)
        with without_overlays():
            copied = run_job(store, stored)
        plain = copy_plainly(stored)
        size = stored.stat().st_size
    sides = {"lent": lent, "copied": copied, "cp": plain}
    result = {key: {"s": round(s, 3), "bytes": used} for key, (s, used) in sides.items()}
    print(
        f"a channel of {size / 10**9:.2f} GB reaches a job in {lent[0]:.2f} s and {lent[1]} bytes of disk, "
        f"copied in {copied[0]:.2f} s and {copied[1]} bytes; cp alone takes {plain[0]:.2f} s"
    )
    print(json.dumps({"channel_bytes": size, **result}))


if __name__ == "__main__":
    main()
