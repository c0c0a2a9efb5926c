"""Faults that a run rehearses and that its jobs meet inside."""

import json
import subprocess
import sys
import tarfile
import threading
import time

import pytest

from tests.local.conftest import Outcome
from tests.processes import running, wait_until
from tests.toys import definition, processing, training
from workflows.local import cluster, container
from workflows.local.cluster import Cluster, Cut, Limits
from workflows.local.container import Container
from workflows.local.executor import Options
from workflows.local.faults import Fault
from workflows.local.images import ImageTable
from workflows.local.records import PROCESSING_JOB, TRAINING_JOB

OUT = "/opt/ml/processing/output/out"


@pytest.fixture(params=["namespaces", "none"])
def machines(request, monkeypatch):
    """Machines with and without namespaces."""
    if request.param == "namespaces" and not container.namespaces_work():
        pytest.skip("this machine allows no namespaces")
    if request.param == "none":
        monkeypatch.setattr(container, "namespaces_work", lambda: False)


def run(machine, step, fault):
    execution, recorder = machine.prepare(definition(step), options=Options(faults={step["Name"]: fault}))
    return Outcome(execution.run(), execution, recorder, machine.store)


def stored(machine):
    return [location.key for location, _ in machine.store.objects.keys("s3://toys/")]


def test_exit_n_replaces_the_job(machine, machines):
    outcome = run(machine, processing("Work", f"echo x > {OUT}/x"), Fault("exit", code=42))
    reason = "AlgorithmError: no message; its log ends: (empty), exit code: 42"
    assert outcome.steps["Work"]["FailureReason"] == reason
    assert outcome.steps["Work"]["AttemptCount"] == 1
    assert stored(machine) == []


@pytest.mark.parametrize(
    "script",
    [
        pytest.param("echo begins; sleep 60", id="when-it-works"),
        pytest.param("trap '' TERM; sleep 60; sleep 60", id="when-it-says-nothing"),
        pytest.param("true", id="at-the-latest-at-its-end"),
    ],
)
def test_a_job_that_is_killed_fails_with_137(machine, machines, script, tmp_path):
    script = f"{script}; : {tmp_path}"
    began = time.monotonic()
    outcome = run(machine, processing("Work", script), Fault("kill"))
    assert outcome.steps["Work"]["FailureReason"].endswith("exit code: 137")
    assert time.monotonic() - began < 20
    assert not running(str(tmp_path))
    assert stored(machine) == []


def test_a_rehearsed_time_out_is_like_a_real_one(machine, machines):
    step = processing("Work", "echo begins; sleep 60", limit_s=1)
    rehearsed = run(machine, step, Fault("timeout")).steps["Work"]
    real = machine.run(definition(step)).steps["Work"]
    assert rehearsed["FailureReason"] == real["FailureReason"]
    assert (
        rehearsed["FailureReason"] == "MaxRuntimeExceeded: the job ran longer than MaxRuntimeInSeconds, 1 s"
    )
    statuses = {job["ProcessingJobStatus"] for job in machine.store.all(PROCESSING_JOB)}
    assert len(statuses) == 1


def counting(machine, *, checkpoints="s3://toys/checkpoints/", spot=True, epochs=3, pause=0.2, count=1):
    machine.put("s3://data/train/x", "birds")
    hyperparameters = {"epochs": str(epochs), "pause": str(pause)}
    step = training("Train", channels={"train": "s3://data/train/"}, hyperparameters=hyperparameters)
    arguments = step["Arguments"]
    arguments["EnableManagedSpotTraining"] = spot
    arguments["ResourceConfig"]["InstanceCount"] = count
    if checkpoints:
        arguments["CheckpointConfig"] = {"S3Uri": checkpoints}
    return step


def counted(machine):
    (job,) = machine.store.all(TRAINING_JOB)
    with tarfile.open(machine.store.objects.path(job["ModelArtifacts"]["S3ModelArtifacts"])) as tar:
        return job, json.load(tar.extractfile("count.json"))


