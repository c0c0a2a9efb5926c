"""What a processing or training job is given, what is taken from it, and what stays of it."""

import json
import os
import tarfile
import threading
import time
from types import SimpleNamespace

import pytest

from tests.processes import wait_until
from tests.toys import definition, processing, training
from workflows.local import checkpoints, container, stored
from workflows.local.checkpoints import CheckpointCopier
from workflows.local.container import namespaces_work, overlays_work
from workflows.local.objects import Objects, parse
from workflows.local.records import PROCESSING_JOB, TRAINING_JOB
from workflows.local.runners.jobs import discard_last_try, store

IN, OUT = "/opt/ml/processing/input", "/opt/ml/processing/output/out"


@pytest.fixture(params=["overlay", "copy", "no-namespaces"])
def way(request, monkeypatch, tmp_path):
    """How inputs get to a job."""
    if request.param == "overlay" and not (namespaces_work() and overlays_work(tmp_path)):
        pytest.skip("this machine allows no overlays")
    if request.param == "copy":
        monkeypatch.setattr(container, "overlays_work", lambda _: False)
    if request.param == "no-namespaces":
        monkeypatch.setattr(container, "namespaces_work", lambda: False)
    return request.param


def files_of(folder):
    return {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}


def test_an_input_reaches_a_job_and_only_copies_take_space(machine, way):
    machine.put("s3://data/in/a.rec", "x" * 2_000_000)
    machine.put("s3://data/in/deep/b.rec", "y" * 1_000_000)
    # It fails, so that what it was given is there to be looked at.
    script = f"wc -c < {IN}/data/a.rec; wc -c < {IN}/data/deep/b.rec; exit 1"
    outcome = machine.run(definition(processing("Read", script, inputs={"data": "s3://data/in/"})))
    assert [line for _, line in outcome.recorder.lines] == ["2000000", "1000000"]
    given = [path for path in files_of(outcome.execution.folder / "Read").values() if path.suffix == ".rec"]
    own = {
        machine.store.objects.path(f"s3://data/in/{name}").stat().st_ino for name in ("a.rec", "deep/b.rec")
    }
    assert len(given) == 2
    assert ({path.stat().st_ino for path in given} == own) is (way == "overlay")


def test_a_job_may_change_its_input_and_the_object_stays(machine, way):
    machine.put("s3://data/in/images.txt", "as stored\n")
    script = f"cd {IN}/data; echo more >> images.txt; cp images.txt {OUT}; rm images.txt; ls > {OUT}/left"
    outcome = machine.run(definition(processing("Change", script, inputs={"data": "s3://data/in/"})))
    assert outcome.read("Change", "out", "images.txt") == "as stored\nmore\n"
    assert outcome.read("Change", "out", "left") == ""
    assert machine.store.objects.read("s3://data/in/images.txt") == b"as stored\n"


def test_an_output_at_the_place_of_an_input_holds_both(machine, way):
    machine.put("s3://data/in/images.txt", "as stored\n")
    step = processing("InPlace", f"echo new > {IN}/data/new.txt", inputs={"data": "s3://data/in/"})
    output = step["Arguments"]["ProcessingOutputConfig"]["Outputs"][0]["S3Output"]
    output["LocalPath"] = f"{IN}/data"
    outcome = machine.run(definition(step))
    assert outcome.read("InPlace", "out", "images.txt") == "as stored\n"
    assert outcome.read("InPlace", "out", "new.txt") == "new\n"


def test_inputs_inside_one_another_both_arrive(machine, way):
    machine.put("s3://data/outer/a", "outer")
    machine.put("s3://data/inner/b", "inner")
    step = processing("Nest", f"cat {IN}/one/two/b {IN}/one/a", inputs={"one": "s3://data/outer/"})
    inputs = step["Arguments"]["ProcessingInputs"]
    nested = {"S3Uri": "s3://data/inner/", "LocalPath": f"{IN}/one/two"}
    inputs.insert(0, {"InputName": "two", "S3Input": nested})
    outcome = machine.run(definition(step))
    assert outcome.recorder.lines == [("Nest", "innerouter")]


