"""Ends what would go on after an execution was stopped."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_LOOK_EVERY_S = 0.1


@contextmanager
def ended_by(stopped: threading.Event, end: Callable[[], None]) -> Iterator[None]:
    """Call `end` as soon as `stopped` is set within the block."""
    over = threading.Event()

    def watch() -> None:
        while not over.is_set():
            if stopped.wait(_LOOK_EVERY_S):
                end()
                return

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
