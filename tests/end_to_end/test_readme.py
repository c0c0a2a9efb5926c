"""The README as its reader would follow it: every command, in order, in one folder, with real training.

Runs are cut to a few epochs and, after the first of a kind, to few pictures; `make run` is the proof of the
whole recipe.
"""

import http.server
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tarfile
import threading
from functools import partial
from pathlib import Path

import pytest

from samples import birds, caltech

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", README, re.DOTALL)
SHELL = [line for kind, text in BLOCKS if kind == "sh" for line in text.splitlines() if line.strip()]
PROSE = re.sub(r"```.*?```", "", README, flags=re.DOTALL)
INLINE = re.findall(r"`(workflows [a-z][^`]*)`", PROSE.replace("\n", " "))
PYTHON = [text for kind, text in BLOCKS if kind == "python"]
BIN = Path(sys.executable).parent
# Enough to pass the gate at mAP 0.5.
ENOUGH = "--set Epochs=4 --set LrSchedulerStep=3 --set IncrementalEpochs=1"
FULL_RUN = "workflows run birds-detection --profile sample"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("reader")


def command(folder, line, *more, **environment):
    own = {"PATH": f"{BIN}:{os.environ['PATH']}", "HOME": str(folder)}
    argv = [*shlex.split(line), *more]
    return subprocess.run(argv, cwd=folder, env=own | environment, capture_output=True, text=True)


