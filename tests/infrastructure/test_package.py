"""The functions' archive: the same bytes for the same code, and nothing that it lacks."""

import io
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.infrastructure.templates import TEMPLATE

ROOT = Path(__file__).parents[2]
PARTS = ("infrastructure", "workflows/aws", "workflows/definition", "workflows/__init__.py")


@pytest.fixture
def project(tmp_path):
    """A copy of what the archive is made from, with other times."""
    for part in PARTS:
        source, target = ROOT / part, tmp_path / "project" / part
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copyfile(source, target)
    for path in (tmp_path / "project").rglob("*"):
        os.utime(path, (10**9, 10**9))
    return tmp_path / "project"


def packed(project):
    done = subprocess.run(
        [sys.executable, "-m", "infrastructure.package", "build"],
        cwd=project,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(project)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_times_and_places_change_nothing(project, tmp_path):
    key = packed(project)
    moved = project.rename(tmp_path / "moved")
    for path in moved.rglob("*"):
        os.utime(path, (2 * 10**9, 2 * 10**9))
    assert packed(moved) == key


@pytest.mark.parametrize(
    ("file", "is_packed"),
    [
        pytest.param("infrastructure/functions/deploy_approved_model.py", True, id="handler"),
        pytest.param("workflows/aws/deployment.py", True, id="operation"),
        pytest.param("workflows/definition/records.py", True, id="definition"),
        pytest.param("infrastructure/template.yaml", False, id="template"),
        pytest.param("infrastructure/functions/README.md", False, id="text"),
    ],
)
def test_the_key_changes_with_the_code_and_with_nothing_else(project, file, is_packed):
    key = packed(project)
    with (project / file).open("a") as changed:
        changed.write("\n")
    assert (packed(project) != key) is is_packed


CALL = """
import importlib, sys
sys.path.insert(0, sys.argv[1])
module, _, name = sys.argv[2].rpartition(".")
assert callable(getattr(importlib.import_module(module), name))
own = [m for m in list(sys.modules.values()) if m.__name__.split(".")[0] in ("workflows", module)]
import json
print(json.dumps([str(getattr(m, "__file__", "")) for m in own]))
"""


@pytest.mark.parametrize("function", ["FindApprovedModel", "DeployApprovedModel"])
def test_a_function_finds_everything_in_the_archive(project, tmp_path, function):
    archive = project / "build" / packed(project)
    handler = TEMPLATE["Resources"][function]["Properties"]["Handler"]
    argv = [sys.executable, "-c", CALL, str(archive), handler]
    done = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    files = json.loads(done.stdout)
    assert files
    assert [file for file in files if not file.startswith(str(archive))] == []


def test_the_archive_can_be_read_by_everybody(project):
    content = (project / "build" / packed(project)).read_bytes()
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert {entry.external_attr >> 16 for entry in archive.infolist()} == {0o644}
