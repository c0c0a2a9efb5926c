"""A processing job on several instances: every one has its own tree, the service merges the outputs."""

import json
import os
import subprocess
import sys
from pathlib import Path

from processing_scripts.vision.recordio import RecordReader, frame
from tests.processing_scripts.job_testing import tree


def opt_ml(folder: Path, index: int, count: int) -> Path:
    """What instance `index` (from 0) finds as /opt/ml."""
    names = [f"algo-{number}" for number in range(1, count + 1)]
    config = folder / names[index] / "config" / "resourceconfig.json"
    config.parent.mkdir(parents=True)
    # Named as the service names and sorts them: algo-10 comes before algo-2.
    config.write_text(json.dumps({"current_host": names[index], "hosts": sorted(names)}))
    return folder / names[index]


def output(root: Path) -> Path:
    return root / "processing" / "output"


def message(root: Path) -> str | None:
    path = root / "output" / "message"
    return path.read_text() if path.exists() else None


def run_side_by_side(module, roots, *arguments) -> None:
    """Every instance as a process, at the same time."""
    running = [
        subprocess.Popen(
            [sys.executable, "-m", module, *map(str, arguments)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "OPT_ML": str(root)},
        )
        for root in roots
    ]
    for process in running:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors


def merge(roots, target: Path) -> Path:
    """What S3 holds in the end; no file may come from two instances, since one would overwrite the other."""
    for root in roots:
        for path in output(root).rglob("*"):
            if path.is_file():
                merged = target / path.relative_to(output(root))
                merged.parent.mkdir(parents=True, exist_ok=True)
                os.link(path, merged)  # fails if it is there
    return target


def records_of(merged: Path, channel: str) -> tuple[bytes, list[tuple[int, int]]]:
    """The records of a channel's parts in the order of its list, and the keys and offsets of their index."""
    framed = {}
    for index, record in zip(_indices(merged, channel), sorted(merged.glob(f"{channel}/*.rec")), strict=True):
        keys = [tuple(map(int, line.split("\t"))) for line in index.read_text().splitlines()]
        payloads = list(RecordReader(record).with_offsets())
        assert [offset for _, offset in keys] == [offset for offset, _ in payloads]
        assert not framed.keys() & {key for key, _ in keys}
        framed |= {key: frame(payload) for (key, _), (_, payload) in zip(keys, payloads, strict=True)}
    data, rows = b"", []
    for line in (merged / "lists" / f"{channel}.lst").read_text().splitlines():
        key = int(line.split("\t")[0])
        rows.append((key, len(data)))
        data += framed.pop(key)
    assert not framed
    return data, rows


def _indices(merged: Path, channel: str) -> list[Path]:
    return sorted(merged.glob(f"lists/{channel}.idx")) + sorted(merged.glob(f"lists/{channel}-*.idx"))


def without_parts(folder: Path) -> dict[str, str]:
    """Everything but record files, their indices, and what says which instance wrote what."""
    return {
        name: digest
        for name, digest in tree(folder).items()
        if not name.endswith((".rec", ".idx")) and not name.startswith("report/outputs")
    }


def assert_same_data_set(merged: Path, one: Path, channels) -> None:
    assert without_parts(merged) == without_parts(one)
    for channel in channels:
        assert records_of(merged, channel) == records_of(one, channel)
