"""The record files of prepare_detection: pictures, mirrored pictures, held-out pictures."""

import tempfile
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from processing_scripts.contract import Host
from processing_scripts.datasets.annotations import Entry
from processing_scripts.jobs.preparation import record_part
from processing_scripts.outputs import OutputTree
from processing_scripts.packing import Encoded, Request, Work
from processing_scripts.sharing import Packed, Packing, pack_share
from processing_scripts.vision.lists import DetectionRow
from processing_scripts.vision.recordio import (
    IndexedRecordWriter,
    RecordReader,
    RecordWriter,
    pack_image_record,
)

BOTH = "train_flipped"


def pack(entries: Sequence[Entry], outputs: OutputTree, packing: Packing) -> Packed[Entry]:
    """Decode every picture of this instance's share once and write all record files.

    Raises:
        JobError: too many pictures have to be left out.
    """
    with (
        tempfile.TemporaryDirectory(prefix="mirrored-") as scratch,
        _originals_of_both(outputs, packing.host) as both,
    ):
        mirrored = Path(scratch) / "mirrored.rec"
        packed = _pack_originals(entries, both, mirrored, outputs, packing)
        # The mirror images come after the last original, and were made long before it.
        with _mirrors_of_both(both, outputs, packing.host) as file:
            for entry, payload in zip(packed.here.training, RecordReader(mirrored), strict=True):
                file.write(entry.flipped.index, payload)
    return packed


def _originals_of_both(outputs: OutputTree, host: Host) -> IndexedRecordWriter:
    count = host.count if host.count == 1 else 2 * host.count
    return record_part(outputs, BOTH, "train", number=host.index + 1, count=count)


def _mirrors_of_both(
    both: IndexedRecordWriter, outputs: OutputTree, host: Host
) -> AbstractContextManager[IndexedRecordWriter]:
    """Where mirror images go: after the originals of this instance, or in a part after those of all."""
    if host.count == 1:
        return nullcontext(both)
    return record_part(outputs, BOTH, "train", number=host.count + host.index + 1, count=2 * host.count)


def _pack_originals(
    entries: Sequence[Entry], both: IndexedRecordWriter, mirrored: Path, outputs: OutputTree, packing: Packing
) -> Packed[Entry]:
    part = {"number": packing.host.index + 1, "count": packing.host.count}
    with (
        record_part(outputs, "train", "train", **part) as train,
        record_part(outputs, "validation", "validation", **part) as validation,
        RecordWriter(mirrored) as aside,
    ):
        writers = _Writers(train=train, both=both, validation=validation, aside=aside)
        return pack_share(entries, _request, writers.write, packing)


def _request(entry: Entry) -> Request:
    work = Work.ENCODE_WITH_MIRROR if entry.is_training else Work.ENCODE
    return Request(source=entry.source, work=work)


@dataclass(frozen=True, kw_only=True)
class _Writers:
    train: IndexedRecordWriter
    both: IndexedRecordWriter
    validation: IndexedRecordWriter
    aside: RecordWriter

    def write(self, entry: Entry, encoded: Encoded) -> None:
        record = _record(entry.original, encoded.original)
        if not entry.is_training:
            self.validation.write(entry.original.index, record)
            return
        self.train.write(entry.original.index, record)
        self.both.write(entry.original.index, record)
        self.aside.write(_record(entry.flipped, encoded.mirrored))


def _record(row: DetectionRow, image: bytes) -> bytes:
    return pack_image_record(row.label, row.index, image)
