"""Processing job: CUB-200-2011 becomes RecordIO files for the built-in Object Detection, and a report.

    python -m processing_scripts.jobs.prepare_detection --classes 17,36,47,68,73

Input: the folder CUB_200_2011 or CUB_200_2011.tgz. Outputs, each in a folder of its own, so that a training
channel holds exactly one .rec file:

    train/train.rec             train_flipped/train.rec (originals, then their mirror images)
    validation/validation.rec   validation_images/ (the held-out files, untouched)
    lists/ (.lst and .idx)      report/report.json, report/species.png
"""

import contextlib
import hashlib
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from processing_scripts import contract
from processing_scripts.contract import JobError
from processing_scripts.datasets import archive, cub
from processing_scripts.datasets.annotations import Annotations, Entry, annotate
from processing_scripts.jobs.arguments import JobParser, jpeg_quality, positive, share, whole_number
from processing_scripts.outputs import OutputTree, copy_file, write_text
from processing_scripts.packing import Encoding, Request, encode_pictures
from processing_scripts.progress import tell, with_progress
from processing_scripts.unreadable import Unreadable
from processing_scripts.vision.drawing import GridRow, Mark, Thumbnail, class_colour, draw_grid, readable_name
from processing_scripts.vision.images import decode_image
from processing_scripts.vision.lists import DetectionRow
from processing_scripts.vision.recordio import (
    IndexedRecordWriter,
    RecordReader,
    RecordWriter,
    pack_image_record,
)

ARCHIVE = f"{cub.FOLDER}.tgz"
REPORT = "report/report.json"
GRID_ROWS, GRID_COLUMNS, GRID_CELL = 10, 6, (200, 150)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The job's arguments."""

    input: Path
    output: Path
    classes: str
    split: str  # recommended or random
    train_ratio: float
    seed: int
    resize: int  # pixels of the shorter side
    quality: int
    max_unreadable_share: float
    workers: int


def parse(arguments: Sequence[str] | None) -> Settings:
    """Read the command line.

    Raises:
        JobError: an argument is wrong.
    """
    parser = JobParser(prog="prepare_detection", description=__doc__, allow_abbrev=False)
    parser.add_argument("--input", type=Path, default=contract.processing_path("input", "data"))
    parser.add_argument("--output", type=Path, default=contract.processing_path("output"))
    parser.add_argument("--classes", default="17,36,47,68,73", help='ids, names, or "all"')
    parser.add_argument("--split", choices=("recommended", "random"), default="recommended")
    parser.add_argument("--train-ratio", type=share, default=0.8, help="for --split random")
    parser.add_argument("--seed", type=whole_number, default=0, help="for --split random")
    parser.add_argument("--resize", type=positive, default=256, help="pixels of the shorter side")
    parser.add_argument("--quality", type=jpeg_quality, default=95, help="JPEG quality")
    parser.add_argument("--max-unreadable-share", type=share, default=0.0)
    parser.add_argument("--workers", type=positive, default=len(os.sched_getaffinity(0)))
    return Settings(**vars(parser.parse_args(arguments)))


def prepare(settings: Settings) -> None:
    """Do the whole job.

    Raises:
        JobError: something is wrong with the input, or the disk is full.
    """
    with _data_set(settings.input) as folder, OutputTree(settings.output) as outputs:
        data = cub.load(folder)
        class_ids = cub.choose_classes(data.class_names, settings.classes)
        pictures = _split(cub.select(data, class_ids), settings)
        names = {class_id: data.class_names[class_id] for class_id in class_ids}
        _check_split(_counts(pictures, names), "")
        unreadable = Unreadable(pictures=len(pictures), max_share=settings.max_unreadable_share)
        annotations = annotate(data, pictures, unreadable)
        packed = _pack(annotations.entries, outputs, settings, unreadable)
        _check_split(_counts_of(packed, names), " that can be read")
        _write_lists(packed, outputs)
        _copy_held_out(packed, outputs)
        _draw_species(packed, names, outputs)
        outputs.commit(REPORT, _report(data, names, annotations, packed, settings, unreadable))
    tell(f"done: {len(packed.training)} training and {len(packed.validation)} validation pictures")