# Of an undisturbed job: ((1 * 31) + 2) * 31 + 3.
UNDISTURBED = {"epoch": 3, "sum": 1026}


def test_an_interrupted_job_goes_on_from_its_checkpoint(machine, machines):
    outcome = run(machine, counting(machine), Fault("spot-interruption", times=2))
    assert outcome.status == "Succeeded"
    job, count = counted(machine)
    assert count == UNDISTURBED
    said = [line for _, line in outcome.recorder.lines if line.startswith("counted")]
    starts = [int(line.split()[-1]) for line in said]
    assert starts[0] == 0
    assert len(set(starts)) == 3  # each run went on after the one before
    assert [int(line.split()[1].rstrip(",")) for line in said] == [1, 2, 3]
    assert machine.store.objects.read("s3://toys/checkpoints/notice") == b"SIGTERM"
    assert outcome.steps["Train"]["AttemptCount"] == 1
    runs = ["Starting", "Downloading", "Training", "Interrupted"] * 2
    assert [entry["Status"] for entry in job["SecondaryStatusTransitions"]] == [
        *runs,
        "Starting",
        "Downloading",
        "Training",
        "Uploading",
        "Completed",
    ]


def test_without_checkpoints_it_starts_again_from_the_beginning(machine, tmp_path):
    script = f"echo run >> {tmp_path}/runs; ls /opt/ml/model; echo begins; touch /opt/ml/model/x; sleep 0.4"
    machine.images = ImageTable({"toy-trainer": {"command": ["sh", "-euc", script]}})
    outcome = run(machine, counting(machine, checkpoints=None), Fault("spot-interruption"))
    assert outcome.status == "Succeeded"
    assert (tmp_path / "runs").read_text() == "run\nrun\n"
    interrupted = "the spot instance was interrupted; the job starts again"
    assert [line for _, line in outcome.recorder.lines] == ["begins", interrupted, "begins"]


def test_a_job_that_was_quick_is_interrupted_at_its_end(machine, tmp_path):
    machine.images = ImageTable({"toy-trainer": {"command": ["sh", "-euc", f"echo run >> {tmp_path}/runs"]}})
    outcome = run(machine, counting(machine, checkpoints=None), Fault("spot-interruption", times=3))
    assert outcome.status == "Succeeded"
    assert (tmp_path / "runs").read_text() == "run\n" * 4


def test_a_job_that_does_not_heed_its_notice_is_killed(machine, monkeypatch):
    monkeypatch.setitem(cluster.GRACE_S, cluster.Cut.INTERRUPTED, 0.3)
    mark = "/opt/ml/checkpoints/x"
    script = f"trap '' TERM; test -e {mark} || {{ touch {mark}; echo begins; sleep 60; }}"
    machine.images = ImageTable({"toy-trainer": {"command": ["sh", "-euc", script]}})
    began = time.monotonic()
    outcome = run(machine, counting(machine), Fault("spot-interruption"))
    assert outcome.status == "Succeeded"
    assert time.monotonic() - began < 20


def test_a_job_that_fails_by_itself_is_not_started_again(machine, tmp_path):
    script = f"echo run >> {tmp_path}/runs; exit 5"
    machine.images = ImageTable({"toy-trainer": {"command": ["sh", "-euc", script]}})
    outcome = run(machine, counting(machine), Fault("spot-interruption", times=2))
    assert outcome.steps["Train"]["FailureReason"].endswith("exit code: 5")
    assert (tmp_path / "runs").read_text() == "run\n"
    (job,) = machine.store.all(TRAINING_JOB)
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Failed", "Failed")


def test_every_host_of_a_job_is_interrupted(machine, machines):
    outcome = run(machine, counting(machine, count=2), Fault("spot-interruption"))
    assert outcome.status == "Succeeded"
    job, count = counted(machine)
    assert count == UNDISTURBED
    assert [entry["Status"] for entry in job["SecondaryStatusTransitions"]].count("Interrupted") == 1


