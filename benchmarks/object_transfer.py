"""What it costs to bring an object of 1 GB to the server and back with boto3, beside `cp` on the same disk.

    python -m benchmarks.object_transfer [GIGABYTES [FOLDER]]

Prints one line and JSON. The server is a process of its own; its objects, the copies and the client's files
are in one folder. Before each measurement the system forgets the file that it reads, and each ends when what
it wrote is on the disk. Every kind is measured in turn, three times; the median counts. The client is boto3
as it comes: 10 threads, parts of 8 MB, a CRC32 and, over plain HTTP, a SHA-256 of every part. Beside it is
one stream with neither. The server's memory is the peak of its resident set, before and after.
"""

import argparse
import filecmp
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import boto3
import httpx
from botocore.config import Config

from workflows.local.objects import Objects
from workflows.server.listen import listen
from workflows.server.s3.app import S3

_CHUNK = 2**20
_ROUNDS = 3
_KEY = "data/object"
# Not verified, and not asked for either.
_ANYBODY = {"authorization": "AWS4-HMAC-SHA256 Credential=none/20260101/us-east-1/s3/aws4_request"}


def fill(path: Path, size: int) -> None:
    """Random content, so that no file system saves blocks."""
    with path.open("wb") as file:
        for start in range(0, size, _CHUNK):
            file.write(os.urandom(min(_CHUNK, size - start)))


def to_disk(path: Path) -> None:
    """Wait until a file is on the disk, and have the system forget it."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def timed(work: Callable[[], object], *, read: Path, written: Path) -> float:
    """Seconds until the work is done and on the disk."""
    to_disk(read)
    started = time.perf_counter()
    work()
    with written.open("rb") as file:
        os.fsync(file.fileno())
    return time.perf_counter() - started


@contextmanager
def server(home: Path) -> Iterator[tuple[str, int]]:
    """URL and process of a server."""
    argv = [sys.executable, "-m", "benchmarks.object_transfer", "--serve", str(home)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield (process.stdout.readline().strip() if process.stdout else ""), process.pid
        finally:
            process.terminate()


def serve(home: Path) -> None:
    """Be that server."""
    s3 = S3(Objects(home / "s3"), region="us-east-1", account="000000000000")
    listen(s3, host="127.0.0.1", port=0, ready=lambda url: print(url, flush=True))


def peak_bytes(process: int) -> int:
    """The peak of the resident set of a process."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{process}/status").read_text())
    return int(found[1]) * 1024 if found else 0


def stream_up(url: str, source: Path) -> None:
    """One request, without checksums."""
    size = source.stat().st_size
    with source.open("rb") as file:
        headers = {**_ANYBODY, "content-length": str(size)}
        pieces = iter(lambda: file.read(_CHUNK), b"")
        httpx.put(f"{url}/bench/{_KEY}", content=pieces, headers=headers, timeout=600).raise_for_status()


def stream_down(url: str, target: Path) -> None:
    """The same back."""
    with (
        httpx.stream("GET", f"{url}/bench/{_KEY}", headers=_ANYBODY, timeout=600) as response,
        target.open("wb") as file,
    ):
        response.raise_for_status()
        for piece in response.iter_raw(_CHUNK):
            file.write(piece)


def measure(folder: Path, size: int) -> dict[str, float]:
    """Seconds of each kind, and the server's bytes."""
    source, copy, back = folder / "source", folder / "copy", folder / "back"
    fill(source, size)
    times: dict[str, list[float]] = {}
    with server(folder / "home") as (url, process):
        client = boto3.client(
            "s3",
            endpoint_url=url,
            region_name="us-east-1",
            aws_access_key_id="none",
            aws_secret_access_key="none",
            config=Config(s3={"addressing_style": "path"}),
        )
        client.create_bucket(Bucket="bench")
        stored = folder / "home" / "s3" / "bench" / _KEY
        kinds: dict[str, tuple[Callable[[], object], Path, Path]] = {
            "cp": (lambda: subprocess.run(["cp", str(source), str(copy)], check=True), source, copy),
            "upload": (lambda: client.upload_file(str(source), "bench", _KEY), source, stored),
            "download": (lambda: client.download_file("bench", _KEY, str(back)), stored, back),
            "stream up": (lambda: stream_up(url, source), source, stored),
            "stream down": (lambda: stream_down(url, back), stored, back),
        }
        idle = peak_bytes(process)
        for _ in range(_ROUNDS):
            for name, (work, read, written) in kinds.items():
                copy.unlink(missing_ok=True)
                back.unlink(missing_ok=True)
                times.setdefault(name, []).append(timed(work, read=read, written=written))
                if written != copy and not filecmp.cmp(source, written, shallow=False):
                    sys.exit(f"{name}: {written} is not {source}")
        peak = peak_bytes(process)
    return {name: statistics.median(each) for name, each in times.items()} | {
        "idle_bytes": idle,
        "peak_bytes": peak,
    }


def main() -> None:
    """Measure, and print it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("gigabytes", nargs="?", type=float, default=1.0)
    parser.add_argument(
        "folder", nargs="?", help="on the disk that is meant; by default that of temporary files"
    )
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        serve(given.serve)
        return
    size = int(given.gigabytes * 10**9)
    with tempfile.TemporaryDirectory(prefix="transfer-", dir=given.folder) as name:
        found = measure(Path(name), size)
    plain = found["cp"]
    shares = ", ".join(
        f"{name} {size / seconds / 10**6:.0f} MB/s ({plain / seconds:.0%} of cp)"
        for name, seconds in found.items()
        if not name.endswith("bytes")
    )
    print(
        f"{size / 10**9:.2f} GB: {shares}; the server's memory peaks at {found['peak_bytes'] / 2**20:.0f} MiB"
    )
    print(json.dumps({"size_bytes": size, **found}))


if __name__ == "__main__":
    main()