@contextlib.contextmanager
def _data_set(folder: Path) -> Iterator[Path]:
    """The folder with the tables; an archive is unpacked for the time of the block, never into the input."""
    for candidate in (folder / cub.FOLDER, folder):
        if (candidate / cub.IMAGES).is_file():
            yield candidate
            return
    packed = folder / ARCHIVE
    if not packed.is_file():
        there = ", ".join(sorted(path.name for path in folder.iterdir())[:5]) if folder.is_dir() else ""
        raise JobError(
            f"{folder}: holds neither {cub.FOLDER}/{cub.IMAGES} nor {ARCHIVE}, but {there or 'nothing'}; "
            "point the input at the data set"
        )
    with tempfile.TemporaryDirectory(prefix="unpacked-") as scratch:
        archive.unpack(packed, Path(scratch), wanted=_is_wanted)
        if not (Path(scratch) / cub.FOLDER / cub.IMAGES).is_file():
            raise JobError(f"{packed}: holds no {cub.FOLDER}/{cub.IMAGES}; is it the data set's archive?")
        yield Path(scratch) / cub.FOLDER


def _is_wanted(member: str) -> bool:
    tables = {f"{cub.FOLDER}/{name}" for name in cub.TABLES}
    return member in tables or member.startswith(f"{cub.FOLDER}/{cub.PICTURES}/")


def _split(pictures: pd.DataFrame, settings: Settings) -> pd.DataFrame:
    if settings.split == "recommended":
        return pictures
    return cub.split_randomly(pictures, train_ratio=settings.train_ratio, seed=settings.seed)


# Class name -> pictures in training and validation.
Counts = dict[str, tuple[int, int]]


def _counts(pictures: pd.DataFrame, names: dict[int, str]) -> Counts:
    training = pictures["is_training"] == 1
    of_training = pictures["class_id"][training].value_counts()
    of_validation = pictures["class_id"][~training].value_counts()
    return {
        name: (int(of_training.get(class_id, 0)), int(of_validation.get(class_id, 0)))
        for class_id, name in names.items()
    }


def _check_split(counts: Counts, condition: str) -> None:
    for name, (training, validation) in counts.items():
        if not training or not validation:
            part = "validation" if training else "training"
            raise JobError(f"class {name} has no {part} picture{condition}; leave it out or change --split")


@dataclass(frozen=True, kw_only=True)
class Packed:
    """What went into the record files."""

    training: list[Entry]
    validation: list[Entry]
    sources_sha256: str  # over the lines "sha256 path" of all source files


def _counts_of(packed: Packed, names: dict[int, str]) -> Counts:
    return {
        name: (
            sum(entry.class_number == number for entry in packed.training),
            sum(entry.class_number == number for entry in packed.validation),
        )
        for number, name in enumerate(names.values())
    }


def _pack(entries: list[Entry], outputs: OutputTree, settings: Settings, unreadable: Unreadable) -> Packed:
    """Decode every picture once and write all record files."""
    with (
        tempfile.TemporaryDirectory(prefix="mirrored-") as scratch,
        _record_file(outputs, "train_flipped/train.rec", "train_flipped") as both,
    ):
        mirrored = Path(scratch) / "mirrored.rec"
        with (
            _record_file(outputs, "train/train.rec", "train") as train,
            _record_file(outputs, "validation/validation.rec", "validation") as validation,
            RecordWriter(mirrored) as aside,
        ):
            writers = _Writers(train=train, both=both, validation=validation, aside=aside)
            packed = _encode_all(entries, writers, settings, unreadable)
        # The mirror images come after the last original, and were made long before it.
        for entry, payload in zip(packed.training, RecordReader(mirrored), strict=True):
            both.write(entry.flipped.index, payload)
    return packed


@dataclass(frozen=True, kw_only=True)
class _Writers:
    train: IndexedRecordWriter
    both: IndexedRecordWriter
    validation: IndexedRecordWriter
    aside: RecordWriter

    def write(self, entry: Entry, original: bytes, mirrored: bytes) -> None:
        record = _record(entry.original, original)
        if not entry.is_training:
            self.validation.write(entry.original.index, record)
            return
        self.train.write(entry.original.index, record)
        self.both.write(entry.original.index, record)
        self.aside.write(_record(entry.flipped, mirrored))


def _record_file(outputs: OutputTree, records: str, index: str) -> IndexedRecordWriter:
    return IndexedRecordWriter(outputs.stage(records), outputs.stage(f"lists/{index}.idx"))


def _record(row: DetectionRow, image: bytes) -> bytes:
    return pack_image_record(row.label, row.index, image)


