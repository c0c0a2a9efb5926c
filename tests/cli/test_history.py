"""`workflows executions`, `show`, `diff`, `gc` and `versions`, on what has really run."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.toys import definition, get, output_of, processing, register, training
from workflows.local.container import namespaces_work
from workflows.local.liveness import engine_of
from workflows.local.records import EXECUTION
from workflows.local.store import Store

CACHED = {"CacheConfig": {"Enabled": True, "ExpireAfter": "P30D"}}
LONG = "a" * 100


def pipeline(script="echo birds", kilobytes=1):
    write = f"{script} > /opt/ml/processing/output/out/data.txt; head -c {kilobytes}000 /dev/zero > "
    return definition(
        processing("Prepare", f"{write}/opt/ml/processing/output/out/zeros", **CACHED),
        training(
            "Train",
            channels={"train": output_of("Prepare", "out")},
            hyperparameters={"map": get("Parameters.Map"), "note": get("Parameters.Note")},
            **CACHED,
        ),
        register("Register", "toys", "Train"),
        parameters=[
            {"Name": "Map", "Type": "String", "DefaultValue": "0.25,0.5"},
            {"Name": "Note", "Type": "String", "DefaultValue": "short"},
        ],
    )


@pytest.fixture
def toys(workflows):
    return workflows.write("toys.json", pipeline())


def run(workflows, *arguments):
    done = workflows("run", *arguments)
    assert done.returncode == 0, done.stderr
    return re.search(r"execution (\w+) of", done.stderr)[1]


def test_show_says_where_results_come_from_and_why_steps_ran(workflows, toys):
    first, second = run(workflows, toys), run(workflows, toys, "--set", "Map=0.75", "--set", f"Note={LONG}")
    assert "Prepare was not in the cache: no earlier execution" in workflows("show", first).stdout
    lines = workflows("show").stdout.splitlines()
    assert lines[0].split() == ["STEP", "TYPE", "STATUS", "SECONDS", "ATTEMPTS", "FROM"]
    (prepare,) = [line for line in lines if line.startswith("Prepare ")]
    assert prepare.endswith(f"1         cache, execution {first}")
    why = lines.index(f"Train was not in the cache: arguments have changed, compared with execution {first}")
    assert lines[why + 1 : why + 3] == [
        "  HyperParameters.map: 0.25,0.5 -> 0.75",
        f"  HyperParameters.note: short -> {'a' * 39}…{'a' * 20}",
    ]
    assert "pipeline   toys version 1" in lines
    assert f"parameter  Note = {LONG}" in lines
    assert f"execution  {second} Succeeded" in lines
    assert "metric     Train validation:mAP 0.7500" in lines
    assert any("instance types mean nothing here" in line for line in lines)
    document = workflows.json("show", second)
    steps = {step["StepName"]: step for step in document["Steps"]}
    assert steps["Train"]["CacheMiss"]["Changed"][1] == {
        "Field": "HyperParameters.note",
        "Before": "short",
        "After": LONG,
    }
    assert {"StepName", "Field", "Value", "Effect"} == set(document["Differences"][0])


def test_show_names_what_was_selected(workflows, toys):
    first = run(workflows, toys)
    second = run(workflows, toys, "--steps", "Register")
    shown = workflows("show", second).stdout
    assert f"selected   Register; other results are those of execution {first}\n" in shown
    (train,) = [line for line in shown.splitlines() if line.startswith("Train ")]
    assert train.endswith(f"execution {first}")


def test_executions_are_listed_newest_first_with_those_whose_engine_is_gone(workflows, toys):
    other = workflows.write("others.json", definition(processing("Fail", "exit 3")))
    first = run(workflows, toys)
    assert workflows("run", other).returncode == 1
    store = Store(workflows.folder / ".workflows")
    # As a kill -9 leaves it.
    store.change(EXECUTION, first, lambda record: {**record, "PipelineExecutionStatus": "Executing"})
    done = workflows("executions")
    rows = [re.split(r"  +", line) for line in done.stdout.splitlines()]
    assert [row[1:4] for row in rows] == [
        ["PIPELINE", "VERSION", "STATUS"],
        ["others", "1", "Failed"],
        ["toys", "1", "Executing, engine gone"],
    ]
    assert f"workflows resume {first}" in done.stderr
    (listed,) = workflows.json("executions", "--pipeline", "toys")
    assert (listed["execution"], listed["EngineRunning"], listed["Seconds"]) == (first, False, None)
    assert "Differences" not in listed
    shown = workflows("show", first)
    assert f"execution  {first} Executing, engine gone" in shown.stdout
    assert f"workflows resume {first}" in shown.stderr
    with engine_of(store.home / "runs" / first):
        assert workflows.json("show", first)["EngineRunning"] is True
    assert workflows("resume", first).returncode == 0
    assert "EngineRunning" not in workflows.json("show", first)


def test_diff_shows_only_what_differs(workflows, toys):
    first, second = run(workflows, toys), run(workflows, toys, "--no-cache")
    third = run(workflows, toys, "--set", "Map=0.75")
    same = workflows("diff", first, second)
    assert (same.returncode, same.stdout.splitlines()[-1]) == (0, "Nothing differs but the time.")
    rows = [re.split(r"  +", line) for line in workflows("diff", first, "latest").stdout.splitlines()]
    assert rows[1][:4] == [first, "toys", "1", "Succeeded"]
    assert rows[2][:4] == [third, "toys", "1", "Succeeded"]
    table = [row for row in rows[4:] if row[0] != "step"]
    assert table == [
        ["WHAT", "NAME", first, third, "DIFFERENCE"],
        ["parameter", "Map", "0.25,0.5", "0.75"],
        ["metric", "Train validation:mAP", "0.5", "0.75", "+0.25"],
    ]
    (step,) = [row for row in rows if row[0] == "step"]
    assert step[1] == "Prepare"
    assert step[3] == f"Succeeded, from execution {second}"


def test_diff_as_json_has_everything_of_both(workflows, toys):
    first = run(workflows, toys)
    workflows.write("toys.json", pipeline(script="echo finches"))
    second = run(workflows, toys)
    document = workflows.json("diff", first, second)
    assert (document["Before"]["PipelineVersionId"], document["After"]["PipelineVersionId"]) == (1, 2)
    assert document["Differs"] is True
    changed = document["Definition"]
    assert [change["Field"] for change in changed] == [
        "Steps.Prepare.Arguments.AppSpecification.ContainerArguments[0]"
    ]
    assert "finches" in changed[0]["After"]
    steps = {entry["StepName"]: entry["After"]["StepStatus"] for entry in document["Steps"]}
    assert steps == {"Prepare": "Succeeded", "Train": "Succeeded", "Register": "Succeeded"}
    assert document["Metrics"] == [
        {
            "StepName": "Train",
            "MetricName": "validation:mAP",
            "Before": 0.5,
            "After": 0.5,
            "Difference": 0.0,
        }
    ]
    (package,) = document["ModelPackages"]
    assert package["After"]["ModelPackageArn"].endswith("model-package/toys/2")


def test_diff_of_two_pipelines_says_so(workflows, toys):
    first = run(workflows, toys)
    second = run(workflows, workflows.write("others.json", pipeline()))
    lines = workflows("diff", first, second).stdout.splitlines()
    assert "These are executions of different pipelines; their steps are matched by name." in lines
    assert any(re.match(r"execution +PipelineName +toys +others", line) for line in lines)


def test_gc_shows_first_and_removes_when_told(workflows, toys):
    first, second = run(workflows, toys), run(workflows, toys, "--no-cache")
    home = workflows.folder / ".workflows"
    dry = workflows("gc", "--keep", "1")
    assert dry.returncode == 0
    # The two objects of Prepare; the artifact is that of a registered version.
    assert re.search(rf"^{first} +toys +Succeeded +\S+ +2 +what others use$", dry.stdout, re.MULTILINE)
    last = dry.stdout.splitlines()[-1]
    assert re.fullmatch(r"would remove 1 executions, 1 folders, 2 objects: \d+\.\d kB", last)
    assert "--delete" in dry.stderr
    assert workflows.json("gc", "--keep", "1")["Deleted"] is False
    assert (home / "runs" / first).exists()
    document = workflows.json("gc", "--keep", "1", "--delete")
    assert document["Deleted"] is True
    assert [share["execution"] for share in document["Executions"]] == [first]
    assert document["Executions"][0]["Objects"] == [
        f"s3://toys/{first}/Prepare/out/data.txt",
        f"s3://toys/{first}/Prepare/out/zeros",
    ]
    assert document["Bytes"] > 1000
    assert (document["Kept"], document["Failures"]) == ([], [])
    assert [entry["execution"] for entry in workflows.json("executions")] == [second]
    assert len(workflows.json("models", "list")) == 2
    assert workflows("show", first).returncode == 2


def test_gc_tells_what_must_stay(workflows, toys):
    execution = run(workflows, toys)
    with engine_of(workflows.folder / ".workflows/runs" / execution):
        done = workflows("gc", "latest", "--delete")
    assert (done.returncode, done.stdout.splitlines()) == (
        0,
        [f"kept      {execution}: it is running", "removed 0 executions, 0 folders, 0 objects: 0 B"],
    )


@pytest.mark.parametrize(
    ("arguments", "fragment"),
    [
        pytest.param(["gc"], "say what may go", id="gc-nothing"),
        pytest.param(["gc", "--delete"], "say what may go", id="gc-all"),
        pytest.param(["gc", "abc"], "no execution 'abc'", id="gc-unknown"),
        pytest.param(["gc", "--keep", "-1"], "-1 is not in the range", id="gc-negative"),
        pytest.param(["diff", "latest", "abc"], "nothing has run here yet", id="diff-before-anything"),
        pytest.param(["versions", "toys"], "no pipeline 'toys' has run here", id="versions"),
        pytest.param(
            ["executions", "--pipeline", "toys"], "no pipeline 'toys' has run here", id="executions"
        ),
    ],
)
def test_wrong_use_is_told_in_one_message_and_exits_with_2(workflows, arguments, fragment):
    done = workflows(*arguments)
    assert (done.returncode, fragment in done.stderr) == (2, True), done.stderr
    assert "Traceback" not in done.stderr


def test_versions_are_listed_with_their_last_executions(workflows, toys):
    first = run(workflows, toys)
    workflows.write("toys.json", pipeline(script="echo finches"))
    run(workflows, toys)
    third = run(workflows, toys)
    rows = [re.split(r"  +", line) for line in workflows("versions", "toys").stdout.splitlines()]
    assert [[row[0], *row[2:]] for row in rows] == [
        ["VERSION", "STEPS", "LAST EXECUTION"],
        ["1", "3", first],
        ["2", "3", third],
    ]
    listed = workflows.json("versions", "toys")
    assert [entry["LastExecutionPipelineExecutionArn"].rpartition("/")[2] for entry in listed] == [
        first,
        third,
    ]
    assert [step["Name"] for step in listed[0]["Steps"]] == ["Prepare", "Train", "Register"]
    near = workflows("versions", "toy")
    assert "did you mean 'toys'?" in near.stderr


# Records cannot be opened on a disk without any room; 100 kB are left.
NEARLY_FULL = """
mkdir small && mount -t tmpfs -o size=8m none small || exit 99
workflows --home small run toys.json; echo "run $?"
head -c 100000 /dev/zero > small/spare
dd if=/dev/zero of=small/filler bs=1k 2>/dev/null
rm small/spare
workflows --home small gc latest; echo "dry $?"
workflows --home small gc latest --delete; echo "gc $?"
df --output=avail small | tail -1
workflows --home small executions --json
"""


@pytest.mark.skipif(not namespaces_work() or os.getuid() != 0, reason="mounting needs root")
def test_gc_makes_room_on_a_disk_that_is_nearly_full(workflows):
    write = "head -c 5000000 /dev/zero > /opt/ml/processing/output/out/zeros"
    workflows.write("toys.json", definition(processing("Prepare", write)))
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        [shutil.which("unshare"), "--mount", "sh", "-c", NEARLY_FULL],
        cwd=workflows.folder,
        env={"PATH": path, "HOME": str(workflows.folder)},
        capture_output=True,
        text=True,
    )
    lines = done.stdout.splitlines()
    codes = [line for line in lines if re.match("(run|dry|gc) ", line)]
    assert codes == ["run 0", "dry 0", "gc 0"], done.stderr
    assert int(lines[-2]) * 1024 > 5_000_000
    assert lines[-1] == "[]"
