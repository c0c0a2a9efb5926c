"""Processing job: look at every picture that a training will read, and for copies between its channels.

    python -m processing_scripts.jobs.inspect_records

Inputs below /opt/ml/processing/input, in folders such as the preparation writes: train/, validation/ and, if
it is there, train_flipped/, each with one .rec file or all parts of one. Output below
/opt/ml/processing/output:

    inspection.json

Every record is decoded, on all cores. The report says which pictures cannot be, how often every class is
there, the smallest sides, and which pictures of the validation are copies of a training picture: the same,
perhaps scaled, encoded or exposed otherwise, or its mirror image. Faults in the data are its result, not a
failure of the job. Records are counted from 0.
"""

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from processing_scripts import contract
from processing_scripts.arguments import JobParser, positive
from processing_scripts.contract import JobError
from processing_scripts.jobs.channel_inspection import Channel, Pictures, inspect_channel
from processing_scripts.outputs import write_json
from processing_scripts.progress import tell
from processing_scripts.vision.copies import Copy, find_copies
from processing_scripts.vision.parts import find_parts

REPORT = "inspection.json"
VALIDATION = "validation"
TRAININGS = ("train", "train_flipped")
CHANNELS = (*TRAININGS, VALIDATION)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The job's arguments."""

    input: Path
    output: Path
    workers: int


def parse(arguments: Sequence[str] | None) -> Settings:
    """Read the command line.

    Raises:
        JobError: an argument is wrong.
    """
    parser = JobParser(prog="inspect_records", description=__doc__, allow_abbrev=False)
    parser.add_argument("--input", type=Path, default=contract.processing_path("input"))
    parser.add_argument("--output", type=Path, default=contract.processing_path("output"))
    parser.add_argument("--workers", type=positive, default=len(os.sched_getaffinity(0)))
    return Settings(**vars(parser.parse_args(arguments)))


def inspect(settings: Settings) -> None:
    """Do the whole job.

    Raises:
        JobError: there is no channel with records, or one that holds more than one file of them.
    """
    contract.refuse_several_instances("inspect_records")
    parts = {name: _find_parts(settings.input / name) for name in CHANNELS}
    if not any(parts.values()):
        raise JobError(
            f"{settings.input}: holds no .rec file in {' or '.join(f'{name}/' for name in CHANNELS)}"
        )
    channels = {
        name: inspect_channel(name, files, workers=settings.workers) for name, files in parts.items() if files
    }
    report = {
        "channels": {name: _describe(channel) for name, channel in channels.items()},
        "copies": _copies(channels),
    }
    write_json(settings.output / REPORT, report)


def _find_parts(folder: Path) -> list[Path]:
    """The .rec file somewhere below a folder, in its parts; none if there is none.

    Raises:
        JobError: there are several.
    """
    folders = sorted({path.parent for path in folder.rglob("*.rec") if path.is_file()})
    if len(folders) > 1:
        raise JobError(f"{folder}: holds .rec files in {len(folders)} folders; give it one file")
    return find_parts(folders[0], ".rec")[1] if folders else []


def _describe(channel: Channel) -> dict[str, object]:
    return {
        "files": channel.files,
        "records": channel.records,
        "damages": channel.damages,
        "faults": [fault._asdict() for fault in channel.faults],
        "classes": {str(number): channel.classes[number] for number in sorted(channel.classes)},
        "odd_labels": channel.odd_labels,
        "smallest": dict(zip(("width", "height"), channel.smallest, strict=True))
        if channel.smallest
        else None,
        "plain_pictures": int(channel.pictures.fingerprints().are_plain().sum()),
    }


def _copies(channels: Mapping[str, Channel]) -> list[dict[str, object]]:
    """Which pictures of the validation are in which training channel, too."""
    found: list[dict[str, object]] = []
    if VALIDATION not in channels:
        return found
    validation = channels[VALIDATION].pictures
    for name in TRAININGS:
        if name not in channels:
            continue
        training = channels[name].pictures
        known: set[int] = set()
        for is_mirrored in (False, True):
            copies = find_copies(validation.fingerprints(), training.fingerprints(), mirrored=is_mirrored)
            # Of a picture that is its own mirror image nothing more is to be said.
            new = [copy for copy in copies if copy.position not in known]
            known.update(copy.position for copy in new)
            found += [_pair(copy, validation, training, name, is_mirrored=is_mirrored) for copy in new]
            tell(f"{VALIDATION}: {len(new)} {'mirrored ' if is_mirrored else ''}copies of pictures in {name}")
    return found


def _pair(
    copy: Copy, validation: Pictures, training: Pictures, name: str, *, is_mirrored: bool
) -> dict[str, object]:
    mine, other = copy.position, copy.original
    return {
        "channel": name,
        "is_mirrored": is_mirrored,
        "validation_record": validation.numbers[mine],
        "validation_id": validation.ids[mine],
        "training_record": training.numbers[other],
        "training_id": training.ids[other],
        "distance": copy.distance,
        "correlation": round(copy.correlation, 4),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the job; returns the exit code."""
    return contract.run_processing(lambda: inspect(parse(arguments)))


if __name__ == "__main__":
    sys.exit(main())
