"""What only decoding tells of the data: pictures that are none, and copies on the other side."""

from collections.abc import Iterator, Mapping

from workflows.preflight.data.inspection import CHANNELS, VALIDATION, Copy, InspectedChannel, Inspection
from workflows.preflight.data.survey import Survey
from workflows.preflight.findings import Finding, Path, Rule, Severity

_HASHES = "the data themselves: perceptual hashes, made by processing_scripts.jobs.inspect_records"
_TOO_GOOD = "The validation's figures are better than the model."

UNDECODABLE = Rule(
    identifier="data-undecodable",
    severity=Severity.ERROR,
    title="A picture cannot be decoded",
    why="The training fails at such a picture, or goes on without it.",
    source="OpenCV's decoder, which MXNet's readers use, too",
)
NEAR = Rule(
    identifier="data-near-duplicate",
    severity=Severity.WARNING,
    title="Nearly the same picture is in training and in validation: scaled, encoded or exposed otherwise",
    why=_TOO_GOOD,
    source=_HASHES,
)
FLIPPED = Rule(
    identifier="data-flipped-copy",
    severity=Severity.WARNING,
    title="A picture of the validation is the mirror image of a training picture",
    why=f"{_TOO_GOOD} Training may mirror pictures, and the preparation adds mirror images.",
    source=_HASHES,
)
RULES = (UNDECODABLE, NEAR, FLIPPED)

_MOST_TOLD = 5
_REMEDY = "keep each picture and its copies on one side"


def find_in_pictures(inspection: Inspection, found: Mapping[str, tuple[Survey, Path]]) -> Iterator[Finding]:
    """What is wrong in the pictures of one training.

    Args:
        inspection: what the job has found.
        found: channel name -> what a survey has found, and the channel's place in the definition.
    """
    for name in CHANNELS:
        # What the preparation has mirrored is read through a channel that is called train, too.
        side = VALIDATION if name == VALIDATION else "train"
        if name in inspection.channels and side in found:
            survey, place = found[side]
            known = survey.no_pictures if name == side else set()
            yield from _undecodable(name, inspection.channels[name], known, place)
    if {"train", VALIDATION} <= found.keys():
        (train, _), (validation, place) = found["train"], found[VALIDATION]
        yield from _copies(inspection, validation.shared_with(train), place)


def _undecodable(name: str, channel: InspectedChannel, known: set[int], place: Path) -> Iterator[Finding]:
    faults = [each for each in channel.faults if each.record not in known]
    if faults:
        told = ", ".join(f"record {each.record} {each.fault}" for each in faults[:_MOST_TOLD])
        yield UNDECODABLE.at(
            place,
            f"{name}/{channel.file}: {len(faults)} of {channel.records} pictures cannot be decoded: {told}"
            f"{_and_so_on(len(faults))}",
            "replace these pictures, and prepare the data again",
        )


def _copies(inspection: Inspection, same: set[int], place: Path) -> Iterator[Finding]:
    """Each picture of the validation counts once, although what is mirrored is there as it was, too."""
    told = set(same)
    kinds: dict[bool, list[Copy]] = {False: [], True: []}
    for copy in inspection.copies:
        if copy.validation_record not in told:
            told.add(copy.validation_record)
            kinds[copy.is_mirrored].append(copy)
    for is_mirrored, copies in kinds.items():
        if copies:
            rule, what = (FLIPPED, "mirror images of") if is_mirrored else (NEAR, "nearly the same as")
            pairs = ", ".join(map(str, copies[:_MOST_TOLD]))
            yield rule.at(
                place,
                f"{_counted(len(copies))} {what} training pictures: {pairs}{_and_so_on(len(copies))}",
                _REMEDY,
            )


def _counted(count: int) -> str:
    return "1 picture is" if count == 1 else f"{count} pictures are"


def _and_so_on(count: int) -> str:
    return ", …" if count > _MOST_TOLD else ""
