"""What the preparations share: how they pack, the names of their outputs, and writing them.

On several instances every one writes its own parts of the record files and of their indices, and the held-out
pictures of its share. What describes the whole data set, the first one writes.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from processing_scripts.contract import Host, published
from processing_scripts.outputs import OutputTree, copy_file, write_json
from processing_scripts.packing import Encoding
from processing_scripts.progress import tell, with_progress
from processing_scripts.sharing import Packing
from processing_scripts.unreadable import Unreadable
from processing_scripts.vision.lists import ClassificationRow, DetectionRow, MultiLabelRow
from processing_scripts.vision.parts import part_name
from processing_scripts.vision.recordio import IndexedRecordWriter

# Small, because later steps of a pipeline read it, and a limit on what they can read is not documented.
REPORT = "report/report.json"
DETAILS = "report/details.json"


@dataclass(frozen=True, kw_only=True)
class PackingSettings:
    """The arguments of a job that say how pictures are packed, and where."""

    output: Path
    resize: int  # pixels of the shorter side; 0 keeps the size
    quality: int
    keep_unchanged: bool
    max_unreadable_share: float
    workers: int
    timings: Path | None


def packing_of(settings: PackingSettings, *, pictures: int, host: Host) -> Packing:
    """How an instance packs its share of so many pictures."""
    return Packing(
        host=host,
        encoding=Encoding(
            shorter_side=settings.resize,
            quality=settings.quality,
            keeps_unchanged=settings.keep_unchanged,
        ),
        workers=settings.workers,
        unreadable=Unreadable(pictures=pictures, max_share=settings.max_unreadable_share),
        output=settings.output,
        timings=settings.timings,
    )


def packing_described(settings: PackingSettings) -> dict[str, object]:
    """What of it changes the records; the number of workers does not."""
    described: dict[str, object] = {"resize": settings.resize, "quality": settings.quality}
    if settings.keep_unchanged:
        described["keep_unchanged"] = True
    return described | {"max_unreadable_share": settings.max_unreadable_share}


def record_part(
    outputs: OutputTree, folder: str, stem: str, *, number: int, count: int
) -> IndexedRecordWriter:
    """Part `number`, counted from 1, of the record file of a channel; its index goes to the lists."""
    records = outputs.stage(f"{folder}/{part_name(stem, number, count)}.rec")
    return IndexedRecordWriter(records, outputs.stage(f"lists/{part_name(folder, number, count)}.idx"))


def write_list(
    outputs: OutputTree, name: str, rows: Iterable[DetectionRow | ClassificationRow | MultiLabelRow]
) -> None:
    """The list of one channel."""
    with published(outputs.stage(f"lists/{name}.lst")) as file:
        file.writelines(row.line().encode() for row in rows)


def copy_held_out(pictures: Sequence[tuple[str, Path]], outputs: OutputTree) -> None:
    """The held-out pictures, by path and source file, untouched."""
    for path, source in with_progress(pictures, phase="copy", total=len(pictures)):
        copy_file(source, outputs.stage(f"validation_images/{path}"))


def write_report(report: Mapping[str, object], details: Mapping[str, object], outputs: OutputTree) -> None:
    """What later steps read, and beside it what people may want to know, however long that is."""
    write_json(outputs.stage(REPORT), report)
    write_json(outputs.stage(DETAILS), details)


def commit(outputs: OutputTree, host: Host) -> None:
    """Put everything in its place, with a list of what this instance wrote."""
    outputs.commit(f"report/{part_name('outputs', host.index + 1, host.count)}.json")


def tell_done(training: int, validation: int, host: Host) -> None:
    """The last line of the log."""
    share = "" if host.count == 1 else f", share {host.index + 1} of {host.count}"
    tell(f"done: {training} training and {validation} validation pictures{share}")
