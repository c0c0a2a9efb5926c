"""Removing, under bad conditions: killed at any moment, wrong lists, links, mounts, others in the way."""

import os
import shutil
import sys
from datetime import UTC, datetime

import pytest

from tests.local import stores
from tests.toys import definition, output_of, processing, register, training
from workflows.local.comparison import compare
from workflows.local.garbage import Choice, examine
from workflows.local.holdings import DamagedList
from workflows.local.liveness import engine_of, is_running
from workflows.local.records import EXECUTION
from workflows.local.store import Store
from workflows.local.sweep import sweep

CACHED = {"CacheConfig": {"Enabled": True}}
NOW = datetime.now(UTC)
# What changes something, or is about to.
CHANGES = ("os.remove", "os.rmdir", "os.rename", "sqlite3.connect")
KILLED = 9


def pipeline(map_="0.5"):
    return definition(
        processing("Prepare", "echo birds > /opt/ml/processing/output/out/data.txt", **CACHED),
        training("Train", channels={"train": output_of("Prepare", "out")}, hyperparameters={"map": map_}),
        register("Register", "birds", "Train"),
    )


def run(machine, text=None):
    return machine.run(text or pipeline()).execution


def in_a_child(store, choice, on_change):
    """Sweep in a process of its own, which calls `on_change` before each change; returns its exit code."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            count = iter(range(1_000_000))
            sys.addaudithook(lambda event, _: on_change(next(count), event) if event in CHANGES else None)
            code = 1 if sweep(store, choice, now=NOW).failures else 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def state(store):
    return stores.files(store), stores.records(store), stores.run_folders(store)


def test_a_removal_that_is_killed_leaves_a_readable_state_and_a_second_one_finishes(machine, tmp_path):
    first, second = run(machine), run(machine)
    needed = stores.objects(machine.store) - {
        uri for uri in stores.objects(machine.store) if f"{first.id}/models" in uri
    }
    choice = Choice(executions=(first.id,))
    undisturbed = Store(shutil.copytree(machine.store.home, tmp_path / "undisturbed"))
    assert sweep(undisturbed, choice, now=NOW).failures == ()
    counted = Store(shutil.copytree(machine.store.home, tmp_path / "counted"))
    read, write = os.pipe()
    assert in_a_child(counted, choice, lambda *_: os.write(write, b".")) == 0
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        changes = len(pipe.read())
    assert changes > 30
    for moment in range(0, changes, 5):
        store = Store(shutil.copytree(machine.store.home, tmp_path / f"killed-{moment}"))
        killed = in_a_child(
            store, choice, lambda count, _, at=moment: os._exit(KILLED) if count == at else None
        )
        assert killed == KILLED
        assert needed <= stores.objects(store)
        assert not compare(store, second.id, second.id).differs
        if store.find(EXECUTION, first.id) is None:
            again = Choice(keep=9)  # the rest of it goes with any removal
        else:
            assert compare(store, first.id, second.id).before.status == "Succeeded"
            again = choice
        assert sweep(store, again, now=NOW).failures == ()
        assert state(store) == state(undisturbed)
        shutil.rmtree(store.home)


def test_nobody_can_resume_what_is_being_removed(machine):
    execution = run(machine, definition(processing("Fail", "exit 1")))
    read, write = os.pipe()

    def on_change(_, event):
        # The lock is the last file to go, when there is nothing any more to resume.
        if event.startswith("os.") and (execution.folder / "engine.lock").exists():
            os.write(write, b"h" if is_running(execution.folder) else b"free")

    assert in_a_child(machine.store, Choice(executions=(execution.id,)), on_change) == 0
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        seen = pipe.read()
    assert seen == b"h" * len(seen) != b""
    assert not execution.folder.exists()


def test_results_are_withdrawn_before_it_is_decided_what_is_in_use(machine):
    """An execution that takes a result from the cache in the last moment has it in its records by then."""
    execution = run(machine)
    read, write = os.pipe()

    def on_change(_, event):
        gone = not machine.store.objects.path(f"s3://toys/{execution.id}/Prepare/out/data.txt").exists()
        if event.startswith("os.") and gone:
            left = any(kind == "step-result" for kind, *_ in stores.records(machine.store))
            os.write(write, b"wrong" if left else b".")

    assert in_a_child(machine.store, Choice(executions=(execution.id,)), on_change) == 0
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        seen = pipe.read()
    assert seen == b"." * len(seen) != b""


def test_what_another_process_holds_is_left_and_told(machine):
    execution = run(machine)
    before = state(machine.store)
    with engine_of(execution.folder):
        swept = sweep(machine.store, Choice(executions=(execution.id,)), now=NOW)
    assert [kept.reason for kept in swept.garbage.kept] == ["it is running"]
    assert state(machine.store) == before


@pytest.fixture
def outside(tmp_path):
    (tmp_path / "outside/Prepare").mkdir(parents=True)
    (tmp_path / "outside/Prepare/precious").write_text("precious")
    return tmp_path / "outside"


def test_a_folder_that_is_a_link_is_left_and_told(machine, outside):
    execution = run(machine)
    shutil.rmtree(execution.folder)
    execution.folder.symlink_to(outside)
    swept = sweep(machine.store, Choice(executions=(execution.id,)), now=NOW)
    assert [kept.reason for kept in swept.garbage.kept] == [f"{execution.folder} is a symbolic link"]
    assert (outside / "Prepare/precious").exists()
    assert machine.store.find(EXECUTION, execution.id) is not None


def test_objects_behind_a_link_are_left_and_told(machine, outside):
    execution = run(machine)
    folder = machine.store.home / "s3/toys" / execution.id
    folder.rename(outside / "moved")
    folder.symlink_to(outside / "moved")
    swept = sweep(machine.store, Choice(executions=(execution.id,)), now=NOW)
    assert [f"{folder} is a symbolic link" in failure for failure in swept.failures] == [True]
    assert (outside / "moved/Prepare/out/data.txt").read_text() == "birds\n"
    assert machine.store.find(EXECUTION, execution.id) is not None


def list_of(execution):
    return execution.folder / "Prepare/stored.txt"


def test_a_list_that_leads_outside_removes_nothing_there(machine, outside):
    execution = run(machine)
    found = (outside / "Prepare/precious").stat()
    # A key with a leading '/': an absolute path, if it were simply joined to the folder of its bucket.
    list_of(execution).write_text(f"s3://toys/{outside}/Prepare/precious\n")
    (execution.folder / "Prepare/stored-states.txt").write_text(f"{found.st_size} {found.st_mtime_ns}\n")
    sweep(machine.store, Choice(executions=(execution.id,)), now=NOW)
    assert (outside / "Prepare/precious").exists()


@pytest.mark.parametrize(
    "content",
    [pytest.param(b"\xff\xfe\n", id="no-text"), pytest.param(b"s3://toys/../x\n", id="dots")],
)
def test_a_damaged_list_stops_everything(machine, content):
    first, second = run(machine), run(machine)
    before = stores.objects(machine.store)
    (second.folder / "Train/stored.txt").write_bytes(content)
    for name in (first.id, second.id):
        with pytest.raises(DamagedList, match=f"{second.id}/Train: the list of what was stored"):
            examine(machine.store, Choice(), [name], now=NOW)
        with pytest.raises(DamagedList):
            sweep(machine.store, Choice(executions=(name,)), now=NOW)
    assert stores.objects(machine.store) == before


def test_a_list_in_a_containers_tree_is_none(machine):
    victim = run(machine)
    target = f"s3://toys/{victim.id}/Prepare/out/data.txt"
    state_of = machine.store.objects.path(target).stat()
    script = (
        f"echo {target} > /opt/ml/stored.txt; "
        f"echo {state_of.st_size} {state_of.st_mtime_ns} > /opt/ml/stored-states.txt; exit 1"
    )
    hostile = run(machine, definition(processing("Hostile", script)))
    assert (hostile.folder / "Hostile/opt-ml/stored.txt").exists()
    assert sweep(machine.store, Choice(executions=(hostile.id,)), now=NOW).failures == ()
    assert target in stores.objects(machine.store)


def test_more_executions_than_fit_into_one_go_share_objects_and_all_go(machine, monkeypatch):
    monkeypatch.setattr("workflows.local.sweep._AT_ONCE", 1)
    for _ in range(3):
        run(machine, definition(processing("Prepare", "date > /opt/ml/processing/output/out/x", **CACHED)))
    swept = sweep(machine.store, Choice(keep=0), now=NOW)
    assert len([share for share in swept.garbage.shares if share.record]) == 3
    assert state(machine.store) == ({}, set(), [])
