"""A disk that fills up, for real: the state lies on a small file system of its own."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.toys import definition, get, output_of, processing, register, training
from workflows.local.container import namespaces_work

WRITE = "dd if=/dev/zero of=/opt/ml/processing/output/out/data bs=1k count=$0"


def pipeline():
    step = processing("Prepare", WRITE)
    step["Arguments"]["AppSpecification"]["ContainerArguments"].append(get("Parameters.Kilobytes"))
    return definition(
        step,
        training("Train", channels={"train": output_of("Prepare", "out")}),
        register("Register", "toys", "Train"),
        parameters=[{"Name": "Kilobytes", "Type": "String", "DefaultValue": "10"}],
    )


SCRIPT = """
mkdir small && mount -t tmpfs -o size=6m none small || exit 99
workflows --home small run toys.json; echo "first $?"
workflows --home small run toys.json --set Kilobytes=5000; echo "second $?"
workflows --home small models list
workflows --home small executions
mount -o remount,size=40m small || exit 98
workflows --home small resume latest; echo "resumed $?"
workflows --home small models list
"""


@pytest.mark.skipif(not namespaces_work() or os.getuid() != 0, reason="mounting needs root")
def test_a_full_disk_fails_the_run_leaves_earlier_results_and_is_resumed_with_more_room(workflows):
    workflows.write("toys.json", pipeline())
    environment = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(workflows.folder),
    }
    unshare = shutil.which("unshare")
    done = subprocess.run(
        [unshare, "--mount", "sh", "-c", SCRIPT],
        cwd=workflows.folder,
        env=environment,
        capture_output=True,
        text=True,
    )
    lines = done.stdout.splitlines()
    assert "first 0" in lines, done.stderr
    assert "second 1" in lines, done.stdout + done.stderr
    # Its input reached it without a copy, but its model did not fit; or, on a busy machine, it had no room to
    # start. That the log says so is not certain: its end may have had no room, either.
    assert re.search(r"^ERROR Step failure: Train: (AlgorithmError|ClientError): ", done.stderr, re.MULTILINE)
    assert not re.search(r"^Traceback", done.stderr, re.MULTILINE)
    before, after = lines[: lines.index("resumed 0")], lines[lines.index("resumed 0") :]
    assert [line.split()[0] for line in before if line.startswith("toys/")] == ["toys/1"]
    statuses = [line.split()[3] for line in before if line.split()[1:3] == ["toys", "1"]]
    assert statuses == ["Failed", "Succeeded"]
    assert [line.split()[0] for line in after if line.startswith("toys/")] == ["toys/1", "toys/2"]
