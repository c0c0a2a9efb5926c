"""What `processing_scripts.jobs.inspect_records` has found: the two sides meet in its report."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

VALIDATION = "validation"
# The channels of a preparation that a training may read, and the job looks into.
CHANNELS = ("train", "train_flipped", VALIDATION)


class BadReport(Exception):
    """The file is no report of that job."""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """A record whose picture cannot be decoded."""

    record: int  # from 0
    fault: str


@dataclass(frozen=True, kw_only=True)
class InspectedChannel:
    """One channel."""

    file: str
    records: int
    faults: tuple[Fault, ...]


@dataclass(frozen=True, kw_only=True)
class Copy:
    """A picture of the validation that is in a training channel, too, though not with the same bytes."""

    channel: str
    is_mirrored: bool
    validation_record: int  # from 0
    training_record: int
    distance: int  # bits of 64 in which the perceptual hashes differ

    def __str__(self) -> str:
        return (
            f"record {self.validation_record} and record {self.training_record} of {self.channel} "
            f"({self.distance} bits)"
        )


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """All of it."""

    channels: Mapping[str, InspectedChannel]
    copies: tuple[Copy, ...]


def read_inspection(file: Path) -> Inspection:
    """The job's report.

    Raises:
        BadReport: it is none.
    """
    try:
        report = json.loads(file.read_bytes())
        return Inspection(
            channels={name: _channel(entry) for name, entry in report["channels"].items()},
            copies=tuple(_copy(entry) for entry in report["copies"]),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadReport(f"{file}: is no report of inspect_records: {error!r}") from None


def _channel(entry: Mapping[str, Any]) -> InspectedChannel:
    return InspectedChannel(
        file=", ".join(map(str, entry["files"])),
        records=int(entry["records"]),
        faults=tuple(Fault(record=int(each["record"]), fault=str(each["fault"])) for each in entry["faults"]),
    )


def _copy(entry: Mapping[str, Any]) -> Copy:
    return Copy(
        channel=str(entry["channel"]),
        is_mirrored=bool(entry["is_mirrored"]),
        validation_record=int(entry["validation_record"]),
        training_record=int(entry["training_record"]),
        distance=int(entry["distance"]),
    )
