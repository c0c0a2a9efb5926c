"""Processing job: pictures in class folders become RecordIO files for the built-in Image Classification.

    python -m processing_scripts.jobs.prepare_classification --training-per-class 60

Input: the folder 256_ObjectCategories of Caltech-256, its archive 256_ObjectCategories.tar, class folders of
one's own, a CSV file with the columns path,class and perhaps split, or ready record files, *train*.rec and
*val*.rec with an optional classes.txt. docs/own-pictures.md describes them. Outputs:

    train/train.rec             in random order, as the algorithm reads it
    validation/validation.rec   validation_images/ (the held-out files, untouched)
    lists/ (.lst and .idx)      report/report.json, details.json, outputs.json, classes.png

Ready record files are checked and passed on unchanged; of lists they get validation.lst alone, because
records carry no file names.

With --labels many a picture of a CSV file may have several classes: its label is then a 0 or 1 for each
class, as the algorithm wants it with multi_label=1. The pipelines do not go on from such records: they train
with one class a picture, and the evaluation scores one.

On several instances .rec and .idx files come in parts, train-00001-of-00002.rec and so on, which
processing_scripts.jobs.join_records puts together; report/outputs.json comes in as many parts as there are
instances. Ready record files are passed on whole.
"""

import contextlib
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from processing_scripts import contract
from processing_scripts.arguments import (
    ImageShape,
    JobParser,
    add_packing_arguments,
    image_shape,
    positive,
    share,
    whole_number,
)
from processing_scripts.contract import Host, JobError
from processing_scripts.datasets import archive, folders, label_table, ready_records
from processing_scripts.datasets.folders import ClassTree, Picture, SplitRule
from processing_scripts.datasets.label_table import LabelTable
from processing_scripts.datasets.ready_records import ReadyRecords
from processing_scripts.jobs.classification_records import checked_labels, in_writing_order, pack, pass_on
from processing_scripts.jobs.classification_report import (
    ClassCount,
    Prepared,
    details,
    draw_classes,
    report,
)
from processing_scripts.jobs.preparation import (
    PackingSettings,
    commit,
    copy_held_out,
    packing_described,
    packing_of,
    tell_done,
    write_list,
    write_report,
)
from processing_scripts.outputs import OutputTree, describe
from processing_scripts.progress import tell
from processing_scripts.sharing import Packed, Split
from processing_scripts.vision.lists import ClassificationRow, MultiLabelRow

ARCHIVE = f"{folders.CALTECH}.tar"


@dataclass(frozen=True, kw_only=True)
class Settings(PackingSettings):
    """The job's arguments."""

    input: Path
    labels: str  # one or many
    training_per_class: int
    train_ratio: float  # used instead if above 0
    seed: int
    image_shape: ImageShape


def parse(arguments: Sequence[str] | None) -> Settings:
    """Read the command line.

    Raises:
        JobError: an argument is wrong.
    """
    parser = JobParser(prog="prepare_classification", description=__doc__, allow_abbrev=False)
    parser.add_argument("--input", type=Path, default=contract.processing_path("input", "data"))
    parser.add_argument("--output", type=Path, default=contract.processing_path("output"))
    parser.add_argument(
        "--labels",
        choices=(label_table.ONE, label_table.MANY),
        default=label_table.ONE,
        help="classes of a picture in a CSV file",
    )
    parser.add_argument("--training-per-class", type=positive, default=60)
    parser.add_argument("--train-ratio", type=share, default=0.0, help="used instead if above 0")
    parser.add_argument("--seed", type=whole_number, default=0, help="of the split")
    parser.add_argument("--resize", type=whole_number, default=256, help="pixels of the shorter side, or 0")
    parser.add_argument("--image-shape", type=image_shape, default=ImageShape(3, 224, 224))
    add_packing_arguments(parser)
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
        tables = label_table.find(settings.input)
        ready = None if tables else ready_records.find(settings.input)
        if settings.labels == label_table.MANY and not tables:
            raise JobError(f"{settings.input}: holds no .csv file with a column path, as --labels many needs")
        if tables:
            counts = _pack_table(
                label_table.load(settings.input, tables, settings.labels), settings, outputs, host
            )
        elif ready:
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
            f"{there or 'nothing'}; point the input at the data set, or put a .csv file with the columns "
            "path,class into it"
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
        training=train.total(),
        validation=validation.total(),
    )
    _describe(prepared, outputs)
    return prepared.training, prepared.validation


def _rule(settings: Settings) -> SplitRule:
    return SplitRule(
        training_per_class=settings.training_per_class, train_ratio=settings.train_ratio, seed=settings.seed
    )


