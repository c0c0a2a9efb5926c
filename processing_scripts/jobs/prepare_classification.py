"""Processing job: pictures in class folders become RecordIO files for the built-in Image Classification.

    python -m processing_scripts.jobs.prepare_classification --training-per-class 60

Input: the folder 256_ObjectCategories of Caltech-256, its archive 256_ObjectCategories.tar, class folders of
one's own, or ready record files, *train*.rec and *val*.rec with an optional classes.txt. Outputs:

    train/train.rec             in random order, as the algorithm reads it
    validation/validation.rec   validation_images/ (the held-out files, untouched)
    lists/ (.lst and .idx)      report/report.json, details.json, outputs.json, classes.png

Ready record files are checked and passed on unchanged; of lists they get validation.lst alone, because
records carry no file names.

On several instances .rec and .idx files come in parts, train-00001-of-00002.rec and so on, which
processing_scripts.jobs.join_records puts together; report/outputs.json comes in as many parts as there are
instances. Ready record files are passed on whole.
"""

import contextlib
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from processing_scripts import contract
from processing_scripts.contract import Host, JobError
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
from processing_scripts.jobs.classification_records import checked_labels, in_writing_order, pack, pass_on
from processing_scripts.jobs.classification_report import (
    ClassCount,
    Prepared,
    details,
    draw_classes,
    report,
)
from processing_scripts.jobs.preparation import commit, copy_held_out, tell_done, write_list, write_report
from processing_scripts.outputs import OutputTree, describe
from processing_scripts.packing import Encoding
from processing_scripts.progress import tell
from processing_scripts.sharing import Packed, Packing, Split
from processing_scripts.unreadable import Unreadable
from processing_scripts.vision.lists import ClassificationRow

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
    """Do the whole job, or this instance's share of it.

    Raises:
        JobError: something is wrong with the input, or the disk is full.
    """
    host = contract.processing_host()
    with OutputTree(settings.output) as outputs:
        ready = ready_records.find(settings.input)
        if ready:
            counts = _pass_on(ready, settings, outputs, host)
        else:
            with _class_folders(settings.input) as root:
                counts = _pack_tree(folders.scan(root), settings, outputs, host)
        commit(outputs, host)
    tell_done(*counts, host)


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


# Pictures for training and held-out ones.
Counts = tuple[int, int]


def _pass_on(ready: ReadyRecords, settings: Settings, outputs: OutputTree, host: Host) -> Counts:
    """Check ready record files and hand them on; nothing is encoded, so there is nothing to share."""
    if not host.is_first:
        return 0, 0
    shape, workers = settings.image_shape, settings.workers
    train = checked_labels(ready.train, shape, workers)
    validation = checked_labels(ready.validation, shape, workers)
    ready_records.check_classes(ready, train, validation)
    names = ready_records.class_names(ready, len(train))
    rows, files = pass_on(ready, outputs)
    write_list(outputs, "validation", rows)
    prepared = Prepared(
        source="ready records",
        classes=[
            ClassCount(
                name=name,
                folder=ready_records.folder_of(label),
                train=train[label],
                validation=validation[label],
            )
            for label, name in enumerate(names)
        ],
        examples=[(row.label, file) for row, file in zip(rows, files, strict=True)],
        settings={"image_shape": str(shape)},
        inputs={path.name: describe(path)["sha256"] for path in ready.files},
        skipped={},
        strays=(),
    )
    _describe(prepared, outputs)
    return prepared.training, prepared.validation


def _pack_tree(tree: ClassTree, settings: Settings, outputs: OutputTree, host: Host) -> Counts:
    """Pack this instance's share of the pictures; the first one also describes the whole data set."""
    rule = SplitRule(
        training_per_class=settings.training_per_class, train_ratio=settings.train_ratio, seed=settings.seed
    )
    pictures = in_writing_order(folders.draw_split(tree.classes, rule), settings.seed)
    if tree.strays:
        tell(f"{len(tree.strays)} entries are no pictures of a class: {folders.named(tree.strays)}")
    packing = Packing(
        host=host,
        encoding=Encoding(shorter_side=settings.resize, quality=settings.quality),
        workers=settings.workers,
        unreadable=Unreadable(pictures=len(pictures), max_share=settings.max_unreadable_share),
        output=settings.output,
    )
    packed = pack(tree, pictures, outputs, packing, settings.image_shape)
    if host.is_first:
        _write_lists(packed.known, outputs)
        _describe(_prepared(tree, packed, packing.unreadable, settings), outputs)
    held_out = packed.here.validation
    copy_held_out([(picture.path, tree.root / picture.path) for picture in held_out], outputs)
    return len(packed.here.training), len(held_out)


def _write_lists(packed: Split[Picture], outputs: OutputTree) -> None:
    for name, pictures in (("train", packed.training), ("validation", packed.validation)):
        rows = [
            ClassificationRow(index=picture.index, label=picture.label, path=picture.path)
            for picture in pictures
        ]
        write_list(outputs, name, rows)


def _prepared(
    tree: ClassTree, packed: Packed[Picture], unreadable: Unreadable, settings: Settings
) -> Prepared:
    return Prepared(
        source="class folders",
        classes=_count(tree, packed.known),
        examples=[(picture.label, tree.root / picture.path) for picture in packed.known.validation],
        settings=_described(settings),
        inputs={"pictures": packed.sources_sha256},
        skipped=unreadable.faults,
        strays=tree.strays,
    )


def _count(tree: ClassTree, packed: Split[Picture]) -> list[ClassCount]:
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


def _describe(prepared: Prepared, outputs: OutputTree) -> None:
    draw_classes(prepared, outputs)
    write_report(report(prepared), details(prepared), outputs)


def _described(settings: Settings) -> dict[str, object]:
    """The settings that change the outputs; the number of workers does not."""
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