def test_a_job_that_ended_well_leaves_its_log_and_what_it_stored(machine, way):
    machine.put("s3://data/in/a", "x")
    outcome = machine.run(
        definition(processing("Work", f"echo said; cp {IN}/data/a {OUT}", inputs={"data": "s3://data/in/"}))
    )
    folder = outcome.execution.folder / "Work"
    assert set(files_of(folder)) == {"log.txt", "stored.txt", "stored-states.txt"}
    assert not [path for path in folder.iterdir() if path.is_dir()]
    uri = f"s3://toys/{outcome.execution.id}/Work/out/a"
    assert (folder / "stored.txt").read_text() == f"{uri}\n"
    assert list(stored.held(folder, machine.store.objects)) == [uri]


def test_a_job_whose_input_is_missing_is_recorded_as_failed_and_leaves_no_tree(machine):
    machine.put("s3://data/in/a", "x")
    inputs = {"there": "s3://data/in/", "missing": "s3://data/none/"}
    outcome = machine.run(definition(processing("Read", "true", inputs=inputs)))
    reason = "ClientError: s3://data/none/: nothing is stored there"
    (job,) = machine.store.all(PROCESSING_JOB)
    assert (job["ProcessingJobStatus"], job["FailureReason"]) == ("Failed", reason)
    assert outcome.steps["Read"]["FailureReason"] == reason
    assert not [path for path in (outcome.execution.folder / "Read").iterdir() if path.is_dir()]


@pytest.mark.parametrize("script", ["rm -r out; ln -s /etc out", "cd ..; mv output o; ln -s o output"])
def test_an_output_folder_that_became_a_link_is_refused(machine, script):
    script = f"cd /opt/ml/processing/output; {script}"
    outcome = machine.run(definition(processing("Link", script)))
    reason = outcome.steps["Link"]["FailureReason"]
    assert reason == "/opt/ml/processing/output/out is a symbolic link, and those are not followed"
    assert list(machine.store.objects.keys("s3://toys/")) == []


def test_links_inside_an_output_are_not_stored(machine):
    outcome = machine.run(
        definition(
            processing("Link", f"echo x > {OUT}/file; ln -s /etc/passwd {OUT}/passwd; ln -s /etc {OUT}/etc")
        )
    )
    prefix = f"s3://toys/{outcome.execution.id}/Link/out/"
    assert [str(location) for location, _ in machine.store.objects.keys(prefix)] == [f"{prefix}file"]


def test_a_message_that_is_no_text_fails_the_job(machine):
    script = r"mkdir -p /opt/ml/output; printf 'caf\351' > /opt/ml/output/message"
    outcome = machine.run(definition(processing("Say", script)))
    assert outcome.steps["Say"]["FailureReason"] == "ClientError: /opt/ml/output/message is not UTF-8 text"


def test_a_message_is_cut_to_1024_characters_and_the_exit_code_is_told(machine):
    script = "mkdir -p /opt/ml/output; printf '%02000d' 0 > /opt/ml/output/message; exit 9"
    outcome = machine.run(definition(processing("Say", script)))
    reason = outcome.steps["Say"]["FailureReason"]
    assert len(reason) == 1024
    assert reason.startswith("AlgorithmError: 0000")
    assert reason.endswith("0000, exit code: 9")
    (job,) = machine.store.all(PROCESSING_JOB)
    assert job["ExitMessage"] == "0" * 1024


def test_a_job_that_says_nothing_is_not_given_the_last_words_of_an_earlier_try(machine, tmp_path):
    script = f"test -e {tmp_path}/second || {{ touch {tmp_path}/second; echo first try; exit 1; }}; exit 2"
    failed = machine.run(definition(processing("Try", script)))
    assert "its log ends: first try" in failed.steps["Try"]["FailureReason"]
    again = machine.resume(failed.execution.id)
    assert "its log ends: (empty), exit code: 2" in again.steps["Try"]["FailureReason"]


