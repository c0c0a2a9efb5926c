"""Removes garbage, so that a kill at any moment leaves a readable state and a second removal finishes.

An execution's lock is held meanwhile, so that nobody resumes it. Its record goes last: as long as it is
there, the execution is listed and can be chosen again. The order:

1. Its logs and containers' trees, which nobody else uses; after that there is room to write, also on a disk
   that was full.
2. The results of its steps, so that no other execution takes one from the cache from here on. Only then is it
   decided what is in use: an execution that had taken one before has it in its records.
3. Objects, then records.
"""

import tempfile
from collections.abc import Collection, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from workflows.local.garbage import (
    Choice,
    Garbage,
    Kept,
    Share,
    choose,
    examine,
    folders_of,
    held_back,
    rests,
)
from workflows.local.holdings import holdings, list_files, run_folder
from workflows.local.leftovers import leftovers
from workflows.local.liveness import StillRunning, engine_of
from workflows.local.records import EXECUTION, STEP_RESULT
from workflows.local.removal import NotRemovable, Remover, obstacle
from workflows.local.store import Store, StoreError

# Each is a file that is held open.
_AT_ONCE = 200


@dataclass(frozen=True, kw_only=True)
class Swept:
    """What has been removed, with the bytes that this has freed, and what could not be."""

    garbage: Garbage
    failures: tuple[str, ...]


def sweep(store: Store, choice: Choice, *, now: datetime) -> Swept:
    """Remove what was chosen, as far as nothing that stays needs it.

    Raises:
        NothingChosen: the choice would be all executions, or one that does not exist.
        DamagedList: the list of what a step has stored cannot be read.
    """
    return _Sweep(store, choice, now).run()


class _Sweep:
    def __init__(self, store: Store, choice: Choice, now: datetime) -> None:
        self._store, self._choice, self._now = store, choice, now
        self._remover = Remover(store.home)
        self._shares: list[Share] = []
        self._kept: list[Kept] = []
        self._failures: list[str] = []
        self._inputs: list[Path] = []
        self._leftovers: list[Path] = []

    def run(self) -> Swept:
        chosen = choose(self._store, self._choice, now=self._now)
        for folder in list(leftovers(self._store.home, now=self._now)):
            with self._noting_failure(str(folder)):
                self._remover.tree(folder)
                self._leftovers.append(folder)
        for first in range(0, len(chosen), _AT_ONCE):
            self._remove_executions(chosen[first : first + _AT_ONCE])
        self._remove_rests()
        garbage = Garbage(
            shares=tuple(self._shares),
            kept=tuple(self._kept),
            inputs=tuple(self._inputs),
            leftovers=tuple(self._leftovers),
            size=self._remover.freed,
        )
        return Swept(garbage=garbage, failures=tuple(self._failures))

    def _remove_executions(self, chosen: list[str]) -> None:
        kept = held_back(self._store, chosen)
        with ExitStack() as locks:
            ours = [name for name in chosen if name not in kept and self._lock(name, locks)]
            # Again, now that nobody can resume them: another execution may have started meanwhile.
            kept |= held_back(self._store, ours, ours=ours)
            ready = []
            for name in ours:
                if name not in kept:
                    with self._noting_failure(f"execution {name}"):
                        self._withdraw(name)
                        ready.append(name)
            garbage = examine(self._store, self._choice, ready, now=self._now, ours=ours)
            self._kept += [Kept(execution=name, reason=reason) for name, reason in kept.items()]
            self._kept += garbage.kept
            self._remove(share for share in garbage.shares if share.execution in ours)

    def _remove_rests(self) -> None:
        """What earlier removals had to leave; among it what the executions that have gone now shared."""
        with ExitStack() as locks:
            ours = [name for name in rests(self._store) if self._lock(name, locks)]
            gone = [share.record for share in self._shares if share.record]
            garbage = examine(self._store, self._choice, [], now=self._now, ours=ours, gone=gone)
            self._remove(share for share in garbage.shares if share.execution in ours)
            for name in ours:
                with self._noting_failure(f"execution {name}"):
                    self._remove_loose_files(name)
        for folder in garbage.inputs:
            with self._noting_failure(str(folder)):
                self._remove_input(folder)
                self._inputs.append(folder)

    def _lock(self, name: str, locks: ExitStack) -> bool:
        try:
            locks.enter_context(engine_of(run_folder(self._store, name)))
        except StillRunning as error:
            self._kept.append(Kept(execution=name, reason=str(error)))
            return False
        except OSError as error:
            self._failures.append(f"execution {name}: {error}")
            return False
        return True

    def _withdraw(self, name: str) -> None:
        """Remove what only the execution itself uses, and then what others might come to use."""
        steps = holdings(self._store, name)
        lists = [file for step in steps for folder in step.objects for file in list_files(folder)]
        self._remove_folders(name, keep=lists)
        for step in steps:
            self._store.delete(STEP_RESULT, f"{name}/{step.step}")

    def _remove(self, shares: Iterable[Share]) -> None:
        for share in shares:
            with self._noting_failure(f"execution {share.execution}"):
                self._remove_share(share)
                self._shares.append(share)

    def _remove_share(self, share: Share) -> None:
        paths = [self._store.objects.path(uri) for uri in share.objects]
        self._remover.files(paths)
        for folder in sorted({path.parent for path in paths}, reverse=True):
            self._remover.empty_folders(folder, named=share.execution)
        self._remove_folders(share.execution, keep=share.lists)
        for kind, name in share.records:
            self._store.delete(kind, name)
        self._store.delete(EXECUTION, share.execution)
        if share.is_whole:
            self._remover.tree(run_folder(self._store, share.execution))
        else:
            self._remove_loose_files(share.execution)

    def _remove_folders(self, name: str, *, keep: Collection[Path]) -> None:
        folder, pictures = folders_of(self._store, name)
        self._remover.tree(pictures)
        for entry in sorted(folder.iterdir()):
            # What is no folder is the lock, which is held.
            if entry.is_dir() and not entry.is_symlink():
                self._remover.tree(entry, keep=keep)

    def _remove_loose_files(self, name: str) -> None:
        """The lock, once there is no record that somebody could resume from."""
        folder = run_folder(self._store, name)
        if folder.is_dir():
            self._remover.files(entry for entry in sorted(folder.iterdir()) if not entry.is_dir())

    def _remove_input(self, folder: Path) -> None:
        if reason := obstacle(self._store.home, folder):
            raise NotRemovable(f"{reason}; nothing of it is removed")
        partial = self._store.home / "partial"
        partial.mkdir(exist_ok=True)
        # At once, so that no job ever gets a part of it.
        limbo = Path(tempfile.mkdtemp(dir=partial))
        folder.rename(limbo / "input")
        self._remover.tree(limbo)

    @contextmanager
    def _noting_failure(self, what: str) -> Iterator[None]:
        """What cannot be removed does not keep the rest from being removed."""
        try:
            yield
        except (OSError, NotRemovable, StoreError) as error:
            self._failures.append(f"{what}: {error}")
