"""Processing job: pictures in class folders become RecordIO files for the built-in Image Classification.

    python -m processing_scripts.jobs.prepare_classification --training-per-class 60

Input: the folder 256_ObjectCategories of Caltech-256, its archive 256_ObjectCategories.tar, class folders of
one's own, or ready record files, *train*.rec and *val*.rec with an optional classes.txt. Outputs:

    train/train.rec             in random order, as the algorithm reads it
    validation/validation.rec   validation_images/ (the held-out files, untouched)
    lists/ (.lst and .idx)      report/report.json, report/classes.png

Ready record files are checked and passed on unchanged; of lists they get validation.lst alone, because
records carry no file names.
"""

import contextlib
import hashlib
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from processing_scripts import contract
from processing_scripts.contract import JobError
from processing_scripts.datasets import archive, folders, ready_records
from processing_scripts.datasets.folders import ClassTree, Picture, SplitRule
from processing_scripts.datasets.ready_records import ReadyRecords
from processing_scripts.jobs.arguments import (
    ImageShape,
    JobParser,
    image_shape,
    jpeg_quality,
    positive,
    share,
    whole_number,
)
from processing_scripts.jobs.classification_report import REPORT, ClassCount, Prepared, draw_classes, report
from processing_scripts.outputs import OutputTree, copy_file, describe, write_text
from processing_scripts.packing import Encoding, Request, encode_pictures
from processing_scripts.progress import tell, with_progress
from processing_scripts.unreadable import Unreadable
from processing_scripts.vision.lists import ClassificationRow
from processing_scripts.vision.recordio import IndexedRecordWriter, pack_image_record

ARCHIVE = f"{folders.CALTECH}.tar"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The job's arguments."""

    input: Path
    output: Path
    training_per_class: int
    train_ratio: float  # used instead if above 0
    seed: int
    resize: int  # pixels of the shorter side; 0 keeps the size
    quality: int
    image_shape: ImageShape
    max_unreadable_share: float
    workers: int


def parse(arguments: Sequence[str] | None) -> Settings:
    """Read the command line.

    Raises:
        JobError: an argument is wrong.
    """
    parser = JobParser(prog="prepare_classification", description=__doc__, allow_abbrev=False)
    parser.add_argument("--input", type=Path, default=contract.processing_path("input", "data"))
    parser.add_argument("--output", type=Path, default=contract.processing_path("output"))
    parser.add_argument("--training-per-class", type=positive, default=60)
    parser.add_argument("--train-ratio", type=share, default=0.0, help="used instead if above 0")
    parser.add_argument("--seed", type=whole_number, default=0, help="of the split")
    parser.add_argument("--resize", type=whole_number, default=256, help="pixels of the shorter side, or 0")
    parser.add_argument("--quality", type=jpeg_quality, default=95, help="JPEG quality")
    parser.add_argument("--image-shape", type=image_shape, default=ImageShape(3, 224, 224))
    parser.add_argument("--max-unreadable-share", type=share, default=0.0)
    parser.add_argument("--workers", type=positive, default=len(os.sched_getaffinity(0)))
    settings = Settings(**vars(parser.parse_args(arguments)))
    needed = max(settings.image_shape.height, settings.image_shape.width)
    if 0 < settings.resize < needed:
        parser.error(
            f"--resize {settings.resize} makes pictures smaller than --image-shape {settings.image_shape}; "
            f"use {needed} or more, or 0 to keep the pictures' sizes"
        )
    return settings


def prepare(settings: Settings) -> None:
    """Do the whole job.

    Raises:
        JobError: something is wrong with the input, or the disk is full.
    """
    with OutputTree(settings.output) as outputs:
        ready = ready_records.find(settings.input)
        if ready:
            prepared = _pass_on(ready, settings, outputs)
        else:
            with _class_folders(settings.input) as root:
                prepared = _pack_tree(folders.scan(root), settings, outputs)
        outputs.commit(REPORT, report(prepared))
    tell(f"done: {prepared.training} training and {prepared.validation} validation pictures")


