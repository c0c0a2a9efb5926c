"""Where the time of a packing goes."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path

from processing_scripts.outputs import write_json
from processing_scripts.progress import tell

_NS = 1e9
_MB = 1e6


class Stage(IntEnum):
    """What a worker does with a picture."""

    READ = 0
    DECODE = 1
    RESIZE = 2
    ENCODE = 3


class Stopwatch:
    """The time of one picture, stage by stage; on a busy machine it has the waiting for a core in it."""

    __slots__ = ("_last", "spent_ns")

    def __init__(self) -> None:
        self.spent_ns = [0] * len(Stage)
        self._last = time.perf_counter_ns()

    def lap(self, stage: Stage) -> None:
        """Everything since the last lap was spent on this stage."""
        now = time.perf_counter_ns()
        self.spent_ns[stage] += now - self._last
        self._last = now


@dataclass(kw_only=True)
class Timings:
    """The times and sizes of all pictures together."""

    workers: int
    pictures: int = 0
    bytes_before: int = 0
    bytes_after: int = 0
    spent_ns: list[int] = field(default_factory=lambda: [0] * len(Stage))
    write_ns: int = 0
    _start: float = field(default_factory=time.monotonic)
    _elapsed_s: float | None = None

    def add(self, spent_ns: Sequence[int], *, before: int, after: int, write_ns: int) -> None:
        """Count a picture: times of the stages, sizes in bytes, and the time that writing it took."""
        self.pictures += 1
        self.bytes_before += before
        self.bytes_after += after
        self.write_ns += write_ns
        for stage in Stage:
            self.spent_ns[stage] += spent_ns[stage]

    def finish(self) -> None:
        """The last picture is written: say what there is to say."""
        self._elapsed_s = time.monotonic() - self._start
        if self.pictures:
            tell(self._line())

    def save(self, file: Path | None) -> None:
        """Write all figures as JSON, if there is a file to write them to."""
        if file is not None:
            write_json(file, self.document())

    def document(self) -> dict[str, object]:
        """All figures, by name."""
        shares = self._shares()
        return {
            "pictures": self.pictures,
            "seconds": round(self._elapsed(), 3),
            "pictures_per_second": round(self.pictures / self._elapsed(), 1),
            "workers": self.workers,
            # Of the workers' time. Writing goes on beside them.
            "shares": {name: round(share, 4) for name, share in shares.items()},
            "write_seconds": round(self.write_ns / _NS, 3),
            "bytes_before": self.bytes_before,
            "bytes_after": self.bytes_after,
        }

    def _line(self) -> str:
        listed = ", ".join(f"{name} {share:.0%}" for name, share in self._shares().items())
        write = self.write_ns / _NS / self._elapsed() / self.workers
        return (
            f"{self.workers} workers in {self._elapsed():.1f} s: {listed}; "
            f"writing beside them {write:.0%}; "
            f"{self.bytes_before / _MB:.1f} MB became {self.bytes_after / _MB:.1f} MB"
        )

    def _shares(self) -> dict[str, float]:
        available_ns = self.workers * self._elapsed() * _NS
        shares = {stage.name.lower(): self.spent_ns[stage] / available_ns for stage in Stage}
        return {**shares, "wait": max(0.0, 1 - sum(shares.values()))}

    def _elapsed(self) -> float:
        elapsed = time.monotonic() - self._start if self._elapsed_s is None else self._elapsed_s
        return max(elapsed, 1e-6)