def _pack_tree(tree: ClassTree, settings: Settings, outputs: OutputTree, host: Host) -> Counts:
    """Pack this instance's share of the pictures; the first one also describes the whole data set."""
    pictures = in_writing_order(folders.draw_split(tree.classes, _rule(settings)), settings.seed)
    if tree.strays:
        tell(f"{len(tree.strays)} entries are no pictures of a class: {folders.named(tree.strays)}")
    packing = packing_of(settings, pictures=len(pictures), host=host)
    packed = pack(tree.root, pictures, outputs, packing, settings.image_shape)
    if host.is_first:
        _write_lists(packed.known, outputs)
        names = {single.folder: single.name for single in tree.classes}
        prepared = Prepared(
            source="class folders",
            classes=[
                ClassCount(name=names[folder], folder=folder, train=train, validation=validation)
                for folder, (train, validation) in _count(list(names), packed.known).items()
            ],
            examples=_examples(packed.known, tree.root),
            settings=_described(settings, _split_of(settings)),
            inputs={"pictures": packed.sources_sha256},
            skipped=packing.unreadable.faults,
            strays=tree.strays,
            training=len(packed.known.training),
            validation=len(packed.known.validation),
        )
        _describe(prepared, outputs)
    return _copy_held_out(packed, tree.root, outputs)


def _pack_table(table: LabelTable, settings: Settings, outputs: OutputTree, host: Host) -> Counts:
    """Pack this instance's share of the pictures; the first one also describes the whole data set."""
    tell(f"reads {', '.join(table.inputs)}")
    pictures = label_table.split_and_order(table, _rule(settings))
    packing = packing_of(settings, pictures=len(pictures), host=host)
    packed = pack(table.folder, pictures, outputs, packing, settings.image_shape)
    if host.is_first:
        _write_lists(packed.known, outputs)
        split = {"split": "of the table"} if table.has_split else _split_of(settings)
        counts = _count(table.class_names, packed.known)
        prepared = Prepared(
            source="table",
            classes=[
                ClassCount(name=name, folder=None, train=train, validation=validation)
                for name, (train, validation) in counts.items()
            ],
            examples=_examples(packed.known, table.folder),
            settings=_described(settings, {"labels": settings.labels, **split}),
            inputs={**table.inputs, "pictures": packed.sources_sha256},
            skipped=packing.unreadable.faults,
            strays=(),
            training=len(packed.known.training),
            validation=len(packed.known.validation),
            has_many=table.has_many,
        )
        _describe(prepared, outputs)
    return _copy_held_out(packed, table.folder, outputs)


def _copy_held_out(packed: Packed[Picture], root: Path, outputs: OutputTree) -> Counts:
    held_out = packed.here.validation
    copy_held_out([(picture.path, root / picture.path) for picture in held_out], outputs)
    return len(packed.here.training), len(held_out)


def _write_lists(packed: Split[Picture], outputs: OutputTree) -> None:
    for name, pictures in (("train", packed.training), ("validation", packed.validation)):
        write_list(outputs, name, map(_row, pictures))


def _row(picture: Picture) -> ClassificationRow | MultiLabelRow:
    index, label, path = picture.index, picture.label, picture.path
    if isinstance(label, tuple):
        return MultiLabelRow(index=index, label=label, path=path)
    return ClassificationRow(index=index, label=label, path=path)


def _examples(packed: Split[Picture], root: Path) -> list[tuple[int, Path]]:
    return [(label, root / picture.path) for picture in packed.validation for label in _classes_of(picture)]


def _classes_of(picture: Picture) -> list[int]:
    if isinstance(picture.label, int):
        return [picture.label]
    return [number for number, is_present in enumerate(picture.label) if is_present]


def _count(names: Sequence[str], packed: Split[Picture]) -> dict[str, tuple[int, int]]:
    """How many pictures for training and how many held-out ones every class has."""
    training = Counter(label for picture in packed.training for label in _classes_of(picture))
    validation = Counter(label for picture in packed.validation for label in _classes_of(picture))
    for label, name in enumerate(names):
        if not training[label] or not validation[label]:
            part = "validation" if training[label] else "training"
            raise JobError(f"class {name} has no {part} picture that can be read; add some")
    return {name: (training[label], validation[label]) for label, name in enumerate(names)}


def _describe(prepared: Prepared, outputs: OutputTree) -> None:
    draw_classes(prepared, outputs)
    write_report(report(prepared), details(prepared), outputs)


def _split_of(settings: Settings) -> dict[str, object]:
    if settings.train_ratio:
        return {"train_ratio": settings.train_ratio}
    return {"training_per_class": settings.training_per_class}


def _described(settings: Settings, split: dict[str, object]) -> dict[str, object]:
    """The settings that change the outputs; the number of workers does not."""
    return {
        **split,
        "seed": settings.seed,
        **packing_described(settings),
        "image_shape": str(settings.image_shape),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the job; returns the exit code."""
    return contract.run_processing(lambda: prepare(parse(arguments)))


if __name__ == "__main__":
    sys.exit(main())