@contextlib.contextmanager
def _class_folders(folder: Path) -> Iterator[Path]:
    """The folder with the classes; an archive is unpacked for the time of the block, never into the input."""
    packed = folder / ARCHIVE
    if (folder / folders.CALTECH).is_dir():
        yield folder / folders.CALTECH
    elif packed.is_file():
        with tempfile.TemporaryDirectory(prefix="unpacked-") as scratch:
            archive.unpack(packed, Path(scratch), wanted=_is_wanted)
            if not (Path(scratch) / folders.CALTECH).is_dir():
                raise JobError(f"{packed}: holds no {folders.CALTECH}; is it the data set's archive?")
            yield Path(scratch) / folders.CALTECH
    elif folder.is_dir() and any(path.is_dir() for path in folder.iterdir()):
        yield folder
    else:
        there = folders.named(sorted(path.name for path in folder.iterdir())) if folder.is_dir() else ""
        raise JobError(
            f"{folder}: holds neither class folders, {folders.CALTECH}, {ARCHIVE} nor .rec files, but "
            f"{there or 'nothing'}; point the input at the data set"
        )


def _is_wanted(member: str) -> bool:
    return member.split("/")[0] == folders.CALTECH


def _pack_tree(tree: ClassTree, settings: Settings, outputs: OutputTree) -> Prepared:
    rule = SplitRule(
        training_per_class=settings.training_per_class, train_ratio=settings.train_ratio, seed=settings.seed
    )
    pictures = folders.draw_split(tree.classes, rule)
    if tree.strays:
        tell(f"{len(tree.strays)} entries are no pictures of a class: {folders.named(tree.strays)}")
    unreadable = Unreadable(pictures=len(pictures), max_share=settings.max_unreadable_share)
    packed = _pack(tree, _in_writing_order(pictures, settings.seed), settings, outputs, unreadable)
    classes = _count(tree, packed)
    _write_lists(packed, outputs)
    for picture in with_progress(packed.validation, phase="copy", total=len(packed.validation)):
        copy_file(tree.root / picture.path, outputs.stage(f"validation_images/{picture.path}"))
    examples = [(picture.label, tree.root / picture.path) for picture in packed.validation]
    draw_classes(classes, examples, outputs)
    return Prepared(
        source="class folders",
        classes=classes,
        settings=_described(settings),
        inputs={"pictures": packed.sources_sha256},
        skipped=unreadable.faults,
        strays=tree.strays,
    )


def _in_writing_order(pictures: list[Picture], seed: int) -> list[Picture]:
    """Training pictures mixed, because the algorithm reads them in the file's order; then validation."""
    training = [picture for picture in pictures if picture.is_training]
    order = np.random.default_rng(seed).permutation(len(training)).tolist()
    return [training[position] for position in order] + [
        picture for picture in pictures if not picture.is_training
    ]


@dataclass(frozen=True, kw_only=True)
class Packed:
    """What went into the record files, in their order."""

    training: list[Picture]
    validation: list[Picture]
    sources_sha256: str  # over the lines "sha256 path" of all source files


def _pack(
    tree: ClassTree,
    pictures: list[Picture],
    settings: Settings,
    outputs: OutputTree,
    unreadable: Unreadable,
) -> Packed:
    """Decode every picture once and write both record files."""
    requests = [Request(source=tree.root / picture.path, mirrored=False) for picture in pictures]
    encoding = Encoding(shorter_side=settings.resize, quality=settings.quality)
    kept: list[Picture] = []
    sources = hashlib.sha256()
    with (
        contextlib.closing(encode_pictures(requests, encoding, workers=settings.workers)) as results,
        _record_file(outputs, "train") as train,
        _record_file(outputs, "validation") as validation,
    ):
        progress = with_progress(results, phase="pack", total=len(pictures))
        for picture, encoded in zip(pictures, progress, strict=True):
            sources.update(f"{encoded.source_sha256} {picture.path}\n".encode())
            if encoded.fault:
                unreadable.add(picture.path, encoded.fault)
                continue
            size = (encoded.width, encoded.height)
            _check_size(picture.path, size, settings.image_shape, remedy="use --resize or leave it out")
            record = pack_image_record(picture.label, picture.index, encoded.original)
            (train if picture.is_training else validation).write(picture.index, record)
            kept.append(picture)
    return Packed(
        training=[picture for picture in kept if picture.is_training],
        validation=[picture for picture in kept if not picture.is_training],
        sources_sha256=sources.hexdigest(),
    )


