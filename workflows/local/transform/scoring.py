"""Sends the objects of a transform job, and assembles the answers.

Requests are made side by side, answers taken in order: no more than the requests under way, their answers and
one more record are in memory.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from workflows.definition.errors import WorkflowError
from workflows.local.transform.batching import Batch, Entry, one_by_one, together
from workflows.local.transform.inputs import InputObject, opened
from workflows.local.transform.options import TransformOptions
from workflows.local.transform.splitting import SPLITTERS, Record

Ask = Callable[[bytes], bytes]


@dataclass
class Outcome:
    """What came of a transform job's objects."""

    done: list[tuple[Path, PurePosixPath]] = field(default_factory=list)  # file, path below S3OutputPath
    failures: list[str] = field(default_factory=list)  # one for each object that failed


class Scoring:
    """One run over all objects."""

    def __init__(
        self,
        options: TransformOptions,
        *,
        ask: Ask,
        folder: Path,
        stopped: threading.Event,
        progress: Callable[[int], None],
    ) -> None:
        """Nothing is sent before `run`.

        Args:
            options: how to split, batch and assemble.
            ask: sends one body and returns the answer's; raises a WorkflowError if there is none.
            folder: where the answers are put together.
            stopped: nothing more is sent when it is set.
            progress: is told how many objects are done.
        """
        self._options, self._ask, self._folder = options, ask, folder
        self._stopped, self._progress = stopped, progress

    def run(self, items: Sequence[InputObject]) -> Outcome:
        """Send every object. One that fails leaves no file; the others go on."""
        outcome = Outcome()
        waiting: deque[tuple[_Output, Batch | None, Future[bytes] | None]] = deque()
        in_flight = 0
        with ThreadPoolExecutor(self._options.concurrency, "transform") as pool:
            for output, batch in self._batches(items):
                while batch is not None and in_flight >= self._options.concurrency:
                    in_flight -= self._take(*waiting.popleft(), outcome)
                if batch is not None and output.fault is not None:
                    continue  # which came out only now
                waiting.append((output, batch, pool.submit(self._ask, batch.body) if batch else None))
                in_flight += batch is not None
            while waiting:
                self._take(*waiting.popleft(), outcome)
        return outcome

    def _batches(self, items: Sequence[InputObject]) -> Iterator[tuple["_Output", Batch | None]]:
        """The requests of all objects, after each object's last one a None."""
        for item in items:
            output = _Output(item.relative, self._folder, line_after=self._options.line_after_answer)
            try:
                for batch in self._batches_of(item):
                    if self._stopped.is_set():
                        output.fail("the execution was stopped")
                    if output.fault is not None:
                        break
                    yield output, batch
            except WorkflowError as error:
                output.fail(str(error))
            yield output, None

    def _batches_of(self, item: InputObject) -> Iterator[Batch]:
        options = self._options
        with opened(item, compressed=options.compressed) as stream:
            records = SPLITTERS[options.split](stream, options.limit)
            entries = (Entry(record, self._sent(record)) for record in records)
            yield from (one_by_one if options.single else together)(entries, options.limit)

    def _sent(self, record: Record) -> Record:
        association = self._options.association
        if association is None:
            return record
        payload = association.ask(record.payload)
        return Record(payload + record.framed[len(record.payload) :], payload)

    def _take(
        self, output: "_Output", batch: Batch | None, answer: "Future[bytes] | None", outcome: Outcome
    ) -> int:
        """Put the oldest answer into its object's file; returns how many requests that was."""
        if batch is None or answer is None:
            output.close(outcome)
            self._progress(len(outcome.done) + len(outcome.failures))
            return 0
        try:
            body = answer.result()
            if self._options.association is not None:
                body = self._options.association.answer(batch.originals, body)
        except WorkflowError as error:
            output.fail(str(error))
        else:
            output.add(body)
        return 1


class _Output:
    """The answers of one object, put together in a file that exists only whole."""

    def __init__(self, relative: PurePosixPath, folder: Path, *, line_after: bool) -> None:
        self._relative = PurePosixPath(f"{relative}.out")
        self._path = folder / self._relative
        self._source = relative
        self._line_after = line_after
        self._file: BinaryIO | None = None
        self.fault: str | None = None

    def add(self, answer: bytes) -> None:
        """Append an answer."""
        if self.fault is not None:
            return
        file = self._opened()
        file.write(answer)
        # Where the model itself ends its answer with a line's end there is no empty line after it.
        if self._line_after and not answer.endswith(b"\n"):
            file.write(b"\n")

    def fail(self, reason: str) -> None:
        """Give up on the object; the first reason counts."""
        if self.fault is None:
            self.fault = reason

    def close(self, outcome: Outcome) -> None:
        """Tell what came of it."""
        self._opened().close()
        if self.fault is None:
            outcome.done.append((self._path, self._relative))
        else:
            self._path.unlink()
            outcome.failures.append(f"{self._source}: {self.fault}")

    def _opened(self) -> BinaryIO:
        if self._file is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._path.open("wb")
        return self._file
