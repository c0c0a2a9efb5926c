"""What the preparations share: the names of their outputs, and writing them.

On several instances every one writes its own parts of the record files and of their indices, and the held-out
pictures of its share. What describes the whole data set, the first one writes.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from processing_scripts.contract import Host
from processing_scripts.outputs import OutputTree, copy_file, write_json, write_text
from processing_scripts.progress import tell, with_progress
from processing_scripts.vision.lists import ClassificationRow, DetectionRow, MultiLabelRow
from processing_scripts.vision.parts import part_name
from processing_scripts.vision.recordio import IndexedRecordWriter

# Small, because later steps of a pipeline read it, and a limit on what they can read is not documented.
REPORT = "report/report.json"
DETAILS = "report/details.json"


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
    write_text(outputs.stage(f"lists/{name}.lst"), "".join(row.line() for row in rows))


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