def _record_file(outputs: OutputTree, name: str) -> IndexedRecordWriter:
    return IndexedRecordWriter(outputs.stage(f"{name}/{name}.rec"), outputs.stage(f"lists/{name}.idx"))


def _check_size(name: str, size: tuple[int, int], shape: ImageShape, *, remedy: str) -> None:
    """The algorithm fails on a picture that its input cannot be cut out of, after hours perhaps."""
    width, height = size
    if not shape.fits_into(width=width, height=height):
        raise JobError(
            f"{name}: has {width} x {height} pixels, less than the {shape.width} x {shape.height} of "
            f"--image-shape {shape}; {remedy}, or choose a smaller --image-shape"
        )


def _count(tree: ClassTree, packed: Packed) -> list[ClassCount]:
    training = Counter(picture.label for picture in packed.training)
    validation = Counter(picture.label for picture in packed.validation)
    for label, single in enumerate(tree.classes):
        if not training[label] or not validation[label]:
            part = "validation" if training[label] else "training"
            raise JobError(f"class {single.folder} has no {part} picture that can be read; add some")
    return [
        ClassCount(
            name=single.name, folder=single.folder, train=training[label], validation=validation[label]
        )
        for label, single in enumerate(tree.classes)
    ]


def _write_lists(packed: Packed, outputs: OutputTree) -> None:
    for name, pictures in (("train", packed.training), ("validation", packed.validation)):
        rows = [
            ClassificationRow(index=picture.index, label=picture.label, path=picture.path)
            for picture in pictures
        ]
        _write_list(outputs, name, rows)


def _write_list(outputs: OutputTree, name: str, rows: Sequence[ClassificationRow]) -> None:
    write_text(outputs.stage(f"lists/{name}.lst"), "".join(row.line() for row in rows))


def _pass_on(ready: ReadyRecords, settings: Settings, outputs: OutputTree) -> Prepared:
    """Check ready record files and hand them on as they are, the held-out pictures as files too."""
    train = _checked_labels(ready.train, settings)
    validation = _checked_labels(ready.validation, settings)
    ready_records.check_classes(ready, train, validation)
    names = ready_records.class_names(ready, len(train))
    copy_file(ready.train, outputs.stage("train/train.rec"))
    copy_file(ready.validation, outputs.stage("validation/validation.rec"))
    rows, examples = [], []
    for position, (label, path, image) in enumerate(ready_records.pictures(ready.validation)):
        staged = outputs.stage(f"validation_images/{path}")
        with contract.published(staged) as file:
            file.write(image)
        rows.append(ClassificationRow(index=position, label=label, path=path))
        examples.append((label, staged))
    _write_list(outputs, "validation", rows)
    classes = [
        ClassCount(
            name=name, folder=ready_records.folder_of(label), train=train[label], validation=validation[label]
        )
        for label, name in enumerate(names)
    ]
    draw_classes(classes, examples, outputs)
    return Prepared(
        source="ready records",
        classes=classes,
        settings={"image_shape": str(settings.image_shape)},
        inputs={path.name: describe(path)["sha256"] for path in ready.files},
        skipped={},
        strays=(),
    )


def _checked_labels(path: Path, settings: Settings) -> Counter[int]:
    """How many records every class has."""
    labels: Counter[int] = Counter()
    for number, record in enumerate(ready_records.inspect(path, workers=settings.workers), start=1):
        where = f"{path}: record {number}"
        if record.fault:
            raise JobError(f"{where}: {record.fault}; pack the file again")
        size = (record.width, record.height)
        _check_size(where, size, settings.image_shape, remedy="pack the file again from larger pictures")
        labels[record.label] += 1
    return labels


def _described(settings: Settings) -> dict[str, object]:
    """The settings that change the outputs; the number of processes does not."""
    split = (
        {"train_ratio": settings.train_ratio}
        if settings.train_ratio
        else {"training_per_class": settings.training_per_class}
    )
    return {
        **split,
        "seed": settings.seed,
        "resize": settings.resize,
        "quality": settings.quality,
        "image_shape": str(settings.image_shape),
        "max_unreadable_share": settings.max_unreadable_share,
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the job; returns the exit code."""
    return contract.run_processing(lambda: prepare(parse(arguments)))


if __name__ == "__main__":
    sys.exit(main())
