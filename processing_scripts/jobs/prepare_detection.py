"""Processing job: annotated pictures become RecordIO files for the built-in Object Detection, and a report.

    python -m processing_scripts.jobs.prepare_detection --classes 17,36,47,68,73

Input: a data set in one of these formats, which the job tells by what lies in the folder.

    cub     CUB_200_2011 or CUB_200_2011.tgz
    coco    annotations/instances_train*.json and instances_val*.json, or one .json file
    voc     Annotations/*.xml, with ImageSets/Main/train.txt and val.txt or without
    csv     a .csv file with path,class,xmin,ymin,xmax,ymax and perhaps split, difficult, crowd, width, height

docs/own-pictures.md describes them. Outputs, each in a folder of its own, so that a training channel holds
exactly one .rec file:

    train/train.rec             train_flipped/train.rec (originals, then their mirror images)
    validation/validation.rec   validation_images/ (the held-out files, untouched)
    lists/ (.lst and .idx)      report/report.json, details.json, outputs.json, species.png

On several instances .rec and .idx files come in parts, train-00001-of-00002.rec and so on, which
processing_scripts.jobs.join_records puts together; report/outputs.json comes in as many parts as there are
instances.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np

from processing_scripts import contract
from processing_scripts.arguments import JobParser, add_packing_arguments, positive, share, whole_number
from processing_scripts.contract import JobError
from processing_scripts.datasets import detection_formats
from processing_scripts.datasets.annotations import annotate
from processing_scripts.datasets.classes import read_class_map
from processing_scripts.datasets.detection import (
    Choice,
    Chosen,
    DetectionSet,
    choose,
    merge_classes,
)
from processing_scripts.datasets.tables import TRAINING
from processing_scripts.jobs.detection_records import BOTH, pack
from processing_scripts.jobs.detection_report import Counts, Prepared, details, draw_species, report
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
from processing_scripts.outputs import OutputTree
from processing_scripts.progress import tell

NO_CLASS_MAP = "none"


@dataclass(frozen=True, kw_only=True)
class Settings(PackingSettings):
    """The job's arguments."""

    input: Path
    format: str  # one of detection_formats.NAMES
    classes: str
    class_map: str  # a file in the input folder, or none
    crowd: str  # drop or keep
    difficult: str  # train, keep or drop
    split: str  # recommended or random
    train_ratio: float
    seed: int


def parse(arguments: Sequence[str] | None) -> Settings:
    """Read the command line.

    Raises:
        JobError: an argument is wrong.
    """
    parser = JobParser(prog="prepare_detection", description=__doc__, allow_abbrev=False)
    parser.add_argument("--input", type=Path, default=contract.processing_path("input", "data"))
    parser.add_argument("--output", type=Path, default=contract.processing_path("output"))
    parser.add_argument("--format", choices=detection_formats.NAMES, default=detection_formats.AUTO)
    parser.add_argument("--classes", default="17,36,47,68,73", help='ids, names, or "all"')
    parser.add_argument(
        "--class-map", default=NO_CLASS_MAP, help="CSV file with columns from,to in the input folder, or none"
    )
    parser.add_argument(
        "--crowd", choices=("drop", "keep"), default="drop", help="boxes around many objects at once"
    )
    parser.add_argument(
        "--difficult",
        choices=("train", "keep", "drop"),
        default="train",
        help="objects marked as difficult: train with them but do not ask for them, keep or drop them",
    )
    parser.add_argument("--split", choices=("recommended", "random"), default="recommended")
    parser.add_argument("--train-ratio", type=share, default=0.8, help="for --split random")
    parser.add_argument("--seed", type=whole_number, default=0, help="for --split random")
    parser.add_argument("--resize", type=positive, default=256, help="pixels of the shorter side")
    add_packing_arguments(parser)
    return Settings(**vars(parser.parse_args(arguments)))