def run_until(machine, text, go, condition):
    """Run until a condition holds, which must be before the job is let go on; returns what it was then."""
    execution, _ = machine.prepare(text)
    seen = []

    def watch():
        wait_until(lambda: seen.append(condition()) or seen[-1])
        go.touch()

    watcher = threading.Thread(target=watch)
    watcher.start()
    record = execution.run()
    watcher.join()
    assert record["PipelineExecutionStatus"] == "Succeeded"
    return execution, seen[-1]


def wait_for(file):
    return f"while ! test -e {file}; do sleep 0.02; done"


def test_a_processing_job_is_on_record_while_it_runs(machine, tmp_path):
    go = tmp_path / "go"
    _, seen = run_until(
        machine,
        definition(processing("Work", wait_for(go))),
        go,
        lambda: machine.store.all(PROCESSING_JOB),
    )
    assert seen[0]["ProcessingJobStatus"] == "InProgress"
    (ended,) = machine.store.all(PROCESSING_JOB)
    assert ended["ProcessingJobStatus"] == "Completed"
    assert ended["CreationTime"] == seen[0]["CreationTime"] <= ended["ProcessingEndTime"]


def trained(machine, *, checkpoint_config=None, **hyperparameters):
    machine.put("s3://data/train/x", "birds")
    step = training("Train", channels={"train": "s3://data/train/"}, hyperparameters=hyperparameters)
    if checkpoint_config:
        step["Arguments"]["CheckpointConfig"] = checkpoint_config
    return definition(step)


def test_a_training_job_passes_through_the_services_statuses(machine):
    began = time.monotonic()
    machine.run(trained(machine, checkpoint_config={"S3Uri": "s3://toys/c"}, epochs="2", pause="0.3"))
    seconds = time.monotonic() - began
    (job,) = machine.store.all(TRAINING_JOB)
    listed = job["SecondaryStatusTransitions"]
    assert [entry["Status"] for entry in listed] == [
        "Starting",
        "Downloading",
        "Training",
        "Uploading",
        "Completed",
    ]
    times = [time for entry in listed for time in (entry["StartTime"], entry["EndTime"])]
    assert times == sorted(times)
    assert all(before == after for before, after in zip(times[1::2], times[2::2], strict=False))
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Completed", "Completed")
    assert 0.6 - 0.5 <= job["TrainingTimeInSeconds"] <= seconds + 0.5
    assert job["BillableTimeInSeconds"] == job["TrainingTimeInSeconds"]


def test_a_training_job_is_on_record_while_it_trains(machine):
    def status():
        return next((job["SecondaryStatus"] for job in machine.store.all(TRAINING_JOB)), None)

    execution, _ = machine.prepare(
        trained(machine, checkpoint_config={"S3Uri": "s3://toys/c"}, epochs="1", pause="0.5")
    )
    thread = threading.Thread(target=execution.run)
    thread.start()
    seen = set()
    while thread.is_alive():
        seen.add(status())
        time.sleep(0.01)
    assert "Training" in seen
    assert status() == "Completed"


def test_two_jobs_that_do_the_same_make_the_same_archive(machine):
    archives = set()
    for wait_s in (0, 1.1):  # gzip and tar hold times in seconds
        time.sleep(wait_s)
        outcome = machine.run(trained(machine, map="0.5"))
        (uri,) = stored.held(outcome.execution.folder / "Train", machine.store.objects)
        archives.add(machine.store.objects.read(uri))
    assert len(archives) == 1


def test_what_is_left_in_output_data_is_stored_too(machine):
    step = training("Train", channels={"train": "s3://data/train/"}, hyperparameters={"map": "0.5"})
    machine.put("s3://data/train/x", "birds")
    machine.images = type(machine.images)(
        {
            "toy-trainer": {
                "command": [
                    "sh",
                    "-euc",
                    "mkdir /opt/ml/output/data/deep; echo x > /opt/ml/output/data/deep/y",
                ]
            }
        }
    )
    outcome = machine.run(definition(step))
    uris = list(stored.held(outcome.execution.folder / "Train", machine.store.objects))
    assert [uri.rpartition("/")[2] for uri in uris] == ["model.tar.gz", "output.tar.gz"]
    with tarfile.open(machine.store.objects.path(uris[1])) as tar:
        assert tar.getnames() == ["deep", "deep/y"]


