"""What may be removed, and what must stay.

An execution goes with its records, its folder and its pictures. An object goes if an execution that goes has
stored it and nobody that stays holds it: no other execution has stored it, and no record refers to it
(mentions.py). Records that stay are those of all other executions, of the registry, of endpoints and of what
these use, and the definitions. So the artifact of a registered version stays, whoever has made it.

An execution goes in part where an object or a resource of it is in use: the list that the object is in, the
record of the resource and the record of its step stay, with the execution's folder. Every later removal looks
at such rests again; so nothing is left that nobody knows of, and nothing is removed that somebody needs.

Checkpoints, and data that users have brought, stand in no list. Copies of input data go only when asked for.

This module changes nothing; sweep.py removes.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from workflows.definition.errors import WorkflowError
from workflows.definition.records import Record, last_part
from workflows.local.callbacks import CALLBACK_ANSWER
from workflows.local.holdings import Resource, StepHolding, holdings, list_files, run_folder
from workflows.local.journal import SUCCEEDED
from workflows.local.leftovers import input_copies, leftovers
from workflows.local.liveness import is_running
from workflows.local.records import CALLBACK, ENDPOINT_CONFIG, EXECUTION, EXECUTION_STEP, MODEL
from workflows.local.remaining import Remaining, remaining
from workflows.local.removal import files_of, obstacle, size_of_last_links
from workflows.local.store import Store


class NothingChosen(WorkflowError):
    """Nobody has said what is to go."""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What is to go, if nothing needs it. Each part narrows what the others choose."""

    executions: tuple[str, ...] = ()  # only these; all if empty
    keep: int | None = None  # not the newest of each pipeline, so many
    older_than: timedelta | None = None  # only those that have ended, or were last heard of, so long ago
    inputs: bool = False  # also copies of input data that no execution that stays refers to


@dataclass(frozen=True, kw_only=True)
class Share:
    """What goes of one execution."""

    execution: str
    record: Record | None  # None: an earlier removal had to leave something, and removes more of it now
    objects: tuple[str, ...]  # URIs
    records: tuple[tuple[str, str], ...]  # kind and name, in the order of their removal
    lists: tuple[Path, ...]  # files that stay: they say which objects the execution still holds
    is_whole: bool  # nothing of it is in use


@dataclass(frozen=True, kw_only=True)
class Kept:
    """What was chosen, and must stay."""

    execution: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Garbage:
    """Everything that may be removed."""

    shares: tuple[Share, ...]
    kept: tuple[Kept, ...]
    inputs: tuple[Path, ...] = ()
    leftovers: tuple[Path, ...] = ()
    size: int = 0  # bytes that removing it frees


def choose(store: Store, choice: Choice, *, now: datetime) -> list[str]:
    """The executions that somebody wants to be removed, newest first.

    Raises:
        NothingChosen: the choice would be all of them, or one that does not exist.
    """
    narrowed = choice.keep is not None or choice.older_than is not None
    if not (choice.executions or narrowed or choice.inputs):
        raise NothingChosen(
            "say what may go: EXECUTION …, --keep N (all but the newest N of each pipeline), "
            "--older-than DAYS or --inputs"
        )
    records = {_id(record): record for record in reversed(store.all(EXECUTION))}
    for name in choice.executions:
        if name not in records:
            raise NothingChosen(f"no execution '{name}'; `workflows executions` lists them")
    if not (choice.executions or narrowed):
        return []
    kept = _newest(records, choice.keep or 0)
    return [
        name
        for name, record in records.items()
        if (not choice.executions or name in choice.executions)
        and name not in kept
        and (choice.older_than is None or now - _last_heard_of(record) > choice.older_than)
    ]


def examine(
    store: Store,
    choice: Choice,
    chosen: Collection[str],
    *,
    now: datetime,
    ours: Collection[str] = (),
    gone: Collection[Record] = (),
) -> Garbage:
    """What can go, if the chosen executions and what is left of earlier ones go.

    Args:
        store: where everything is.
        choice: whether inputs go, too.
        chosen: ids of executions.
        now: the time.
        ours: executions that only seem to run, because whoever asks is holding them.
        gone: the records of executions that have just been removed.

    Raises:
        DamagedList: the list of what a step has stored cannot be read.
    """
    kept = held_back(store, chosen, ours=ours)
    going = [name for name in chosen if name not in kept]
    held = {name: holdings(store, name) for name in (*going, *rests(store, ours=ours))}
    steps = [step for steps in held.values() for step in steps]
    rest = remaining(
        store,
        going=held.keys(),
        resources=[resource for step in steps for resource in step.resources],
        objects={uri for step in steps for uri in step.uris},
    )
    shares = tuple(
        share for name, steps in held.items() if (share := _share(store, name, steps, rest)) is not None
    )
    records = [*gone, *(share.record for share in shares if share.record is not None)]
    garbage = Garbage(
        shares=shares,
        kept=tuple(Kept(execution=name, reason=reason) for name, reason in kept.items()),
        inputs=tuple(input_copies(store, rest, records, now=now)) if choice.inputs else (),
        leftovers=tuple(leftovers(store.home, now=now)),
    )
    return replace(garbage, size=size_of_last_links(_files(store, garbage)))


