"""What an execution has made and still holds: the resources and the objects of each of its steps.

Not what its steps took over from another execution: that one holds it. An execution that was removed goes on
holding what others need of it: the lists of these objects, the records of these resources and of their steps.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from workflows.definition.errors import WorkflowError
from workflows.definition.records import Record, source_of
from workflows.local import naming, stored
from workflows.local.mentions import prefixes, written
from workflows.local.objects import ObjectError
from workflows.local.records import (
    ENDPOINT,
    EXECUTION_STEP,
    HYPER_PARAMETER_TUNING_JOB,
    MODEL_PACKAGE,
    PROCESSING_JOB,
    TRAINING_JOB,
    TRANSFORM_JOB,
)
from workflows.local.resources import KINDS, resource_name
from workflows.local.store import Store
from workflows.local.tuning.job import tuning_job_name

# Versions in the registry and endpoints are nobody's: they are there until somebody deletes them.
_OWNED = {key: kind for key, kind in KINDS.items() if kind not in (MODEL_PACKAGE, ENDPOINT)}
# A job is on record before its step has ended, under this name.
_JOBS = {"Processing": PROCESSING_JOB, "Training": TRAINING_JOB, "Transform": TRANSFORM_JOB}


class DamagedList(WorkflowError):
    """Nobody knows which objects a step has stored."""


@dataclass(frozen=True, kw_only=True)
class Resource:
    """A record that a step made."""

    kind: str
    name: str
    body: Record


@dataclass(frozen=True, kw_only=True)
class StepHolding:
    """What one step holds."""

    step: str
    resources: tuple[Resource, ...]
    objects: Mapping[Path, tuple[str, ...]] = field(default_factory=dict)  # folder with the list -> URIs

    @property
    def uris(self) -> set[str]:
        """The objects."""
        return {uri for uris in self.objects.values() for uri in uris}

    def destination(self, uri: str) -> str | None:
        """Where the step was told to write when it wrote this object; None if that is not on record."""
        return next((prefix for prefix in reversed(list(prefixes(uri))) if prefix in self._told), None)

    @cached_property
    def _told(self) -> frozenset[str]:
        return frozenset(place for resource in self.resources for place in _destinations(resource))


def holdings(store: Store, execution_id: str) -> list[StepHolding]:
    """What the steps of an execution hold.

    Raises:
        DamagedList: the list of a step's objects cannot be read.
    """
    records = {str(step["StepName"]): step for step in store.all(EXECUTION_STEP, parent=execution_id)}
    folder = run_folder(store, execution_id)
    # A step whose record is gone may still have a folder.
    names = {**dict.fromkeys(records), **dict.fromkeys(path.name for path in _folders(folder))}
    return [_holding(store, execution_id, name, records.get(name)) for name in names]


def stored_objects(store: Store, execution_id: str) -> Iterator[str]:
    """The objects that an execution holds.

    Raises:
        DamagedList: the list of a step's objects cannot be read.
    """
    for folder in _folders(run_folder(store, execution_id)):
        for _, uris in _lists(store, folder):
            yield from uris


def list_files(folder: Path) -> tuple[Path, Path]:
    """The files that make a list of objects (stored.py)."""
    return folder / "stored.txt", folder / "stored-states.txt"


def run_folder(store: Store, execution_id: str) -> Path:
    """The folder of an execution's logs, trees and lists."""
    return store.home / "runs" / execution_id


def _holding(store: Store, execution_id: str, step: str, record: Record | None) -> StepHolding:
    lists = _lists(store, run_folder(store, execution_id) / step)
    names = dict.fromkeys(
        [*_recorded(record), *_by_default(execution_id, step, record)]
        + [(TRAINING_JOB, folder.name) for folder, _ in lists[1:]]
    )
    found = {(kind, name): store.find(kind, name) for kind, name in names}
    resources = [Resource(kind=kind, name=name, body=body) for (kind, name), body in found.items() if body]
    return StepHolding(
        step=step,
        resources=(*resources, *_trainings(store, resources, names)),
        objects={folder: uris for folder, uris in lists if uris},
    )


def _recorded(step: Record | None) -> Iterator[tuple[str, str]]:
    """Kind and name of what a step's record says it made."""
    if step is None or source_of(step) is not None:
        return
    for key, kind in _OWNED.items():
        if name := resource_name(step, key):
            yield kind, name


def _by_default(execution_id: str, step: str, record: Record | None) -> Iterator[tuple[str, str]]:
    name = naming.job_name(execution_id, step)
    step_type = record["StepType"] if record else None
    for job_type, kind in _JOBS.items():
        if step_type in (None, job_type):
            yield kind, name
    if step_type in (None, "Tuning"):
        yield HYPER_PARAMETER_TUNING_JOB, tuning_job_name(name)


def _trainings(
    store: Store, resources: list[Resource], known: Mapping[tuple[str, str], None]
) -> list[Resource]:
    """The training jobs of a tuning job that are not known by their folders."""
    heads = tuple(f"{found.name}-" for found in resources if found.kind == HYPER_PARAMETER_TUNING_JOB)
    jobs = {str(job["TrainingJobName"]): job for job in (store.all(TRAINING_JOB) if heads else [])}
    return [
        Resource(kind=TRAINING_JOB, name=name, body=job)
        for name, job in jobs.items()
        if name.startswith(heads) and (TRAINING_JOB, name) not in known
    ]


def _lists(store: Store, folder: Path) -> list[tuple[Path, tuple[str, ...]]]:
    """The lists of objects of a step: its own first, then those of a tuning step's training jobs.

    Other folders are trees of containers, and what they call a list is none.
    """
    trainings = [path for path in _folders(folder) if store.find(TRAINING_JOB, path.name)]
    return [(path, _held(store, path)) for path in (folder, *trainings)]


def _held(store: Store, folder: Path) -> tuple[str, ...]:
    try:
        return tuple(stored.held(folder, store.objects))
    except (ObjectError, UnicodeDecodeError, OSError) as error:
        raise DamagedList(
            f"{folder}: the list of what was stored is damaged: {error}; repair stored.txt, or delete it if "
            "these objects may stay for good"
        ) from None


def _folders(folder: Path) -> list[Path]:
    if folder.is_symlink() or not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.is_symlink())


def _destinations(resource: Resource) -> Iterator[str]:
    for place in written(resource.body):
        yield place
        if resource.kind == TRAINING_JOB:
            # S3OutputPath is where the service makes a folder for each job.
            yield f"{place}/{resource.name}"
