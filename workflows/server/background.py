"""Work that goes on after its request was answered: executions and jobs, each in a thread."""

import threading
from collections.abc import Callable


class Background:
    """The running work of a server; ended with it."""

    def __init__(self) -> None:
        self._threads: dict[str, threading.Thread] = {}
        self._stops: dict[str, Callable[[], object]] = {}
        self._lock = threading.Lock()

    def start(self, name: str, work: Callable[[], object], *, stop: Callable[[], object]) -> bool:
        """Run `work` in a thread; `stop` asks it to end, from any thread.

        False, and nothing started, while other work of this name goes on.
        """

        def run() -> None:
            try:
                work()
            finally:
                with self._lock:
                    self._threads.pop(name, None)
                    self._stops.pop(name, None)

        thread = threading.Thread(target=run, name=name)
        with self._lock:
            if name in self._threads:
                return False
            self._threads[name], self._stops[name] = thread, stop
            thread.start()
        return True

    def running(self, name: str) -> bool:
        """Whether this work goes on."""
        with self._lock:
            return name in self._threads

    def stop_all(self) -> None:
        """Ask everything to end, and wait until it has."""
        with self._lock:
            stops, threads = list(self._stops.values()), list(self._threads.values())
        for stop in stops:
            stop()
        for thread in threads:
            thread.join()