def held_back(store: Store, chosen: Collection[str], *, ours: Collection[str] = ()) -> dict[str, str]:
    """The chosen executions that must stay, and why."""
    records = {_id(record): record for record in store.all(EXECUTION)}
    running = {name for name in records if name not in ours and is_running(run_folder(store, name))}
    by_pipeline = {str(records[name]["PipelineArn"]): name for name in running}
    kept: dict[str, str] = {}
    for name in (name for name in chosen if name in records):
        # It may have looked up a result, and not yet written down that it uses it.
        neighbour = by_pipeline.get(str(records[name]["PipelineArn"]))
        if name in running:
            kept[name] = "it is running"
        elif neighbour:
            kept[name] = f"execution {neighbour} of the same pipeline is running, and may take its results"
        elif reason := obstacle(store.home, run_folder(store, name)):
            kept[name] = reason
    return kept | _sources(records, [name for name in chosen if name not in kept])


def rests(store: Store, *, ours: Collection[str] = ()) -> list[str]:
    """The folders of runs that belong to no execution: what removals had to leave, or did not come to."""
    known = {_id(record) for record in store.all(EXECUTION)}
    folder = store.home / "runs"
    names = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    return [
        name
        for name in names
        if name not in known
        and (folder / name).is_dir()
        and obstacle(store.home, folder / name) is None
        and (name in ours or not is_running(folder / name))
    ]


def _sources(records: Mapping[str, Record], going: Collection[str]) -> dict[str, str]:
    """Of executions that are to go, those whose results one that stays takes when it goes on."""
    kept: dict[str, str] = {}
    while True:
        users = {
            _source(record): name
            for name, record in records.items()
            if (name not in going or name in kept) and record["PipelineExecutionStatus"] != SUCCEEDED
        }
        more = {name: users[name] for name in going if name in users and name not in kept}
        if not more:
            return kept
        for name, user in more.items():
            kept[name] = f"execution {user}, which can be resumed, takes results of it"


def _source(record: Record) -> str | None:
    config = record.get("SelectiveExecutionConfig")
    arn = config.get("SourcePipelineExecutionArn") if isinstance(config, dict) else None
    return last_part(arn) if arn else None


def _share(store: Store, name: str, steps: list[StepHolding], rest: Remaining) -> Share | None:
    """What goes of one execution; None if nothing does."""
    record = store.find(EXECUTION, name)
    parts = [_part(name, step, rest) for step in steps]
    share = Share(
        execution=name,
        record=record,
        objects=tuple(uri for part in parts for uri in part.objects),
        records=(*_messages(store, name), *(key for part in parts for key in part.records)),
        lists=tuple(file for part in parts for folder in part.lists for file in list_files(folder)),
        is_whole=all(part.is_whole for part in parts),
    )
    return share if record or share.objects or share.records or share.is_whole else None


@dataclass(frozen=True, kw_only=True)
class _Part:
    """What goes of one step."""

    objects: list[str]
    records: list[tuple[str, str]]
    lists: list[Path]
    is_whole: bool


def _part(execution: str, step: StepHolding, rest: Remaining) -> _Part:
    needed = {uri for uri in step.uris if rest.needs(uri, step.destination(uri))}
    staying = [found for found in step.resources if _stays(found, rest, holds_objects=bool(needed))]
    going = [(found.kind, found.name) for found in step.resources if found not in staying]
    is_whole = not needed and not staying
    return _Part(
        objects=sorted(step.uris - needed),
        # The step's record leads to the others: it goes after them.
        records=[*going, (EXECUTION_STEP, f"{execution}/{step.step}")] if is_whole else going,
        lists=[folder for folder, uris in step.objects.items() if needed.intersection(uris)],
        is_whole=is_whole,
    )


def _stays(resource: Resource, rest: Remaining, *, holds_objects: bool) -> bool:
    if (resource.kind, resource.name) in rest.resources:
        return True
    # A job says where its objects were to be written, which decides whether they are in use.
    return holds_objects and resource.kind not in (MODEL, ENDPOINT_CONFIG)


def _messages(store: Store, execution: str) -> Iterator[tuple[str, str]]:
    """The questions of callback steps, and the answers."""
    for kind, name, owner in (
        (CALLBACK_ANSWER, "CallbackToken", "PipelineExecutionArn"),
        (CALLBACK, "token", "pipelineExecutionArn"),
    ):
        for body in store.all(kind):
            if last_part(body[owner]) == execution:
                yield kind, str(body[name])


def _files(store: Store, garbage: Garbage) -> Iterator[Path]:
    for share in garbage.shares:
        yield from (store.objects.path(uri) for uri in share.objects)
        for path in folders_of(store, share.execution):
            yield from (file for file in files_of(path) if file not in share.lists)
    for folder in (*garbage.inputs, *garbage.leftovers):
        yield from files_of(folder)


def folders_of(store: Store, execution: str) -> tuple[Path, Path]:
    """Where an execution's files are, apart from objects: those of its run, and pictures."""
    return run_folder(store, execution), store.home / "pictures" / execution


def _newest(records: Mapping[str, Record], count: int) -> set[str]:
    """The newest executions of each pipeline; `records` begin with the newest."""
    left: Counter[str] = Counter()
    found = set()
    for name, record in records.items():
        left[str(record["PipelineArn"])] += 1
        if left[str(record["PipelineArn"])] <= count:
            found.add(name)
    return found


def _last_heard_of(record: Record) -> datetime:
    return datetime.fromisoformat(str(record["LastModifiedTime"]))


def _id(record: Record) -> str:
    return last_part(record["PipelineExecutionArn"])
