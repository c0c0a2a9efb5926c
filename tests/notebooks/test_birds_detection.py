"""The notebook as a person runs it: cell by cell, in a kernel, against a server in a process of its own."""

import base64
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from PIL import Image

from workflows.aws import endpoints, executions, pipelines, registry
from workflows.aws.clients import Clients

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "birds_detection.ipynb"
NAME = "birds-detection"
CELL_LIMIT_S = 600
# Goes behind the cell that is tagged `parameters`: two species, and just enough training for boxes.
BRIEFLY = """
PARAMETERS |= {
    "Species": "17,73", "Epochs": "1", "IncrementalEpochs": "1", "MapThreshold": "0.0",
    "LrSchedulerStep": "1", "IncrementalLrSchedulerStep": "1", "ImageShape": "96",
}
DRAWN, PICTURES, THRESHOLD = 30, 4, 0.2
"""


@dataclass
class Run:
    """What the cells left behind."""

    cells: dict  # id -> cell
    execution: dict
    versions: list
    endpoint: dict
    deleted: str  # what the last cell printed when it was run again with CLEAN_UP
    left: tuple  # pipeline and endpoint after that

    def text(self, cell):
        return "".join(entry["text"] for entry in self.cells[cell].outputs if entry.output_type == "stream")

    def pictures(self, cell):
        shown = [entry.data for entry in self.cells[cell].outputs if "data" in entry]
        return [
            Image.open(BytesIO(base64.b64decode(data["image/png"]))) for data in shown if "image/png" in data
        ]


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """Of a person who has nothing configured: no AWS profile, no kernels of their own."""
    home = tmp_path_factory.mktemp("home")
    own = {"HOME": str(home), "IPYTHONDIR": str(home / "ipython"), "JUPYTER_DATA_DIR": str(home / "jupyter")}
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(("AWS_", "WORKFLOWS_", "SAGEMAKER_"))]:
            patch.delenv(name)
        for name, value in own.items():
            patch.setenv(name, value)
        yield dict(os.environ)


@pytest.fixture(scope="module")
def server(environment, tmp_path_factory):
    """The address of `workflows serve`."""
    folder = tmp_path_factory.mktemp("machine")
    command = [str(Path(sys.executable).with_name("workflows")), "serve", "--port", "0"]
    with (
        (folder / "log").open("w") as log,
        subprocess.Popen(
            command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=log, text=True
        ) as process,
    ):
        try:
            yield process.stdout.readline().split()[-1]
        finally:
            process.terminate()


@pytest.fixture(scope="module")
def run(environment, server, tmp_path_factory):
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    (choices,) = [number for number, cell in enumerate(notebook.cells) if "tags" in cell.metadata]
    assert notebook.cells[choices].metadata.tags == ["parameters"]
    notebook.cells.insert(choices + 1, nbformat.v4.new_code_cell(BRIEFLY))
    leading = {
        "AWS_ENDPOINT_URL": server,
        "AWS_ACCESS_KEY_ID": "none",
        "AWS_SECRET_ACCESS_KEY": "none",
        "WORKFLOWS_HOME": str(tmp_path_factory.mktemp("notebook")),
    }
    client = NotebookClient(
        notebook,
        timeout=CELL_LIMIT_S,
        kernel_name=notebook.metadata.kernelspec.name,
        resources={"metadata": {"path": str(NOTEBOOK.parent)}},
    )
    clients = Clients("us-east-1", endpoint_url=server, access_key="none")
    with client.setup_kernel(env=environment | leading):
        for number, cell in enumerate(notebook.cells):
            client.execute_cell(cell, number)
        found = executions.find(clients, "latest")
        versions, endpoint = [*registry.versions(clients, NAME)], endpoints.get(clients, NAME)
        again = nbformat.v4.new_code_cell(f"CLEAN_UP = True\n{notebook.cells[-1].source}")
        notebook.cells.append(again)
        client.execute_cell(again, len(notebook.cells) - 1)
    return Run(
        cells={cell.id: cell for cell in notebook.cells},
        execution=found,
        versions=versions,
        endpoint=endpoint,
        deleted="".join(entry["text"] for entry in again.outputs),
        left=(pipelines.find(clients, NAME), endpoints.find(clients, NAME)),
    )


def test_every_cell_has_run(run):
    assert [
        cell.id for cell in run.cells.values() if cell.cell_type == "code" and not cell.execution_count
    ] == []
    assert [
        cell.id for cell in run.cells.values() for entry in cell.get("outputs", []) if "ename" in entry
    ] == []


def test_the_changes_are_shown_before_the_upsert_makes_them(run):
    assert run.text("changes").startswith("birds-detection would be created\n  + step PrepareData\n")
    assert run.text("upsert").endswith("pipeline/birds-detection created\n")


def test_the_execution_is_watched_in_lines_until_it_has_succeeded(run):
    assert run.execution["PipelineExecutionStatus"] == "Succeeded"
    assert run.text("start").strip() == run.execution["PipelineExecutionArn"]
    lines = run.text("watch").splitlines()
    assert lines[0] == "* PrepareData (Processing)"
    assert re.fullmatch(r"\* CreateEndpoint Succeeded after \d+\.\d s", lines[-1])


@pytest.mark.parametrize(
    ("cell", "count"), [("species", 1), ("chart", 1), ("evaluation", 2), ("predictions", 1)]
)
def test_pictures_are_shown_below_the_cell(run, cell, count):
    found = run.pictures(cell)
    assert len(found) == count
    for picture in found:
        # Of one colour is what nobody has drawn on.
        assert len(picture.convert("RGB").resize((64, 64)).getcolors(64 * 64)) > 1


def test_the_registered_version_is_shown_with_its_figures(run):
    (version,) = run.versions
    assert version["ModelApprovalStatus"] == "Approved"
    shown = run.text("version")
    assert f"{version['ModelPackageArn']} Approved" in shown
    for name in ("ValidationMAP", "EvaluationMAP"):
        assert f"    {name} {version['CustomerMetadataProperties'][name]}\n" in shown


def test_the_endpoint_is_asked_about_pictures_of_both_species(run):
    assert run.endpoint["EndpointStatus"] == "InService"
    lines = run.text("predictions").splitlines()
    names = [line for line in lines if not line.startswith(" ")]
    assert [name.rpartition("_")[2][:2] for name in names] == ["17", "17", "73", "73"]
    found = [line for line in lines if line.startswith(" ")]
    assert found
    for line in found:
        shape = re.fullmatch(
            r"    (017\.Cardinal|073\.Blue_Jay) (\d\.\d+) \[(\d+), (\d+), (\d+), (\d+)\]", line
        )
        assert shape, line
        assert float(shape[2]) >= 0.2
        left, top, right, bottom = map(int, shape.groups()[2:])
        assert (left < right, top < bottom) == (True, True)


def test_the_last_cell_deletes_only_when_it_is_told_to(run):
    assert "endpoint birds-detection (costs while idle)" in run.text("clean-up")
    assert "deleted" not in run.text("clean-up")
    assert "deleted endpoint birds-detection\n" in run.deleted
    assert "deleted pipeline birds-detection\n" in run.deleted
    assert run.left == (None, None)