def _encode_all(
    entries: list[Entry], writers: _Writers, settings: Settings, unreadable: Unreadable
) -> Packed:
    requests = [Request(source=entry.source, mirrored=entry.is_training) for entry in entries]
    encoding = Encoding(shorter_side=settings.resize, quality=settings.quality)
    kept: list[Entry] = []
    sources = hashlib.sha256()
    with contextlib.closing(encode_pictures(requests, encoding, workers=settings.workers)) as results:
        for entry, encoded in zip(
            entries, with_progress(results, phase="pack", total=len(entries)), strict=True
        ):
            sources.update(f"{encoded.source_sha256} {entry.original.path}\n".encode())
            if encoded.fault:
                unreadable.add(entry.original.path, encoded.fault)
                continue
            writers.write(entry, encoded.original, encoded.mirrored)
            kept.append(entry)
    return Packed(
        training=[entry for entry in kept if entry.is_training],
        validation=[entry for entry in kept if not entry.is_training],
        sources_sha256=sources.hexdigest(),
    )


def _write_lists(packed: Packed, outputs: OutputTree) -> None:
    originals = [entry.original for entry in packed.training]
    lists = {
        "train": originals,
        "train_flipped": originals + [entry.flipped for entry in packed.training],
        "validation": [entry.original for entry in packed.validation],
    }
    for name, rows in lists.items():
        write_text(outputs.stage(f"lists/{name}.lst"), "".join(row.line() for row in rows))


def _copy_held_out(packed: Packed, outputs: OutputTree) -> None:
    for entry in with_progress(packed.validation, phase="copy", total=len(packed.validation)):
        copy_file(entry.source, outputs.stage(f"validation_images/{entry.original.path}"))


def _draw_species(packed: Packed, names: dict[int, str], outputs: OutputTree) -> None:
    rows = []
    for number, name in list(enumerate(names.values()))[:GRID_ROWS]:
        mine = [entry for entry in packed.training if entry.class_number == number]
        held_out = sum(entry.class_number == number for entry in packed.validation)
        rows.append(
            GridRow(
                name=readable_name(name),
                note=f"{len(mine)} training, {held_out} validation",
                thumbnails=[_thumbnail(entry) for entry in mine[:GRID_COLUMNS]],
            )
        )
    with contract.published(outputs.stage("report/species.png")) as file:
        draw_grid(rows, cell=GRID_CELL).save(file, format="PNG")


def _thumbnail(entry: Entry) -> Thumbnail:
    pixels = decode_image(entry.source.read_bytes(), source=str(entry.source))
    marks = [Mark(corners=row[1:], colour=class_colour(entry.class_number)) for row in entry.original.objects]
    return Thumbnail(pixels=pixels, marks=marks)


def _report(
    data: cub.Cub,
    names: dict[int, str],
    annotations: Annotations,
    packed: Packed,
    settings: Settings,
    unreadable: Unreadable,
) -> dict[str, object]:
    """What later steps and people want to know; no times and no paths of this machine."""
    counts = {
        "num_classes": len(names),
        "num_training_samples": len(packed.training),
        "num_training_samples_with_flips": 2 * len(packed.training),
        "label_width": max(len(entry.original.label) for entry in packed.training + packed.validation),
    }
    of_class = _counts_of(packed, names)
    return {
        # SageMaker takes hyperparameters as strings only.
        "hyperparameters": {name: str(count) for name, count in counts.items()},
        **counts,
        "class_names": list(names.values()),
        "classes": [
            {"id": number, "class_id": class_id, "name": name}
            | dict(zip(("train", "validation"), of_class[name], strict=True))
            for number, (class_id, name) in enumerate(names.items())
        ],
        "splits": {"train": len(packed.training), "validation": len(packed.validation)},
        "settings": _described(settings, list(names)),
        "skipped": [{"path": path, "fault": fault} for path, fault in sorted(unreadable.faults.items())],
        "clipped_boxes": annotations.clipped_boxes,
        "inputs": {**data.digests(), "pictures": packed.sources_sha256},
    }


def _described(settings: Settings, class_ids: list[int]) -> dict[str, object]:
    """The settings that change the outputs; the number of processes does not."""
    described: dict[str, object] = {
        "classes": class_ids,
        "split": settings.split,
        "resize": settings.resize,
        "quality": settings.quality,
        "max_unreadable_share": settings.max_unreadable_share,
    }
    if settings.split == "random":
        described |= {"train_ratio": settings.train_ratio, "seed": settings.seed}
    return described


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the job; returns the exit code."""
    return contract.run_processing(lambda: prepare(parse(arguments)))


if __name__ == "__main__":
    sys.exit(main())
