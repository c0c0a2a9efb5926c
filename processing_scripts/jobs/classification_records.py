"""The record files of prepare_classification, packed from class folders or passed on."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from processing_scripts import contract
from processing_scripts.arguments import ImageShape
from processing_scripts.contract import JobError
from processing_scripts.datasets import ready_records
from processing_scripts.datasets.folders import Picture
from processing_scripts.datasets.ready_records import ReadyRecords
from processing_scripts.jobs.preparation import record_part
from processing_scripts.outputs import OutputTree, copy_file
from processing_scripts.packing import Encoded, Request, Work
from processing_scripts.sharing import Packed, Packing, pack_share
from processing_scripts.vision.lists import ClassificationRow
from processing_scripts.vision.recordio import pack_image_record


def in_writing_order(pictures: Sequence[Picture], seed: int) -> list[Picture]:
    """Training pictures mixed, because the algorithm reads them in the file's order; then validation."""
    training = [picture for picture in pictures if picture.is_training]
    order = np.random.default_rng(seed).permutation(len(training)).tolist()
    return [training[position] for position in order] + [
        picture for picture in pictures if not picture.is_training
    ]


def pack(
    root: Path, pictures: Sequence[Picture], outputs: OutputTree, packing: Packing, shape: ImageShape
) -> Packed[Picture]:
    """Decode every picture of this instance's share once and write both record files.

    Raises:
        JobError: too many pictures have to be left out, or one is smaller than the shape.
    """
    number, count = packing.host.index + 1, packing.host.count

    def request(picture: Picture) -> Request:
        return Request(source=root / picture.path, work=Work.ENCODE)

    def write(picture: Picture, encoded: Encoded) -> int:
        size = (encoded.width, encoded.height)
        _check_size(picture.path, size, shape, remedy="use --resize or leave it out")
        record = pack_image_record(picture.label, picture.index, encoded.original)
        (train if picture.is_training else validation).write(picture.index, record)
        return len(record)

    with (
        record_part(outputs, "train", "train", number=number, count=count) as train,
        record_part(outputs, "validation", "validation", number=number, count=count) as validation,
    ):
        return pack_share(pictures, request, write, packing)


def pass_on(ready: ReadyRecords, outputs: OutputTree) -> tuple[list[ClassificationRow], list[Path]]:
    """Hand ready record files on as they are, and the held-out pictures as files too.

    Returns:
        The rows of the held-out pictures, and where their files are.
    """
    copy_file(ready.train, outputs.stage("train/train.rec"))
    copy_file(ready.validation, outputs.stage("validation/validation.rec"))
    rows, files = [], []
    for position, (label, path, image) in enumerate(ready_records.pictures(ready.validation)):
        staged = outputs.stage(f"validation_images/{path}")
        with contract.published(staged) as file:
            file.write(image)
        rows.append(ClassificationRow(index=position, label=label, path=path))
        files.append(staged)
    return rows, files


def checked_labels(path: Path, shape: ImageShape, workers: int) -> Counter[int]:
    """How many records of a ready file every class has.

    Raises:
        JobError: a record cannot be used; the message has its number.
    """
    labels: Counter[int] = Counter()
    for number, record in enumerate(ready_records.inspect(path, workers=workers), start=1):
        where = f"{path}: record {number}"
        if record.fault:
            raise JobError(f"{where}: {record.fault}; pack the file again")
        size = (record.width, record.height)
        _check_size(where, size, shape, remedy="pack the file again from larger pictures")
        labels[record.label] += 1
    return labels


def _check_size(name: str, size: tuple[int, int], shape: ImageShape, *, remedy: str) -> None:
    """The algorithm fails on a picture that its input cannot be cut out of, after hours perhaps."""
    width, height = size
    if not shape.fits_into(width=width, height=height):
        raise JobError(
            f"{name}: has {width} x {height} pixels, less than the {shape.width} x {shape.height} of "
            f"--image-shape {shape}; {remedy}, or choose a smaller --image-shape"
        )