def test_only_managed_spot_jobs_are_interrupted(machine):
    outcome = run(machine, counting(machine, spot=False), Fault("spot-interruption"))
    reason = outcome.steps["Train"]["FailureReason"]
    assert "EnableManagedSpotTraining" in reason
    assert "only managed spot jobs are interrupted" in reason


def test_a_processing_job_is_not_interrupted(machine):
    outcome = run(machine, processing("Work", "true"), Fault("spot-interruption"))
    reason = "spot-interruption: only managed spot training jobs are interrupted"
    assert outcome.steps["Work"]["FailureReason"] == reason


def test_a_training_job_over_its_time_limit_was_stopped(machine):
    outcome = run(machine, counting(machine, pause=20), Fault("timeout"))
    assert "MaxRuntimeExceeded" in outcome.steps["Train"]["FailureReason"]
    (job,) = machine.store.all(TRAINING_JOB)
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "MaxRuntimeExceeded")


def test_interruptions_do_not_extend_the_time_limit(machine):
    step = counting(machine, epochs=1, pause=1.6)
    step["Arguments"]["StoppingCondition"]["MaxRuntimeInSeconds"] = 2
    # Two runs are interrupted after a second each, before their checkpoint; the third has no time left.
    outcome = run(machine, step, Fault("spot-interruption", times=2))
    assert "MaxRuntimeExceeded" in outcome.steps["Train"]["FailureReason"]


def test_a_stop_does_not_wait_for_what_a_time_out_allows(tmp_path, monkeypatch):
    monkeypatch.setitem(cluster.GRACE_S, Cut.STOPPED, 0.2)
    stopped = threading.Event()
    job = Container(
        opt_ml=tmp_path / "opt-ml",
        log=tmp_path / "log.txt",
        argv=("sh", "-c", "trap 'echo asked' TERM; while :; do sleep 0.05; done"),
    )

    def stop_when_asked(_, line):
        if line == "asked":
            stopped.set()

    ending = Cluster({"algo-1": job}, joint_log=tmp_path / "all", on_line=stop_when_asked).run(
        Limits(seconds=0.3, stopped=stopped)
    )
    assert ending.cut is Cut.STOPPED


def test_a_bug_of_who_listens_ends_the_job(tmp_path):
    def listen(*_):
        raise ZeroDivisionError

    script = f"echo begins; sleep 60; : {tmp_path}"
    job = Container(opt_ml=tmp_path / "opt-ml", log=tmp_path / "log.txt", argv=("sh", "-c", script))
    with pytest.raises(ZeroDivisionError):
        Cluster({"algo-1": job, "algo-2": job}, joint_log=tmp_path / "all", on_line=listen).run(
            Limits(seconds=60, stopped=threading.Event())
        )
    assert wait_until(lambda: not running(str(tmp_path)), 1)


ENGINE = """
import sys
from pathlib import Path
from tests.local.conftest import Machine
home, text = sys.argv[1:]
execution, _ = Machine(Path(home)).prepare(text)
print(execution.id, flush=True)
execution.run()
"""


def test_after_a_kill_of_the_engine_a_job_goes_on_from_its_checkpoint(machine, tmp_path):
    hold = tmp_path / "hold"
    hold.touch()
    step = counting(machine, spot=False, pause=0)
    step["Arguments"]["HyperParameters"]["wait_while"] = str(hold)
    home = machine.store.home
    latest = machine.store.objects.path("s3://toys/checkpoints/latest.json")
    argv = [sys.executable, "-c", ENGINE, str(home), definition(step)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as engine:
        execution_id = engine.stdout.readline().strip()
        assert wait_until(latest.is_file, 30)
        engine.kill()
    assert wait_until(lambda: not running(f"opt-ml={home}"), 1)
    hold.unlink()
    outcome = machine.resume(execution_id)
    assert outcome.status == "Succeeded"
    said = [line for _, line in outcome.recorder.lines if line.startswith("counted")]
    assert said == ["counted 3, started after 2"]
    assert counted(machine)[1] == UNDISTURBED