@pytest.fixture(scope="module")
def first_run(folder):
    """The README's run, with the gate that it has there."""
    done = command(folder, f"{FULL_RUN} {ENOUGH} --json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_sample_is_learned_registered_and_in_service(first_run):
    metrics = {entry["StepName"]: entry["Value"] for entry in first_run["Metrics"]}
    assert metrics["TrainIncremental"] >= 0.5
    (package,) = first_run["ModelPackages"]
    assert (package["ModelPackageVersion"], package["ModelApprovalStatus"]) == (1, "Approved")
    assert float(package["CustomerMetadataProperties"]["EvaluationMAP"]) >= 0.5
    assert [entry["EndpointStatus"] for entry in first_run["Endpoints"]] == ["InService"]


def test_the_pictures_are_there(first_run):
    assert len(first_run["Pictures"]) >= 3
    for path in first_run["Pictures"]:
        assert Path(path).read_bytes().startswith(b"\x89PNG")


def test_every_step_of_the_definition_ran(first_run):
    states = {step["StepName"]: step["StepStatus"] for step in first_run["Steps"]}
    assert set(states.values()) == {"Succeeded"}
    assert {
        "PrepareData",
        "TrainBase",
        "TrainIncremental",
        "ScoreValidation",
        "Evaluate",
        "CheckQuality",
    } <= set(states)


LINES = [line for line in dict.fromkeys(SHELL + INLINE) if line.startswith("workflows") and line != FULL_RUN]
ELSEWHERE = ("workflows serve", "workflows download")

# A few seconds of training for each pipeline, and a gate that it passes.
BRIEFLY = {
    "birds-detection": "Epochs=1 IncrementalEpochs=1 MapThreshold=0.0",
    "birds-detection-retrain": "IncrementalEpochs=1 MapThreshold=0.0 AllowedDrop=1.0",
    "caltech-classification": "TrainingPerClass=16 Epochs=1 IncrementalEpochs=1 AccuracyThreshold=0.0",
    "caltech-classification-retrain": (
        "TrainingPerClass=16 IncrementalEpochs=1 AccuracyThreshold=0.0 AllowedDrop=1.0"
    ),
}
# These train on few pictures: the first run has drawn the sample and learnt it.
WITH_FEW_BIRDS = ("--set Epochs=3", "birds-detection-retrain --profile sample")
# The trainings of these are those of the first run.
LIKE_THE_FIRST = ("--set MapThreshold=0.999", "--inject ScoreValidation=throttling")
FROM_THE_CACHE = r"(?s)TrainBase Succeeded: from the cache.*TrainIncremental Succeeded: from the cache.*"


def expected_of(line):
    """Exit code, and what is told."""
    if "MapThreshold=0.999" in line:
        return 1, FROM_THE_CACHE + r"validation:mAP[^\n]*0\.\d+[^\n]*0\.\d+[^\n]*0\.999"
    if "--inject" in line:
        return 0, FROM_THE_CACHE + r"ScoreValidation failed, attempt 2.*CheckQuality Succeeded: True"
    if "Epoch=12" in line:
        return 2, "did you mean 'Epochs'"
    return 0, "CheckQuality Succeeded: True" if line.startswith("workflows run") else ""


def brief(line):
    """What cuts a run short, without touching what the line itself is about."""
    if not line.startswith("workflows run"):
        return []
    if line.endswith(LIKE_THE_FIRST):
        return shlex.split(ENOUGH)
    assignments = [text for text in BRIEFLY[line.split()[2]].split() if text.partition("=")[0] not in line]
    data = ["--data", "few-birds"] if line.endswith(WITH_FEW_BIRDS) else []
    return [*data, *(word for text in assignments for word in ("--set", text))]


@pytest.mark.parametrize("line", [line for line in LINES if not line.startswith(ELSEWHERE)])
def test_a_command_of_the_readme_ends_as_it_says(folder, first_run, line):
    prepare_inputs(folder)
    # One thread a job: on a busy machine the threads of so small a network spend their time waiting. The
    # first run has as many as its reader's.
    done = command(folder, line, *brief(line), OMP_NUM_THREADS="1")
    code, told = expected_of(line)
    assert done.returncode == code, done.stderr
    assert re.search(told, done.stderr), done.stderr
    assert done.stdout or code == 2
    assert "Traceback" not in done.stderr


def test_a_retrained_version_names_its_parent(folder, first_run):
    for group in ("birds-detection", "caltech-classification"):
        packages = json.loads(command(folder, "workflows models list --json").stdout)
        of_group = [package for package in packages if package["ModelPackageGroupName"] == group]
        parents = [package["CustomerMetadataProperties"].get("ParentModelPackageArn") for package in of_group]
        (parent,) = [arn for arn in parents if arn]
        assert parent in [package["ModelPackageArn"] for package in of_group]


def prepare_inputs(folder):
    """What the README's reader has by then: an archive, an example in CUB's layout, and fewer things."""
    samples = folder / ".workflows" / "samples"
    birds.publish(folder / "few-birds", images_per_species=20, seed=1)
    caltech.publish(samples / "caltech", classes=8, images_per_class=25, seed=1)
    archive = folder / "data" / "CUB_200_2011.tgz"
    if not archive.exists():
        archive.parent.mkdir(exist_ok=True)
        with tarfile.open(archive, "w:gz", compresslevel=1) as tar:
            tar.add(folder / "few-birds" / "CUB_200_2011", arcname="CUB_200_2011")
    if not (folder / "example").exists():
        # What `workflows sample birds --output example` draws, byte for byte.
        shutil.copytree(samples / "birds", folder / "example")


def test_the_endpoint_answers_the_readmes_client(folder, first_run):
    (folder / "bird.jpg").write_bytes(
        next((folder / ".workflows/samples/birds/CUB_200_2011/images").rglob("*.jpg")).read_bytes()
    )
    environment = {"PATH": f"{BIN}:{os.environ['PATH']}", "HOME": str(folder)}
    server = subprocess.Popen(
        ["workflows", "serve", "--port", "0"], cwd=folder, env=environment, stdout=subprocess.PIPE, text=True
    )
    with server:
        try:
            url = server.stdout.readline().split()[-1]
            (client,) = PYTHON
            assert "http://127.0.0.1:8080" in client
            done = command(folder, f"{sys.executable} -c", client.replace("http://127.0.0.1:8080", url))
        finally:
            server.terminate()
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout[2:-2])["prediction"]
    assert rows
    for row in rows:
        assert len(row) == 6
        assert 0 <= row[1] <= 1


@pytest.mark.parametrize(
    ("name", "md5"),
    [("birds", "97eceeb196236b17998738112f37df78"), ("caltech", "67b4f42ca05d46448c6bb8ecd2220f6d")],
)
def test_a_download_is_checked(folder, first_run, name, md5):
    prepare_inputs(folder)
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=str(folder / "data"))
    handler.log_message = lambda *_: None
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}/CUB_200_2011.tgz"
        done = command(folder, f"workflows download {name} --output fetched", "--url", url)
        server.shutdown()
        thread.join()
    # The drawn archive is not the published one.
    assert (done.returncode, f"not {md5}" in done.stderr) == (2, True)


def test_every_command_of_the_readme_is_run_by_a_test():
    assert set(SHELL) - set(LINES) == {"make run", "make test", FULL_RUN}
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert FULL_RUN in makefile
    assert "make test" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    served = [line for line in LINES if line.startswith(ELSEWHERE)]
    assert set(served) == {
        "workflows serve",
        "workflows serve --port 8080",
        "workflows download birds --output data",
        "workflows download caltech --output data",
    }
