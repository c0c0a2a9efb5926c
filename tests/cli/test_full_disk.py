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
"""


@pytest.mark.skipif(not namespaces_work() or os.getuid() != 0, reason="mounting needs root")
def test_a_full_disk_fails_the_run_and_leaves_earlier_results(workflows):
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
    assert re.search(
        r"ERROR Step failure: Train: .* 5120000 bytes do not fit into .*, which has \d+ left", done.stderr
    )
    assert "Traceback" not in done.stderr
    assert any(line.startswith("toys/1") for line in lines)
    assert not any(line.startswith("toys/2") for line in lines)
    assert [line.split()[2] for line in lines[-2:]] == ["Failed", "Succeeded"]
