"""The record files of prepare_detection: pictures, mirrored pictures, held-out pictures."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

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
        JobError: too many pictures have to be left out, or the disk has too little room.
    """
    part = {"number": packing.host.index + 1, "count": packing.host.count}
    with (
        tempfile.TemporaryDirectory(prefix="mirrored-") as scratch,
        record_part(outputs, BOTH, "train", **part) as both,
    ):
        mirrored = Path(scratch) / "mirrored.rec"
        with (
            record_part(outputs, "train", "train", **part) as train,
            record_part(outputs, "validation", "validation", **part) as validation,
            RecordWriter(mirrored) as aside,
        ):
            writers = _Writers(train=train, both=both, validation=validation, aside=aside)
            packed = pack_share(entries, _request, writers.write, packing)
        # The mirror images come after the last original, and were made long before it.
        for entry, payload in zip(packed.here.training, RecordReader(mirrored), strict=True):
            both.write(entry.flipped.index, payload)
    return packed


def _request(entry: Entry) -> Request:
    work = Work.ENCODE_WITH_MIRROR if entry.is_training else Work.ENCODE
    return Request(source=entry.source, work=work)


@dataclass(frozen=True, kw_only=True)
class _Writers:
    train: IndexedRecordWriter
    both: IndexedRecordWriter
    validation: IndexedRecordWriter
    aside: RecordWriter

    def write(self, entry: Entry, encoded: Encoded) -> int:
        """Write a picture's records; returns the bytes that they will take in the end."""
        record = _record(entry.original, encoded.original)
        if not entry.is_training:
            self.validation.write(entry.original.index, record)
            return len(record)
        self.train.write(entry.original.index, record)
        self.both.write(entry.original.index, record)
        mirrored = _record(entry.flipped, encoded.mirrored)
        self.aside.write(mirrored)
        return 2 * len(record) + len(mirrored)


def _record(row: DetectionRow, image: bytes) -> bytes:
    return pack_image_record(row.label, row.index, image)
