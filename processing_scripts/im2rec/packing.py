"""Lists become record files."""

import contextlib
import hashlib
import json
import os
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

import cv2

from processing_scripts.contract import Host, writing
from processing_scripts.im2rec.lists import Row, read_rows
from processing_scripts.im2rec.options import Options
from processing_scripts.im2rec.resumable import ResumableRecords
from processing_scripts.packing import Encoding, encode
from processing_scripts.parallel import begin_and_map_in_order
from processing_scripts.progress import tell, with_progress
from processing_scripts.reading import OpenPicture
from processing_scripts.room import Room, check_room
from processing_scripts.sharing import is_of
from processing_scripts.timing import Stage, Stopwatch, Timings
from processing_scripts.unreadable import Unreadable
from processing_scripts.vision.images import ImageError, whole_header
from processing_scripts.vision.parts import part_name
from processing_scripts.vision.recordio import frame, pack_image_record

_NOT_THERE = "not there"
_MOST_TOLD = 20


@dataclass(frozen=True, kw_only=True)
class Share:
    """The rows of a list that this instance packs."""

    list_file: Path
    host: Host

    def __iter__(self) -> Iterator[Row]:
        rows = read_rows(self.list_file)
        return rows if self.host.count == 1 else (row for row in rows if is_of(self.host, row.path))

    def count(self) -> int:
        """How many they are; a list of a million rows is read once more for it."""
        if self.host.count == 1:
            with self.list_file.open("rb") as file:
                return sum(1 for line in file if line.strip())
        return sum(1 for _ in self)


@dataclass(frozen=True, kw_only=True)
class Packed:
    """What became of a row."""

    record: bytes
    fault: str | None
    stamp: str  # says which file it was
    source_bytes: int
    spent_ns: Sequence[int]


def pack_list(list_file: Path, options: Options, host: Host) -> Timings:
    """Write the record file of a list, or this instance's part of it.

    Raises:
        JobError: too many rows have to be left out, or the disk has too little room.
    """
    share = Share(list_file=list_file, host=host)
    rec = list_file.with_name(f"{part_name(list_file.stem, host.index + 1, host.count)}.rec")
    total = share.count()
    tell(f"{rec}: from {total} rows of {list_file.name}")
    timings = Timings(workers=options.workers)
    recipe = _recipe(list_file, options, host)
    with ResumableRecords(rec, recipe=recipe, is_fresh=options.is_fresh) as records:
        records.keep_if(_stamp_of(options.root, row) for row in islice(share, records.state.rows))
        if options.passes_through:
            needed = _bytes_of(options.root, share, records.state.rows)
            check_room(rec.parent, needed, f"the pictures of {list_file.name}")
        with writing(rec):
            _pack(share, options, records, timings, total)
    timings.finish()
    _tell_left_out(records.state.faults, total)
    return timings


def _pack(share: Share, options: Options, records: ResumableRecords, timings: Timings, total: int) -> None:
    done = records.state.rows
    unreadable = Unreadable(pictures=max(total, 1), max_share=options.max_unreadable_share)
    unreadable.faults.update(records.state.faults)
    room = Room(share.list_file.parent, items=total - done)
    begin = partial(_begin, root=str(options.root))
    process = partial(_process, options=options, encoding=_encoding(options))
    rows: deque[Row] = deque()  # handed out, and not come back
    results = begin_and_map_in_order(
        begin, process, _remembered(islice(share, done, None), rows), workers=options.workers
    )
    with contextlib.closing(results):
        for packed in with_progress(results, phase=f"pack {share.list_file.stem}", total=total - done):
            row = rows.popleft()
            if packed.fault:
                unreadable.add(row.name, packed.fault)
                records.leave_out(row.name, packed.fault, stamp=packed.stamp)
                continue
            start = time.perf_counter_ns()
            written = records.write(row.index, packed.record, stamp=packed.stamp)
            spent = time.perf_counter_ns() - start
            timings.add(packed.spent_ns, before=packed.source_bytes, after=written, write_ns=spent)
            room.add(written)


def _remembered(rows: Iterable[Row], memory: deque[Row]) -> Iterator[Row]:
    for row in rows:
        memory.append(row)
        yield row


def _tell_left_out(faults: Mapping[str, str], rows: int) -> None:
    for name, fault in islice(faults.items(), _MOST_TOLD):
        tell(f"left out: {name}: {fault}")
    if faults:
        tell(f"left out: {len(faults)} of {rows} rows")


def _begin(row: Row, root: str) -> tuple[Row, OpenPicture]:
    return row, OpenPicture(os.path.join(root, row.path))  # noqa: PTH118 (every microsecond)


def _process(begun: tuple[Row, OpenPicture], options: Options, encoding: Encoding) -> Packed:
    row, file = begun
    watch = Stopwatch()
    stamp, fault = f"{row.path}\0{_NOT_THERE}", row.fault
    data = record = b""
    try:
        if fault is None:
            data, found = file.read()
            stamp = _stamp(row.path, found)
            watch.lap(Stage.READ)
            record = frame(_payload(row, data, options, encoding, watch))
    except ImageError as error:
        fault = error.fault
    except (ValueError, OverflowError) as error:
        fault = str(error)
    except FileNotFoundError:
        fault = _NOT_THERE
    return Packed(record=record, fault=fault, stamp=stamp, source_bytes=len(data), spent_ns=watch.spent_ns)


def _payload(row: Row, data: bytes, options: Options, encoding: Encoding, watch: Stopwatch) -> bytes:
    if options.passes_through:
        image = _checked(data, row.path)
    else:
        image, _, _ = encode(data, encoding, watch, source=row.path)
    label = row.labels if options.packs_labels and len(row.labels) > 1 else row.labels[0]
    return pack_image_record(label, row.index, image)


def _checked(data: bytes, source: str) -> bytes:
    """A file that is packed as it is: its header and its end are looked at, the picture is not decoded."""
    whole_header(data, source=source)
    return data


def _encoding(options: Options) -> Encoding:
    return Encoding(
        shorter_side=options.resize,
        quality=options.quality,
        suffix=options.encoding,
        colour=options.colour,
        is_cropped=options.is_cropped,
        is_turned=options.is_turned,
        takes_others=True,
        keeps_unchanged=options.keeps_unchanged,
    )


def _recipe(list_file: Path, options: Options, host: Host) -> str:
    """A digest of what decides the bytes of the file, apart from the pictures."""
    with list_file.open("rb") as file:
        rows = hashlib.file_digest(file, "sha256").hexdigest()
    chosen = {
        "list": rows,
        "root": str(options.root),
        "encoding": repr(_encoding(options)),
        "passes_through": options.passes_through,
        "packs_labels": options.packs_labels,
        "share": [host.index, host.count],
        "opencv": cv2.__version__,
    }
    return hashlib.sha256(json.dumps(chosen, sort_keys=True).encode()).hexdigest()


def _stamp(path: str, found: os.stat_result) -> str:
    return f"{path}\0{found.st_size}\0{found.st_mtime_ns}"


def _stamp_of(root: Path, row: Row) -> str:
    try:
        return _stamp(row.path, (root / row.path).stat())
    except OSError:
        return f"{row.path}\0{_NOT_THERE}"


def _bytes_of(root: Path, share: Share, done: int) -> int:
    total = 0
    for row in islice(share, done, None):
        with contextlib.suppress(OSError):  # missing ones are named when their turn comes
            total += (root / row.path).stat().st_size
    return total
