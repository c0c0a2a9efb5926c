"""Ends the training jobs of a tuning job when there is a reason to."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

_LOOK_EVERY_S = 0.2


class Halt:
    """An event that is set when the execution is stopped, the time is up, or something is broken."""

    def __init__(self, stopped: threading.Event, *, limit_s: float | None) -> None:
        self.event = threading.Event()
        self._stopped, self._over = stopped, threading.Event()
        self._deadline = None if limit_s is None else time.monotonic() + limit_s
        self._thread = threading.Thread(target=self._watch, name="tuning-halt", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    @contextmanager
    def on_error(self) -> Iterator[None]:
        """End them when something goes wrong in here that is no training job's own failure."""
        try:
            yield
        except BaseException:
            self.event.set()
            raise

    def _watch(self) -> None:
        while not self.event.is_set():
            if self._stopped.is_set() or (self._deadline is not None and time.monotonic() >= self._deadline):
                self.event.set()
            elif self._over.wait(_LOOK_EVERY_S):
                return