@pytest.mark.parametrize(
    ("config", "known"),
    [
        pytest.param({"S3Uri": "s3://toys/c"}, "checkpoints", id="default"),
        pytest.param({"S3Uri": "s3://toys/c/", "LocalPath": "/opt/ml/saved"}, "saved", id="local-path"),
    ],
)
def test_checkpoints_are_stored_while_the_job_runs(machine, tmp_path, config, known, monkeypatch):
    monkeypatch.setattr(checkpoints, "_EVERY_S", 0.1)
    go = tmp_path / "go"
    script = f"mkdir -p /opt/ml/{known}/deep; echo 1 > /opt/ml/{known}/deep/epoch; {wait_for(go)}; "
    script += f"echo 2 > /opt/ml/{known}/deep/epoch; echo x > /opt/ml/{known}/last"
    machine.images = type(machine.images)({"toy-trainer": {"command": ["sh", "-euc", script]}})
    copied = machine.store.objects.path("s3://toys/c/deep/epoch")
    run_until(
        machine,
        trained(machine, checkpoint_config=config),
        go,
        lambda: copied.is_file() and copied.read_text(),
    )
    assert copied.read_text() == "2\n"
    assert machine.store.objects.read("s3://toys/c/last") == b"x\n"


def test_checkpoints_are_stored_after_a_failure_and_given_to_the_next_try(machine, way, tmp_path):
    text = """
        cat /opt/ml/checkpoints/* 2>/dev/null || true
        echo 1 >> /opt/ml/checkpoints/epochs
        test $(wc -l < /opt/ml/checkpoints/epochs) = 3
    """
    if way == "no-namespaces":
        text = text.replace("/opt/ml", "$OPT_ML")
    machine.images = type(machine.images)({"toy-trainer": {"command": ["sh", "-euc", text]}})
    outcome = machine.run(trained(machine, checkpoint_config={"S3Uri": "s3://toys/c/"}))
    for _ in range(2):
        assert outcome.status == "Failed"
        outcome = machine.resume(outcome.execution.id)
    assert outcome.status == "Succeeded"
    assert outcome.recorder.lines == [("Train", "1"), ("Train", "1")]
    assert machine.store.objects.read("s3://toys/c/epochs") == b"1\n1\n1\n"


def test_checkpoints_outside_opt_ml_are_refused(machine):
    config = {"S3Uri": "s3://toys/c", "LocalPath": "/tmp/checkpoints"}
    outcome = machine.run(trained(machine, checkpoint_config=config))
    assert outcome.steps["Train"]["FailureReason"] == (
        "CheckpointConfig.LocalPath '/tmp/checkpoints' must begin with /opt/ml/"
    )


def test_a_checkpoint_that_is_being_written_waits(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoints, "_EVERY_S", 0.1)
    objects, folder = Objects(tmp_path / "s3"), tmp_path / "checkpoints"
    folder.mkdir()
    (folder / "given").write_text("came from there")
    target = objects.path("s3://b/c/growing")
    with CheckpointCopier([folder], parse("s3://b/c/"), objects), (folder / "growing").open("a") as file:
        for number in range(20):
            file.write(f"{number} ")
            file.flush()
            assert not target.exists()
            time.sleep(0.03)
        assert wait_until(target.is_file, 2)
        assert target.read_text().split() == [str(number) for number in range(20)]
        file.write("end")
    assert target.read_text().endswith("19 end")
    assert not objects.path("s3://b/c/given").exists()


