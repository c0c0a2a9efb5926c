"""What it costs to bring an object of 1 GB to the server and back with boto3, beside `cp` on the same disk.

    python -m benchmarks.object_transfer [GIGABYTES [FOLDER]]

Prints one line and JSON. The server is a process of its own; its objects, the copies and the client's files
are in one folder. Before each measurement the system forgets all of them, and what is to be written is not
there; each ends when it is on the disk. Every kind is measured in turn, three times; the median counts.

The client is boto3 as it comes: 10 threads, parts of 8 MB, a CRC32 and, over plain HTTP, a SHA-256 of every
part. Beside it stands one stream with neither, from a client that costs next to nothing. Of server and client
together the processor's seconds are shown, too: where processors are few, or busy with other work, they and
not the disk are the limit. So is the load of the machine, at the start and at the end. The server's memory is
the peak of its resident set, before and after.
"""

import argparse
import filecmp
import http.client
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
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import boto3
from botocore.config import Config

from workflows.local.objects import Objects
from workflows.server import listen
from workflows.server.listen import listening
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
    """Wait until a file is on the disk, if there is one, and have the system forget it."""
    if not path.exists():
        return
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


@dataclass(frozen=True)
class Kind:
    """One way to bring a file somewhere."""

    work: Callable[[], object]
    read: Path
    written: Path


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
    with listening() as address:
        print(address.url, flush=True)
        listen.serve(s3, address)


def peak_bytes(process: int) -> int:
    """The peak of the resident set of a process."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{process}/status").read_text())
    return int(found[1]) * 1024 if found else 0


@contextmanager
def asked(url: str) -> Iterator[http.client.HTTPConnection]:
    """A connection to a server."""
    place = urlsplit(url)
    connection = http.client.HTTPConnection(str(place.hostname), place.port, timeout=600)
    try:
        yield connection
    finally:
        connection.close()


def stream_up(url: str, source: Path) -> None:
    """One request, without checksums."""
    with asked(url) as connection, source.open("rb") as file:
        connection.putrequest("PUT", f"/bench/{_KEY}")
        for name, value in {**_ANYBODY, "Content-Length": str(source.stat().st_size)}.items():
            connection.putheader(name, value)
        connection.endheaders()
        # By the system itself, so that the client costs the server no processor.
        connection.sock.sendfile(file)
        answer = connection.getresponse()
        if answer.status != http.client.OK:
            sys.exit(f"stream up: {answer.status} {answer.read().decode()}")


def stream_down(url: str, target: Path) -> None:
    """The same back."""
    with asked(url) as connection, target.open("wb", buffering=0) as file:
        connection.request("GET", f"/bench/{_KEY}", headers=_ANYBODY)
        answer = connection.getresponse()
        if answer.status != http.client.OK:
            sys.exit(f"stream down: {answer.status} {answer.read().decode()}")
        block = memoryview(bytearray(_CHUNK))
        while size := answer.readinto(block):
            file.write(block[:size])


def kinds_of(folder: Path, url: str) -> dict[str, Kind]:
    """What is measured, with a server at `url` whose home is in the folder."""
    client = boto3.client(
        "s3",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="none",
        aws_secret_access_key="none",
        config=Config(s3={"addressing_style": "path"}),
    )
    client.create_bucket(Bucket="bench")
    source, copy, back = (folder / name for name in ("source", "copy", "back"))
    stored = folder / "home" / "s3" / "bench" / _KEY
    return {
        "cp": Kind(lambda: subprocess.run(["cp", str(source), str(copy)], check=True), source, copy),
        "upload": Kind(lambda: client.upload_file(str(source), "bench", _KEY), source, stored),
        "download": Kind(lambda: client.download_file("bench", _KEY, str(back)), stored, back),
        "stream up": Kind(lambda: stream_up(url, source), source, stored),
        "stream down": Kind(lambda: stream_down(url, back), stored, back),
    }


def timed(kind: Kind, process: int) -> tuple[float, float]:
    """Seconds until the work is done and on the disk; seconds of processors, the server's included."""
    kind.written.unlink(missing_ok=True)
    before, started = processor_seconds(process), time.perf_counter()
    kind.work()
    with kind.written.open("rb") as file:
        os.fsync(file.fileno())
    return time.perf_counter() - started, processor_seconds(process) - before


def processor_seconds(process: int) -> float:
    """What a process, this one and its children have used."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    ticks = sum(int(fields[index]) for index in (11, 12))  # utime and stime
    return ticks / os.sysconf("SC_CLK_TCK") + sum(os.times()[:4])


def measure(folder: Path, size: int) -> dict[str, dict[str, float]]:
    """Medians of each kind, and the server's bytes."""
    fill(folder / "source", size)
    found: dict[str, list[tuple[float, float]]] = {}
    with server(folder / "home") as (url, process):
        kinds = kinds_of(folder, url)
        idle = peak_bytes(process)
        for name, kind in [*kinds.items()] * _ROUNDS:
            for path in {path for each in kinds.values() for path in (each.read, each.written)}:
                to_disk(path)
            found.setdefault(name, []).append(timed(kind, process))
            if not filecmp.cmp(kind.read, kind.written, shallow=False):
                sys.exit(f"{name}: {kind.written} is not {kind.read}")
        memory = {"idle_bytes": idle, "peak_bytes": peak_bytes(process)}
    return {
        name: dict(zip(("s", "processor_s"), map(statistics.median, zip(*each, strict=True)), strict=True))
        for name, each in found.items()
    } | {"server": memory}


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
    size, load = int(given.gigabytes * 10**9), os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="transfer-", dir=given.folder) as name:
        found = measure(Path(name), size)
    memory = found.pop("server")
    plain = found["cp"]["s"]
    shown = ", ".join(
        f"{name} {size / each['s'] / 10**6:.0f} MB/s = {plain / each['s']:.0%} ({each['processor_s']:.1f} s)"
        for name, each in found.items()
    )
    grown = " to ".join(f"{memory[name] / 2**20:.0f}" for name in ("idle_bytes", "peak_bytes"))
    print(
        f"{size / 10**9:.2f} GB, share of cp and seconds of {os.cpu_count()} processors: {shown}; "
        f"the server's memory: {grown} MiB; load {load:.1f} to {os.getloadavg()[0]:.1f}"
    )
    print(json.dumps({"size_bytes": size, **found, "server": memory}))


if __name__ == "__main__":
    main()
