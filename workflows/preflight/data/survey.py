"""What a channel's data hold, in one pass over them."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from workflows.preflight.data.lists import read_list
from workflows.preflight.data.pictures import size_of
from workflows.preflight.data.records import BadData, Sample, read_records

# More of one kind say no more.
_MOST_FAULTS = 5
_HEADER, _OBJECT = 2, 5  # fewest numbers of a detection label's header, and of each of its objects


@dataclass
class Survey:
    """Everything that the rules ask of one channel's data."""

    file: Path
    samples: int = 0
    classes: Counter[int] = field(default_factory=Counter)  # class -> labels with it
    widest: int = 0  # numbers in the longest label
    smallest: tuple[int, int] | None = None  # of all pictures, the smallest width and the smallest height
    pictures: dict[int, bytes] = field(default_factory=dict)  # record -> digest of its picture's bytes
    no_pictures: set[int] = field(default_factory=set)  # records that hold neither JPEG nor PNG
    faults: dict[str, list[str]] = field(default_factory=dict)  # kind -> what is wrong, with its place

    def shared_with(self, other: "Survey") -> set[int]:
        """The records whose pictures the other one has, too, byte by byte."""
        theirs = set(other.pictures.values())
        return {record for record, digest in self.pictures.items() if digest in theirs}

    def fault(self, kind: str, text: str) -> None:
        """Note what is wrong; of many of one kind, the first."""
        noted = self.faults.setdefault(kind, [])
        if len(noted) < _MOST_FAULTS:
            noted.append(text)


UNREADABLE, LAYOUT, BOXES, CLASSES = "unreadable", "layout", "boxes", "classes"


def find_data(folder: Path) -> Path | None:
    """The .rec file below a folder, else the .lst file; None if there are none or several of that kind."""
    for suffix in (".rec", ".lst"):
        found = sorted(folder.rglob(f"*{suffix}"))
        if found:
            return found[0] if len(found) == 1 else None
    return None


def survey(file: Path, *, is_detection: bool) -> Survey:
    """Read a channel's data once."""
    result = Survey(file=file)
    read: Callable[[Path], Iterator[Sample]] = read_records if file.suffix == ".rec" else read_list
    note = _note_objects if is_detection else _note_class
    try:
        for sample in read(file):
            result.widest = max(result.widest, len(sample.label))
            note(result, sample)
            if sample.picture is not None:
                _note_picture(result, sample.picture, sample.place)
            result.samples += 1
    except (BadData, OSError) as error:
        result.fault(UNREADABLE, str(error))
    return result


def _note_class(result: Survey, sample: Sample) -> None:
    if len(sample.label) != 1:
        result.fault(LAYOUT, f"{sample.place}: its label has {len(sample.label)} numbers; a class is one")
        return
    _note_classes(result, sample.label, sample.place)


def _note_objects(result: Survey, sample: Sample) -> None:
    label = sample.label
    header, width = (int(label[0]), int(label[1])) if len(label) > 1 and _are_whole(label[:2]) else (0, 0)
    if header < _HEADER or width < _OBJECT or len(label) < header or (len(label) - header) % width:
        result.fault(
            LAYOUT,
            f"{sample.place}: its label begins with {_shown(label[:2])} and has {len(label)} numbers, not "
            "2, 5 and five numbers for each object",
        )
        return
    for start in range(header, len(label), width):
        _note_classes(result, label[start : start + 1], sample.place)
        left, top, right, bottom = label[start + 1 : start + 5]
        if not (0 <= left < right <= 1 and 0 <= top < bottom <= 1):
            result.fault(
                BOXES, f"{sample.place}: the box {_shown((left, top, right, bottom))} is empty or not inside"
            )


def _note_classes(result: Survey, numbers: Iterable[float], place: str) -> None:
    for number in numbers:
        if number < 0 or not _are_whole((number,)):
            result.fault(CLASSES, f"{place}: {number:g} is no class; they are 0, 1, 2 …")
        else:
            result.classes[int(number)] += 1


def _note_picture(result: Survey, picture: bytes, place: str) -> None:
    size = size_of(picture)
    if size is None:
        result.fault(UNREADABLE, f"{place}: holds no JPEG or PNG")
        result.no_pictures.add(result.samples)
        return
    smallest = result.smallest or size
    result.smallest = (min(smallest[0], size[0]), min(smallest[1], size[1]))
    result.pictures[result.samples] = hashlib.blake2b(picture, digest_size=16).digest()


def _are_whole(numbers: Iterable[float]) -> bool:
    return all(float(number).is_integer() for number in numbers)


def _shown(numbers: Iterable[float]) -> str:
    return ", ".join(f"{number:.4g}" for number in numbers)