def prepare(settings: Settings) -> None:
    """Do the whole job, or this instance's share of it.

    Raises:
        JobError: something is wrong with the input, or the disk is full.
    """
    host = contract.processing_host()
    with (
        detection_formats.opened(settings.input, settings.format) as data,
        OutputTree(settings.output) as outputs,
    ):
        chosen = _choose(data, settings)
        packing = packing_of(settings, pictures=len(chosen.pictures), host=host)
        annotations = annotate(chosen, packing.unreadable)
        packed = pack(annotations.entries, outputs, packing)
        if host.is_first:
            prepared = Prepared(
                chosen=chosen,
                annotations=annotations,
                packed=packed.known,
                settings=_described(settings, chosen),
                inputs={**chosen.data.inputs, "pictures": packed.sources_sha256},
                skipped=packing.unreadable.faults,
            )
            _describe(prepared, outputs)
        copy_held_out([(entry.path, entry.source) for entry in packed.here.validation], outputs)
        commit(outputs, host)
    tell_done(len(packed.here.training), len(packed.here.validation), host)


def _choose(data: DetectionSet, settings: Settings) -> Chosen:
    """The pictures and objects that the settings mean, after a look at whether every class has some."""
    if settings.class_map != NO_CLASS_MAP:
        # An absolute path stays what it is.
        data = merge_classes(data, read_class_map(settings.input / settings.class_map))
    choice = Choice(
        classes=settings.classes,
        split=settings.split,
        train_ratio=settings.train_ratio,
        seed=settings.seed,
        crowd=settings.crowd,
        difficult=settings.difficult,
    )
    chosen = choose(data, choice)
    left_out = ", ".join(
        f"{count} {what.replace('_', ' ')}" for what, count in chosen.left_out.items() if count
    )
    if left_out:
        tell(f"left out with --classes {settings.classes}: {left_out}")
    if chosen.pictures.empty:
        raise JobError(f"{settings.input}: no picture has an object of --classes {settings.classes}")
    _check_split(_counts(chosen), "")
    return chosen


def _counts(chosen: Chosen) -> Counts:
    pairs = chosen.objects[["picture", "class_number"]].drop_duplicates()
    is_training = chosen.pictures["is_training"].to_numpy()[pairs["picture"].to_numpy()] == TRAINING
    numbers, classes = pairs["class_number"].to_numpy(), len(chosen.class_ids)
    training = np.bincount(numbers[is_training], minlength=classes).tolist()
    validation = np.bincount(numbers[~is_training], minlength=classes).tolist()
    return dict(zip(chosen.names.values(), zip(training, validation, strict=True), strict=True))


def _check_split(counts: Counts, condition: str) -> None:
    for name, (training, validation) in counts.items():
        if not training or not validation:
            part = "validation" if training else "training"
            raise JobError(f"class {name} has no {part} picture{condition}; leave it out or change --split")


def _describe(prepared: Prepared, outputs: OutputTree) -> None:
    """Write everything that is about the whole data set."""
    _check_split(prepared.counts, " that can be read")
    packed = prepared.packed
    write_list(outputs, "train", (entry.original for entry in packed.training))
    flipped = (entry.flipped for entry in packed.training)
    write_list(outputs, BOTH, chain((entry.original for entry in packed.training), flipped))
    write_list(outputs, "validation", (entry.original for entry in packed.validation))
    draw_species(prepared, outputs)
    write_report(report(prepared), details(prepared), outputs)


def _described(settings: Settings, chosen: Chosen) -> dict[str, object]:
    """The settings that change the outputs; the number of workers does not."""
    described: dict[str, object] = {
        "classes": chosen.class_ids if chosen.data.class_names.has_ids else list(chosen.names.values()),
        "split": settings.split,
        **packing_described(settings),
    }
    if chosen.data.format != detection_formats.CUB:
        described |= {
            "format": chosen.data.format,
            "crowd": settings.crowd,
            "difficult": settings.difficult,
        }
    if settings.class_map != NO_CLASS_MAP:
        described |= {"class_map": settings.class_map}
    if settings.split == "random":
        described |= {"train_ratio": settings.train_ratio, "seed": settings.seed}
    return described


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the job; returns the exit code."""
    return contract.run_processing(lambda: prepare(parse(arguments)))


if __name__ == "__main__":
    sys.exit(main())
