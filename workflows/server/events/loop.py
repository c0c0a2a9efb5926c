"""Looks again and again at what has changed and what is due, and makes the deliveries."""

import fcntl
import logging
import threading
from collections.abc import Callable
from contextlib import ExitStack
from typing import IO

from workflows.local.store import Store, StoreError
from workflows.server.events.delivery import Delivery
from workflows.server.events.due import Due
from workflows.server.events.records import DELIVERY
from workflows.server.events.watcher import Watcher

_LOG = logging.getLogger(__name__)
LOOK_EVERY_S = 0.5


class EventLoop:
    """Of the servers of one home, one at a time does this."""

    def __init__(self, store: Store, watcher: Watcher, due: Due, delivery: Delivery) -> None:
        """Nothing happens before `start` or `look`."""
        self._store, self._watcher, self._due, self._delivery = store, watcher, due, delivery
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="events", daemon=True)

    def start(self) -> None:
        """Look every half a second, in a thread."""
        self._guarded(self._watcher.begin)
        self._thread.start()

    def stop(self) -> None:
        """End the thread; a delivery that is being made is made."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()

    def look(self) -> None:
        """One look: notice what has changed, then what is due, and deliver all that is on its way."""
        for step in (self._watcher.look, self._due.look, self._deliver):
            self._guarded(step)

    def _run(self) -> None:
        with ExitStack() as closing:
            lock = closing.enter_context((self._store.home / "events.lock").open("w"))
            while not self._over.wait(LOOK_EVERY_S):
                if _is_mine(lock):
                    self.look()

    def _deliver(self) -> None:
        for record in self._store.all(DELIVERY):
            # Removed after it: a server that ends in between delivers once more, rather than never.
            self._guarded(lambda record=record: self._delivery.make(record))  # type: ignore[misc]
            self._store.delete(DELIVERY, str(record["Id"]))

    def _guarded(self, step: Callable[[], None]) -> None:
        """Do a step; whatever goes wrong in it, the next look comes."""
        try:
            step()
        except StoreError as error:
            _LOG.warning("events: %s", error)
        except Exception:  # noqa: BLE001 - logged with its traceback; a bug must not end all schedules
            _LOG.exception("events: a fault of this program")


def _is_mine(lock: IO[str]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
