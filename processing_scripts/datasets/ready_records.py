"""RecordIO files that somebody else packed: one for training, one for validation, one class per record."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from processing_scripts.contract import JobError
from processing_scripts.datasets.folders import class_name, named
from processing_scripts.outputs import is_safe_relative
from processing_scripts.parallel import map_in_order
from processing_scripts.progress import with_progress
from processing_scripts.vision.images import ImageError, decode_image
from processing_scripts.vision.recordio import RecordReader, unpack_image_record

NAMES = "classes.txt"
_PNG_SIGNATURE = b"\x89PNG"


@dataclass(frozen=True, kw_only=True)
class ReadyRecords:
    """The files of such an input."""

    train: Path
    validation: Path
    names: Path | None  # one class name per line, in the order of the labels

    @property
    def files(self) -> list[Path]:
        """All of them."""
        return [path for path in (self.train, self.validation, self.names) if path]


@dataclass(frozen=True, kw_only=True)
class Record:
    """What is known of one record: a class and a size, or a fault."""

    label: int = 0
    width: int = 0  # pixels
    height: int = 0
    fault: str | None = None


def find(folder: Path) -> ReadyRecords | None:
    """The record files in the folder or in the folders in it; None if there is no record file.

    Raises:
        JobError: it is not one file for training and one for validation.
    """
    found = sorted([*folder.glob("*.rec"), *folder.glob("*/*.rec")])
    if not found:
        return None
    names = {path: path.relative_to(folder).as_posix() for path in found}
    # A name such as train/caltech-256-60-train.rec tells what the file is for.
    train = [path for path, name in names.items() if "train" in name.lower()]
    validation = [path for path, name in names.items() if "val" in name.lower()]
    if len(found) != 2 or len(train) != 1 or len(validation) != 1 or train == validation:
        raise JobError(
            f"{folder}: holds {named(list(names.values()))}; give it one .rec file with 'train' in its name "
            "and one with 'val'"
        )
    classes = folder / NAMES
    return ReadyRecords(
        train=train[0], validation=validation[0], names=classes if classes.is_file() else None
    )


def inspect(path: Path, *, workers: int) -> Iterator[Record]:
    """Decode every record of a file; the records come in the file's order.

    Raises:
        RecordError: the file is damaged between records.
    """
    records = map_in_order(_inspect, RecordReader(path), workers=workers)
    return with_progress(records, phase=f"check {path.name}", unit="records")


def _inspect(payload: bytes) -> Record:
    try:
        label, _, image = unpack_image_record(payload)
        if len(label) != 1:
            raise ValueError(f"has {len(label)} label numbers, not one class; was it packed for detection?")
        number = float(label[0])
        if not (number >= 0 and number.is_integer()):
            raise ValueError(f"has the class {number:g}, not one of 0, 1, 2 ...")
        height, width = decode_image(image, source="its picture").shape[:2]
    except ImageError as error:
        return Record(fault=str(error).replace(":", "", 1))
    except ValueError as error:
        return Record(fault=str(error))
    return Record(label=int(number), width=width, height=height)


def check_classes(records: ReadyRecords, train: Counter[int], validation: Counter[int]) -> None:
    """Check that training has the classes 0, 1, 2 ... and validation no others.

    Raises:
        JobError: a class is missing or unknown.
    """
    if not train or not validation:
        empty = records.validation if train else records.train
        raise JobError(f"{empty}: has no records")
    missing = sorted(set(range(max(train) + 1)) - set(train))
    if missing:
        raise JobError(
            f"{records.train}: has class {max(train)}, but no record of class "
            f"{named(list(map(str, missing)))}; classes must be successive from 0"
        )
    unknown = sorted(set(validation) - set(train))
    if unknown:
        raise JobError(
            f"{records.validation}: has class {named(list(map(str, unknown)))}, of which "
            f"{records.train.name} has no record"
        )


def class_names(records: ReadyRecords, count: int) -> list[str]:
    """The names in classes.txt, or "class 0" and so on without that file.

    Raises:
        JobError: not that many names, or a name twice.
    """
    if records.names is None:
        return [f"class {number}" for number in range(count)]
    try:
        lines = records.names.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise JobError(f"{records.names}: not UTF-8 text: {error}") from None
    names = [class_name(line.strip()) for line in lines if line.strip()]
    if len(names) != count:
        raise JobError(f"{records.names}: has {len(names)} names, the records have {count} classes")
    for row, name in enumerate(names, start=1):
        if not is_safe_relative(name) or name in names[: row - 1]:
            raise JobError(f"{records.names}: row {row}: '{name}' is unprintable or stands in an earlier row")
    return names


def pictures(path: Path) -> Iterator[tuple[int, str, bytes]]:
    """Label, a relative path to keep the picture under, and the encoded picture of every record.

    The path is made of the class and the record's position, as records carry no file names.
    """
    for position, payload in enumerate(RecordReader(path)):
        label, _, image = unpack_image_record(payload)
        number = int(label[0])
        suffix = ".png" if image.startswith(_PNG_SIGNATURE) else ".jpg"
        yield number, f"{folder_of(number)}/{position:06d}{suffix}", image


def folder_of(label: int) -> str:
    """The folder that the pictures of a class are kept in."""
    return f"class_{label:03d}"
