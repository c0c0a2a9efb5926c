"""Record files whose writing can be stopped at any moment, and goes on from there.

Until it is whole, NAME.rec is .NAME.rec.partial, with .NAME.idx.partial and .NAME.rec.checkpoint beside it.
The checkpoint says how much of both is sure and how many rows of the list they hold; what was written after
it is thrown away and made again. That is for processes that are killed; nothing is forced to the disk, so
start afresh after a loss of power.
"""

import fcntl
import hashlib
import json
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Self

from processing_scripts.contract import JobError, writing
from processing_scripts.progress import tell

_CHECKPOINT_EVERY_S = 2.0
_PIECE_BYTES, _MOST_PIECES = 1 << 20, 1000  # the system takes 1024 at once


@dataclass(kw_only=True)
class Checkpoint:
    """How far a file is."""

    recipe: str  # digest of everything but the pictures that the file depends on
    rows: int = 0  # of the list, that are done
    rec_bytes: int = 0
    idx_bytes: int = 0
    sources: str = ""  # digest over name, size and time of the rows' pictures
    faults: dict[str, str] = field(default_factory=dict)  # pictures that were left out

    def add_source(self, stamp: str) -> None:
        """Take one more row's picture into the digest."""
        self.sources = hashlib.blake2b(f"{self.sources}{stamp}".encode(), digest_size=16).hexdigest()
        self.rows += 1


class ResumableRecords:
    """A .rec file and its .idx file; what a stopped run has written is taken over."""

    def __init__(self, rec: Path, *, recipe: str, is_fresh: bool) -> None:
        """Write `rec` and its index; `recipe` tells runs apart that would write something else."""
        self._rec, self._idx = rec, rec.with_suffix(".idx")
        self._partial_rec, self._partial_idx = _hidden(self._rec, "partial"), _hidden(self._idx, "partial")
        self._file = _hidden(self._rec, "checkpoint")
        self._new_file = _hidden(self._rec, "new-checkpoint")
        self._is_fresh = is_fresh
        self._stack = ExitStack()
        self.state = Checkpoint(recipe=recipe)

    def __enter__(self) -> Self:
        with writing(self._partial_rec):
            self._rec.parent.mkdir(parents=True, exist_ok=True)
            self._records = _Appender(self._stack.enter_context(_locked(self._partial_rec)))
            self._index = _Appender(self._stack.enter_context(self._partial_idx.open("ab", buffering=0)))
        if not self._is_fresh:
            self.state = self._stored() or self.state
        self._cut()
        self._saved_at = time.monotonic()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._stack:
            if error is None:
                self._publish()
            elif not (self._records.has_failed or self._index.has_failed):
                self._save()

    def _stored(self) -> Checkpoint | None:
        """What a stopped run with the same recipe has left, if it is all there."""
        try:
            state = Checkpoint(**json.loads(self._file.read_bytes()))
        except (OSError, ValueError, TypeError):
            return None
        is_there = state.rec_bytes <= self._records.size and state.idx_bytes <= self._index.size
        return state if is_there and state.recipe == self.state.recipe else None

    def keep_if(self, stamps: Iterable[str]) -> None:
        """Take over what is there only if the pictures of the rows done are the same as they were."""
        if not self.state.rows:
            return
        now = Checkpoint(recipe=self.state.recipe)
        for stamp in stamps:
            now.add_source(stamp)
        if now.sources == self.state.sources:
            tell(f"{self._rec.name}: going on after {self.state.rows} rows that a stopped run has done")
        else:
            tell(f"{self._rec.name}: pictures have changed since a run was stopped; starting anew")
            self.state = Checkpoint(recipe=self.state.recipe)
            self._cut()

    def _cut(self) -> None:
        self._records.cut(self.state.rec_bytes)
        self._index.cut(self.state.idx_bytes)

    def write(self, key: int, framed: bytes, *, stamp: str) -> int:
        """The next row is this record, framed already; returns the bytes that it takes."""
        line = f"{key}\t{self.state.rec_bytes}\n".encode()
        self._records.append(framed)
        self._index.append(line)
        self.state.rec_bytes += len(framed)
        self.state.idx_bytes += len(line)
        self._done(stamp)
        return len(framed)

    def leave_out(self, name: str, fault: str, *, stamp: str) -> None:
        """The next row has no record."""
        self.state.faults[name] = fault
        self._done(stamp)

    def _done(self, stamp: str) -> None:
        self.state.add_source(stamp)
        if time.monotonic() - self._saved_at > _CHECKPOINT_EVERY_S:
            self._save()

    def _save(self) -> None:
        with writing(self._file):
            self._records.flush()
            self._index.flush()
            self._new_file.write_text(json.dumps(asdict(self.state)), encoding="utf-8")
            self._new_file.replace(self._file)
        self._saved_at = time.monotonic()

    def _publish(self) -> None:
        """Put both files in their places; the index, which points into the records, last."""
        with writing(self._rec):
            self._records.flush()
            self._index.flush()
            self._partial_rec.replace(self._rec)
            self._partial_idx.replace(self._idx)
            self._file.unlink(missing_ok=True)
            self._new_file.unlink(missing_ok=True)  # of a run that was killed while it wrote one


class _Appender:
    """Writes at the end of a file, in large pieces; what could not be written is not tried again."""

    def __init__(self, file: FileIO) -> None:
        self._file = file
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0
        self.has_failed = False

    @property
    def size(self) -> int:
        """Of the file, in bytes."""
        return os.fstat(self._file.fileno()).st_size

    def append(self, data: bytes) -> None:
        """Write, at the latest with the next flush."""
        self._waiting.append(data)
        self._waiting_bytes += len(data)
        if self._waiting_bytes >= _PIECE_BYTES or len(self._waiting) == _MOST_PIECES:
            self.flush()

    def flush(self) -> None:
        """Hand everything to the system."""
        pieces, size = self._waiting, self._waiting_bytes
        self._waiting, self._waiting_bytes = [], 0
        self.has_failed = True
        written = os.writev(self._file.fileno(), pieces) if pieces else 0
        if written < size:  # says why
            rest = memoryview(b"".join(pieces))[written:]
            while rest:
                rest = rest[self._file.write(rest) :]
        self.has_failed = False

    def cut(self, size: int) -> None:
        """Throw away what is behind this many bytes."""
        self._file.truncate(size)
        self._file.seek(size)


def _hidden(path: Path, suffix: str) -> Path:
    return path.with_name(f".{path.name}.{suffix}")


@contextmanager
def _locked(path: Path) -> Iterator[FileIO]:
    """The file, to write on; no other run may."""
    path.touch()
    with path.open("r+b", buffering=0) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            is_other = path.stat().st_ino != os.fstat(file.fileno()).st_ino
        except (BlockingIOError, FileNotFoundError):
            is_other = True
        if is_other:
            raise JobError(f"{path}: another run is writing it; wait until it has ended")
        yield file
