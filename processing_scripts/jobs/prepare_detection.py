"""Processing job: CUB-200-2011 becomes RecordIO files for the built-in Object Detection, and a report.

    python -m processing_scripts.jobs.prepare_detection --classes 17,36,47,68,73

Input: the folder CUB_200_2011 or CUB_200_2011.tgz. Outputs, each in a folder of its own, so that a training
channel holds exactly one .rec file:

    train/train.rec             train_flipped/train.rec (originals, then their mirror images)
    validation/validation.rec   validation_images/ (the held-out files, untouched)
    lists/ (.lst and .idx)      report/report.json, details.json, outputs.json, species.png

On several instances .rec and .idx files come in parts, train-00001-of-00002.rec and so on, which
processing_scripts.jobs.join_records puts together; report/outputs.json comes in as many parts as there are
instances.
"""

import contextlib
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
from processing_scripts.datasets.annotations import annotate
from processing_scripts.jobs.arguments import JobParser, jpeg_quality, positive, share, whole_number
from processing_scripts.jobs.detection_records import BOTH, pack
from processing_scripts.jobs.detection_report import Counts, Prepared, details, draw_species, report
from processing_scripts.jobs.preparation import commit, copy_held_out, tell_done, write_list, write_report
from processing_scripts.outputs import OutputTree
from processing_scripts.packing import Encoding
from processing_scripts.sharing import Packing
from processing_scripts.unreadable import Unreadable

ARCHIVE = f"{cub.FOLDER}.tgz"


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
    """Do the whole job, or this instance's share of it.

    Raises:
        JobError: something is wrong with the input, or the disk is full.
    """
    host = contract.processing_host()
    with _data_set(settings.input) as folder, OutputTree(settings.output) as outputs:
        data = cub.load(folder)
        class_ids = cub.choose_classes(data.class_names, settings.classes)
        pictures = _split(cub.select(data, class_ids), settings)
        names = {class_id: data.class_names[class_id] for class_id in class_ids}
        _check_split(_counts(pictures, names), "")
        packing = Packing(
            host=host,
            encoding=Encoding(shorter_side=settings.resize, quality=settings.quality),
            workers=settings.workers,
            unreadable=Unreadable(pictures=len(pictures), max_share=settings.max_unreadable_share),
            output=settings.output,
        )
        annotations = annotate(data, pictures, packing.unreadable)
        packed = pack(annotations.entries, outputs, packing)
        if host.is_first:
            prepared = Prepared(
                names=names,
                packed=packed.known,
                settings=_described(settings, class_ids),
                inputs={**data.digests(), "pictures": packed.sources_sha256},
                clipped_boxes=annotations.clipped_boxes,
                skipped=packing.unreadable.faults,
            )
            _describe(prepared, outputs)
        copy_held_out([(entry.path, entry.source) for entry in packed.here.validation], outputs)
        commit(outputs, host)
    tell_done(len(packed.here.training), len(packed.here.validation), host)


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


def _describe(prepared: Prepared, outputs: OutputTree) -> None:
    """Write everything that is about the whole data set."""
    _check_split(prepared.counts, " that can be read")
    originals = [entry.original for entry in prepared.packed.training]
    write_list(outputs, "train", originals)
    write_list(outputs, BOTH, originals + [entry.flipped for entry in prepared.packed.training])
    write_list(outputs, "validation", [entry.original for entry in prepared.packed.validation])
    draw_species(prepared, outputs)
    write_report(report(prepared), details(prepared), outputs)


def _described(settings: Settings, class_ids: list[int]) -> dict[str, object]:
    """The settings that change the outputs; the number of workers does not."""
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
