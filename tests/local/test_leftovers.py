import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from tests.local import stores
from tests.toys import definition, get, processing
from workflows.local.garbage import Choice, choose, examine
from workflows.local.leftovers import leftovers
from workflows.local.sweep import sweep

NOW = datetime.now(UTC)
IN_TWO_HOURS = NOW + timedelta(hours=2)
READ = definition(
    processing("Read", "true", inputs={"data": get("Parameters.InputDataUrl")}),
    parameters=[{"Name": "InputDataUrl", "Type": "String"}],
)
COPY = "s3://ours/toys/input/{}"
FIRST, SECOND = "0123456789ab", "ba9876543210"


@pytest.fixture
def dead_process():
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    return str(done.pid)


def test_what_was_never_finished_is_a_leftover_once_nobody_can_be_writing_it(tmp_path):
    (tmp_path / "partial/tmp1").mkdir(parents=True)
    (tmp_path / "partial/tmp1/object").write_text("half")
    assert list(leftovers(tmp_path, now=NOW)) == []
    assert list(leftovers(tmp_path, now=IN_TWO_HOURS)) == [tmp_path / "partial/tmp1"]


def test_folders_of_endpoints_are_leftovers_when_their_process_is_gone(tmp_path, dead_process):
    for name in (dead_process, str(os.getpid()), "notes"):
        (tmp_path / "endpoints/birds" / name).mkdir(parents=True)
    assert list(leftovers(tmp_path, now=NOW)) == [tmp_path / "endpoints/birds" / dead_process]


def test_links_are_no_leftovers(tmp_path, dead_process):
    for folder in ("partial", "endpoints/birds", "outside"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "partial/tmp1").symlink_to(tmp_path / "outside")
    (tmp_path / "endpoints/birds" / dead_process).symlink_to(tmp_path / "outside")
    assert list(leftovers(tmp_path, now=IN_TWO_HOURS)) == []


def test_any_removal_takes_leftovers_and_runs_without_an_execution(machine, dead_process):
    outcome = machine.run(definition(processing("Make", "echo x > /opt/ml/processing/output/out/x")))
    before = stores.files(machine.store)
    home = machine.store.home
    for folder in ("partial/tmp1", f"endpoints/birds/{dead_process}", "runs/zzzzzzzzzzzz/Step"):
        (home / folder).mkdir(parents=True)
        (home / folder / "file").write_text("12345")
    choice = Choice(keep=1)
    foretold = examine(machine.store, choice, choose(machine.store, choice, now=NOW), now=IN_TWO_HOURS)
    assert (len(foretold.leftovers), [share.execution for share in foretold.shares]) == (2, ["zzzzzzzzzzzz"])
    swept = sweep(machine.store, choice, now=IN_TWO_HOURS)
    assert (swept.garbage.size, foretold.size, swept.failures) == (15, 15, ())
    assert stores.files(machine.store) == before
    assert stores.run_folders(machine.store) == [outcome.execution.id]


def bring(machine, fingerprint):
    machine.put(f"{COPY.format(fingerprint)}/one.txt", "1")
    machine.put(f"{COPY.format(fingerprint)}/deep/two.txt", "2")
    return COPY.format(fingerprint)


def copies(machine):
    return sorted({location.key.split("/")[2] for location, _ in machine.store.objects.keys("s3://ours/")})


def remove(machine, *names, now=NOW, **choice):
    choice = Choice(executions=names, **choice)
    foretold = examine(machine.store, choice, choose(machine.store, choice, now=now), now=now)
    swept = sweep(machine.store, choice, now=now)
    assert swept.failures == ()
    assert swept.garbage.inputs == foretold.inputs
    return swept.garbage


def test_copies_of_input_data_go_only_when_asked_for(machine):
    outcome = machine.run(READ, InputDataUrl=bring(machine, FIRST))
    remove(machine, outcome.execution.id)
    assert copies(machine) == [FIRST]
    remove(machine, inputs=True, now=IN_TWO_HOURS)
    assert copies(machine) == []


def test_a_copy_stays_as_long_as_an_execution_refers_to_it(machine):
    first = machine.run(READ, InputDataUrl=bring(machine, FIRST))
    again = machine.run(READ, InputDataUrl=COPY.format(FIRST))
    second = machine.run(READ, InputDataUrl=f"{bring(machine, SECOND)}/deep")
    remove(machine, first.execution.id, inputs=True)
    assert copies(machine) == sorted([FIRST, SECOND])
    remove(machine, again.execution.id, inputs=True)
    assert copies(machine) == [SECOND]
    remove(machine, second.execution.id, inputs=True, now=IN_TWO_HOURS)
    assert copies(machine) == []


def test_a_copy_whose_execution_is_still_to_come_stays(machine):
    bring(machine, FIRST)
    remove(machine, inputs=True)
    assert copies(machine) == [FIRST]


def test_only_copies_are_taken_for_copies(machine):
    machine.put("s3://ours/toys/input/birds/one.txt", "1")
    remove(machine, inputs=True, now=IN_TWO_HOURS)
    assert copies(machine) == ["birds"]
