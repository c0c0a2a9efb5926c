"""Runs the containers of one job side by side, to their common end."""

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import dataclass
from enum import Enum
from functools import partial
from pathlib import Path

from workflows.local.container import STOP_GRACE_S, Container, Running

# A spot instance that is taken away gets a notice of two minutes; a rehearsal need not wait so long.
SPOT_NOTICE_S = 20
_STOP_GRACE_S = 5
_POLL_S = 0.1
# A rehearsed fault comes when the job works: with its first line, at the latest after this time.
_WORKS_AFTER_S = 1.0
_KILLED_CODE = 137


class Cut(Enum):
    """Why containers are ended before they end by themselves."""

    TIMEOUT = "timeout"
    INTERRUPTED = "interrupted"
    STOPPED = "stopped"
    KILLED = "killed"  # the first one only, without SIGTERM: to the job, an exit code as any other


# How long they may take after SIGTERM.
GRACE_S = {Cut.TIMEOUT: STOP_GRACE_S, Cut.INTERRUPTED: SPOT_NOTICE_S, Cut.STOPPED: _STOP_GRACE_S}


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What ends a job early."""

    seconds: float
    stopped: threading.Event
    rehearsed: Cut | None = None


@dataclass(frozen=True, kw_only=True)
class Ending:
    """How a job ended: by itself, or cut. `host` is the first that failed, 0 is everybody's code."""

    host: str
    code: int
    log_tail: str
    cut: Cut | None


class Cluster:
    """The containers of one job; for one run."""

    def __init__(
        self,
        containers: Mapping[str, Container],
        *,
        joint_log: Path,
        on_line: Callable[[str, str], None],
    ) -> None:
        """Nothing is started yet.

        Args:
            containers: by the names of their hosts.
            joint_log: where the lines of all are written, with their hosts, if there are several.
            on_line: told host and line; never twice at once.
        """
        self._containers, self._joint_log, self._on_line = containers, joint_log, on_line
        self._first = next(iter(containers))
        self._running: dict[str, Running] = {}
        self._works = threading.Event()
        self._lock = threading.Lock()
        self._failed: tuple[str, int] | None = None  # host, code
        self._cut: Cut | None = None
        self._kill_at: float | None = None

    def run(self, limits: Limits) -> Ending:
        """Start all, and return when all have ended: by themselves, because one failed, or cut.

        Raises:
            ContainerError: a command does not exist; nothing runs then.
        """
        started = time.monotonic()
        with ExitStack() as cleanup:
            pool = cleanup.enter_context(ThreadPoolExecutor(len(self._containers)))
            cleanup.callback(self._kill_all)  # called first
            pending = {self._start(host, pool): host for host in self._containers}
            while pending:
                ended, _ = wait(pending, timeout=_POLL_S, return_when=FIRST_COMPLETED)
                for future in ended:
                    self._note_end(pending.pop(future), future.result())
                if pending:
                    self._end_early(limits, time.monotonic() - started)
        return self._ending(limits.rehearsed)

    def _start(self, host: str, pool: ThreadPoolExecutor) -> Future[int]:
        running = self._containers[host].start()
        self._running[host] = running
        return pool.submit(running.wait, partial(self._take_line, host))

    def _take_line(self, host: str, line: str) -> None:
        with self._lock:
            if len(self._containers) > 1:
                with self._joint_log.open("a", encoding="utf-8") as log:
                    log.write(f"[{host}] {line}\n")
            self._on_line(host, line)
        self._works.set()

    def _note_end(self, host: str, code: int) -> None:
        if code != 0 and self._failed is None and self._cut is None:
            self._failed = (host, code)

    def _end_early(self, limits: Limits, seconds: float) -> None:
        works = self._works.is_set() or seconds >= _WORKS_AFTER_S
        cut = self._cut_now(limits, seconds, works=works)
        if self._failed:
            self._ask_to_end(seconds + _STOP_GRACE_S)
        elif cut is Cut.KILLED:
            self._running[self._first].kill()
        elif cut:
            self._cut = cut
            self._ask_to_end(seconds + GRACE_S[cut])
        if self._kill_at is not None and seconds >= self._kill_at:
            self._kill_all()

    def _cut_now(self, limits: Limits, seconds: float, *, works: bool) -> Cut | None:
        if limits.stopped.is_set():
            return Cut.STOPPED  # also where they have been asked already, and may take longer
        if self._cut:
            return self._cut
        if seconds >= limits.seconds:
            return Cut.TIMEOUT
        return limits.rehearsed if works else None

    def _ask_to_end(self, kill_at: float) -> None:
        if self._kill_at is None:
            for running in self._running.values():
                running.ask_to_end()
        self._kill_at = min(kill_at, self._kill_at or kill_at)

    def _kill_all(self) -> None:
        for running in self._running.values():
            running.kill()

    def _ending(self, rehearsed: Cut | None) -> Ending:
        if self._failed is None and self._cut is None:
            # A job that ended before its fault came meets it at its end: nothing of it has been stored yet.
            if rehearsed is Cut.KILLED:
                self._failed = (self._first, _KILLED_CODE)
            else:
                self._cut = rehearsed
        host, code = self._failed or (self._first, 0)
        return Ending(host=host, code=code, log_tail=self._running[host].log_tail(3), cut=self._cut)
