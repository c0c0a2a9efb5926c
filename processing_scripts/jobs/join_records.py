"""Processing job: record files that several instances packed in parts become one file per channel.

    python -m processing_scripts.jobs.join_records

The built-in algorithms take one .rec file per channel. Inputs below /opt/ml/processing/input: lists/ of the
preparation, and its folders with record files (train/, train_flipped/, validation/), as many as there are.
Outputs below /opt/ml/processing/output, of each of these folders:

    train/train.rec    lists/train.idx

Each part is in the order of the list, and so is what they are joined to. Every record is checked against its
list's row, so that a part that is missing, or left from another run, is noticed. A record file that is whole
is passed on.
"""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from processing_scripts import contract
from processing_scripts.arguments import JobParser
from processing_scripts.contract import JobError
from processing_scripts.outputs import OutputTree, copy_file
from processing_scripts.progress import tell, with_progress
from processing_scripts.vision.lists import read_indices
from processing_scripts.vision.parts import find_parts
from processing_scripts.vision.recordio import IndexedRecordWriter, RecordReader, unpack_image_record

LISTS = "lists"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The job's arguments."""

    input: Path
    output: Path


def parse(arguments: Sequence[str] | None) -> Settings:
    """Read the command line.

    Raises:
        JobError: an argument is wrong.
    """
    parser = JobParser(prog="join_records", description=__doc__, allow_abbrev=False)
    parser.add_argument("--input", type=Path, default=contract.processing_path("input"))
    parser.add_argument("--output", type=Path, default=contract.processing_path("output"))
    return Settings(**vars(parser.parse_args(arguments)))


def join(settings: Settings) -> None:
    """Do the whole job.

    Raises:
        JobError: a part is missing or damaged, or the parts do not fit their list.
    """
    contract.refuse_several_instances("join_records")
    folders = [path for path in sorted(settings.input.glob("*")) if path.is_dir() and path.name != LISTS]
    if not folders:
        raise JobError(f"{settings.input}: holds no folder with record files, such as train/")
    with OutputTree(settings.output) as outputs:
        for folder in folders:
            name, parts = find_parts(folder, ".rec")
            if parts == [folder / name]:
                copy_file(parts[0], outputs.stage(f"{folder.name}/{name}"))
                tell(f"{folder.name}: {name} is whole")
            else:
                _join(parts, settings.input / LISTS / f"{folder.name}.lst", f"{folder.name}/{name}", outputs)
        outputs.commit(f"{LISTS}/outputs.json")


def _join(parts: Sequence[Path], list_file: Path, name: str, outputs: OutputTree) -> None:
    indices = read_indices(list_file)
    progress = with_progress(indices, phase=f"join {name}", total=len(indices), unit="records")
    heads = _Heads(parts)
    with IndexedRecordWriter(outputs.stage(name), outputs.stage(f"{LISTS}/{list_file.stem}.idx")) as writer:
        for row, index in enumerate(progress, start=1):
            payload = heads.take(index)
            if payload is None:
                raise JobError(
                    f"{list_file}: row {row}: no part goes on with the id {index}; {heads.stand()}"
                )
            writer.write(index, payload)
    if heads.remain():
        raise JobError(f"{list_file}: ends after {len(indices)} rows; {heads.stand()}")


@dataclass(frozen=True, kw_only=True)
class _Head:
    """The next record of a part."""

    where: str
    payload: bytes
    rest: Iterator[tuple[str, int, bytes]]


class _Heads:
    """The parts, each in the order of the list and read as far as it was taken."""

    def __init__(self, parts: Sequence[Path]) -> None:
        self._heads: dict[int, _Head] = {}  # by id
        for part in parts:
            self._advance(_records(part))

    def _advance(self, records: Iterator[tuple[str, int, bytes]]) -> None:
        found = next(records, None)
        if found is None:
            return
        where, index, payload = found
        if index in self._heads:
            raise JobError(f"{where} has the id {index}, as has {self._heads[index].where}; ids are unique")
        self._heads[index] = _Head(where=where, payload=payload, rest=records)

    def take(self, index: int) -> bytes | None:
        """The record of this id, if it is the next one of a part."""
        head = self._heads.pop(index, None)
        if head is None:
            return None
        self._advance(head.rest)
        return head.payload

    def remain(self) -> bool:
        """Whether a part has more records."""
        return bool(self._heads)

    def stand(self) -> str:
        """Where the parts stand, and what to do."""
        places = [f"{head.where} has {index}" for index, head in self._heads.items()]
        return (
            f"{', '.join(places[:3]) or 'all parts have ended'}; give it the lists and all parts of one run"
        )


def _records(part: Path) -> Iterator[tuple[str, int, bytes]]:
    """Where it stands, id and payload of every record."""
    for number, payload in enumerate(RecordReader(part), start=1):
        where = f"{part}: record {number}"
        try:
            _, index, _ = unpack_image_record(payload)
        except ValueError as error:
            raise JobError(f"{where}: {error}") from None
        yield where, index, payload


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the job; returns the exit code."""
    return contract.run_processing(lambda: join(parse(arguments)))


if __name__ == "__main__":
    sys.exit(main())