def test_a_checkpoint_that_cannot_be_stored_is_told_at_the_end(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoints, "_EVERY_S", 0.05)
    objects, folder = Objects(tmp_path / "s3"), tmp_path / "checkpoints"
    folder.mkdir()
    (tmp_path / "s3").write_text("in the way")
    with pytest.raises(OSError), CheckpointCopier([folder], parse("s3://b/c/"), objects):
        (folder / "a").write_text("x")
        time.sleep(0.3)


@pytest.fixture
def step(tmp_path):
    """A step's folder and objects, as `store` uses them."""
    folder = tmp_path / "step"
    folder.mkdir()
    return SimpleNamespace(folder=folder), SimpleNamespace(objects=Objects(tmp_path / "home" / "s3"))


def made(folder, *names):
    for name in names:
        (folder / name).write_text(f"{folder.name} {name!a}")
    return [(folder / name, f"s3://b/out/{name}") for name in names]


def keys(site):
    return [location.key for location, _ in site.objects.keys("s3://b/")]


def test_outputs_are_noted_before_they_are_stored(step):
    task, site = step
    files = made(task.folder, "a", "b")
    stored.note(task.folder, files)
    site.objects.adopt_file(*files[0])
    # As if the engine had been killed here.
    assert (task.folder / "stored.txt").read_text() == "s3://b/out/a\ns3://b/out/b\n"
    discard_last_try(task, site)
    assert keys(site) == []
    assert set(files_of(task.folder)) == {"a", "b"}


def test_either_all_outputs_are_stored_or_none(step):
    task, site = step
    files = made(task.folder, "a", "b")
    site.objects.path("s3://b/out/b").mkdir(parents=True)
    with pytest.raises(OSError):
        store(task, site, files)
    assert keys(site) == []
    assert not (task.folder / "stored.txt").exists()


def test_an_object_that_somebody_else_has_replaced_is_not_removed(step, tmp_path):
    task, site = step
    store(task, site, made(task.folder, "a", "b"))
    other = tmp_path / "other"
    other.mkdir()
    site.objects.adopt_file(*made(other, "a")[0])
    assert list(stored.held(task.folder, site.objects)) == ["s3://b/out/b"]
    discard_last_try(task, site)
    assert site.objects.read("s3://b/out/a") == b"other 'a'"
    assert keys(site) == ["out/a"]


def test_a_step_stores_in_several_calls(step):
    task, site = step
    store(task, site, made(task.folder, "a"))
    store(task, site, made(task.folder, "b"))
    assert list(stored.held(task.folder, site.objects)) == ["s3://b/out/a", "s3://b/out/b"]


@pytest.mark.parametrize("name", ["one\ntwo", "one\u2028two", os.fsdecode(b"caf\xe9")])
def test_a_name_that_would_not_be_one_line_is_refused(step, name):
    task, site = step
    with pytest.raises(stored.UnstorableName):
        store(task, site, made(task.folder, name))
    assert keys(site) == []


def test_a_last_try_that_was_killed_leaves_nothing(machine, tmp_path):
    script = f"echo x > {OUT}/$(ls {tmp_path} | grep -c again); test -e {tmp_path}/again"
    outcome = machine.run(definition(processing("Work", script)))
    folder = outcome.execution.folder / "Work"
    # As if that try had ended well, and the engine had been killed while it stored.
    store(
        SimpleNamespace(folder=folder),
        machine.store,
        [(folder / "opt-ml/processing/output/out/0", "s3://toys/0")],
    )
    (tmp_path / "again").touch()
    again = machine.resume(outcome.execution.id)
    assert again.status == "Succeeded"
    assert [location.key for location, _ in machine.store.objects.keys("s3://toys/")] == [
        f"{outcome.execution.id}/Work/out/1"
    ]


def test_resourceconfig_of_one_host(machine):
    outcome = machine.run(definition(processing("Look", f"cp /opt/ml/config/resourceconfig.json {OUT}")))
    assert json.loads(outcome.read("Look", "out", "resourceconfig.json")) == {
        "current_host": "algo-1",
        "hosts": ["algo-1"],
        "network_interface_name": "lo",
        "current_instance_type": "ml.m5.large",
    }
