"""Whole executions of small definitions: what runs, in which order, and what is recorded."""

import contextlib
import json
import os
import tarfile
import threading
import time

import pytest

from tests.processes import running
from tests.toys import (
    at_least,
    condition,
    definition,
    endpoint,
    endpoint_config,
    fail,
    get,
    join,
    model,
    output_of,
    processing,
    register,
    training,
    transform,
)
from workflows.local.records import (
    ENDPOINT,
    EXECUTION,
    MODEL_PACKAGE,
    MODEL_PACKAGE_GROUP,
    PROCESSING_JOB,
    TRAINING_JOB,
)
from workflows.local.runners.table import RUNNERS

OUT = "/opt/ml/processing/output/out"
IN = "/opt/ml/processing/input"
MAP = get("Steps.Train.FinalMetricDataList['validation:mAP'].Value")


def prepare(text="birds"):
    report = """{"n": "5", "score": 0.7}"""
    script = f"echo {text} > {OUT}/data.txt; echo '{report}' > /opt/ml/processing/output/report/r.json"
    return processing(
        "Prepare", script, outputs=("out", "report"), property_files=[("Report", "report", "r.json")]
    )


def json_get(path):
    return {"Std:JsonGet": {"PropertyFile": get("Steps.Prepare.PropertyFiles.Report"), "Path": path}}


def train(**hyperparameters):
    return training("Train", channels={"train": output_of("Prepare", "out")}, hyperparameters=hyperparameters)


def test_outputs_become_inputs_and_property_files_become_values(machine):
    second = processing(
        "Second",
        f"cat {IN}/data/data.txt > {OUT}/seen.txt; echo $0 >> {OUT}/seen.txt",
        inputs={"data": output_of("Prepare", "out")},
    )
    second["Arguments"]["AppSpecification"]["ContainerArguments"].append(json_get("n"))
    outcome = machine.run(definition(second, prepare()))
    assert outcome.status == "Succeeded"
    assert outcome.read("Second", "out", "seen.txt") == "birds\n5\n"
    assert outcome.recorder.started == ["Prepare", "Second"]


def test_a_job_sees_its_configuration_as_sagemaker_gives_it(machine):
    script = f"cp /opt/ml/config/*.json {OUT}"
    outcome = machine.run(definition(processing("Look", script)))
    config = json.loads(outcome.read("Look", "out", "processingjobconfig.json"))
    assert config["ProcessingJobName"].startswith(f"pipelines-{outcome.execution.id}-Look-")
    assert config["AppSpecification"]["ContainerArguments"] == [script]
    hosts = json.loads(outcome.read("Look", "out", "resourceconfig.json"))
    assert (hosts["current_host"], hosts["hosts"]) == ("algo-1", ["algo-1"])


def test_a_job_does_not_see_the_callers_credentials(machine, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    outcome = machine.run(definition(processing("Look", f"env > {OUT}/env")))
    assert "secret" not in outcome.read("Look", "out", "env")


def test_training_stores_its_artifact_and_the_last_value_of_its_metrics(machine):
    outcome = machine.run(
        definition(prepare(), train(map="0.25,0.75,0.5", classes=join("", json_get("n"), on="")))
    )
    job = machine.store.all(TRAINING_JOB)[0]
    assert [(entry["MetricName"], entry["Value"]) for entry in job["FinalMetricDataList"]] == [
        ("validation:mAP", 0.5)
    ]
    assert outcome.recorder.metrics == [("Train", "validation:mAP", value) for value in (0.25, 0.75, 0.5)]
    archive = machine.store.objects.path(job["ModelArtifacts"]["S3ModelArtifacts"])
    assert archive.match(f"models/{job['TrainingJobName']}/output/model.tar.gz")
    with tarfile.open(archive) as tar:
        assert sorted(tar.getnames()) == ["config.json", "model.txt"]
        seen = json.load(tar.extractfile("config.json"))
    assert seen["settings"] == {"map": "0.25,0.75,0.5", "classes": "5"}
    assert seen["channels"]["train"] == {
        "ContentType": "text/plain",
        "TrainingInputMode": "File",
        "S3DistributionType": "FullyReplicated",
        "RecordWrapperType": "None",
    }


def gated(threshold):
    gate = condition(
        "Gate",
        at_least(MAP, get("Parameters.Threshold")),
        at_least(json_get("score"), get("Parameters.Threshold")),
        if_steps=[register("Register", "birds", "Train")],
        else_steps=[fail("Refuse", join("mAP", MAP, "is below", get("Parameters.Threshold"), on=" "))],
    )
    parameters = [{"Name": "Threshold", "Type": "Float", "DefaultValue": threshold}]
    return definition(prepare(), train(map="0.25,0.75"), gate, parameters=parameters)


def test_a_gate_that_holds_registers_a_version(machine):
    for _ in range(2):
        outcome = machine.run(gated(0.7))
        assert outcome.status == "Succeeded"
    packages = machine.store.all(MODEL_PACKAGE)
    assert [(package["ModelPackageVersion"], package["ModelApprovalStatus"]) for package in packages] == [
        (1, "PendingManualApproval"),
        (2, "PendingManualApproval"),
    ]
    assert packages[1]["ModelPackageArn"] == "arn:aws:sagemaker:eu-west-1:123456789012:model-package/birds/2"
    assert len(machine.store.all(MODEL_PACKAGE_GROUP)) == 1
    assert "Refuse" not in outcome.steps
    assert outcome.steps["Gate"]["Metadata"] == {"Condition": {"Outcome": "True"}}


def test_a_gate_that_does_not_hold_fails_with_the_numbers(machine):
    outcome = machine.run(gated(0.7), Threshold="0.999")
    assert outcome.status == "Failed"
    assert outcome.record["FailureReason"] == "Step failure: Refuse: mAP 0.75 is below 0.999"
    assert machine.store.all(MODEL_PACKAGE) == []
    assert set(outcome.steps) == {"Prepare", "Train", "Gate", "Refuse"}


def test_what_hangs_on_an_untaken_branch_does_not_run(machine):
    gate = condition("Gate", at_least(0, 1), if_steps=[processing("Inside", "true")])
    outcome = machine.run(
        definition(gate, processing("After", "true", DependsOn=["Inside"]), processing("Free", "true"))
    )
    assert outcome.status == "Succeeded"
    assert set(outcome.steps) == {"Gate", "Free"}


def test_a_failed_job_tells_its_own_reason_and_nothing_new_starts(machine):
    outcome = machine.run(
        definition(prepare(), train(fail="channel train holds no .rec file"), model("Model", "Train"))
    )
    assert outcome.status == "Failed"
    reason = "AlgorithmError: channel train holds no .rec file, exit code: 3"
    assert outcome.steps["Train"]["FailureReason"] == reason
    assert outcome.record["FailureReason"] == f"Step failure: Train: {reason}"
    assert "Model" not in outcome.steps
    job = machine.store.all(TRAINING_JOB)[0]
    assert (job["TrainingJobStatus"], job["FailureReason"]) == ("Failed", reason)


def test_a_job_without_a_message_shows_the_end_of_its_log(machine):
    outcome = machine.run(definition(processing("Break", "echo before; echo why >&2; exit 7")))
    assert "why" in outcome.steps["Break"]["FailureReason"]
    assert "exit code: 7" in outcome.steps["Break"]["FailureReason"]


def test_outputs_of_a_failed_job_are_not_stored_and_its_tree_is_kept(machine):
    outcome = machine.run(definition(processing("Half", f"echo half > {OUT}/data.txt; exit 1")))
    assert list(machine.store.objects.keys("s3://toys/")) == []
    kept = outcome.execution.folder / "Half" / "opt-ml" / "processing" / "output" / "out" / "data.txt"
    assert kept.read_text() == "half\n"


def test_a_job_over_its_time_limit_is_ended(machine):
    started = time.monotonic()
    outcome = machine.run(definition(processing("Slow", "sleep 60", limit_s=1)))
    assert "MaxRuntimeExceeded" in outcome.steps["Slow"]["FailureReason"]
    assert time.monotonic() - started < 30


def test_steps_that_do_not_need_each_other_run_side_by_side(machine, tmp_path):
    # Each waits for a sign of the other: one after the other, they would never end.
    meet = "touch {folder}/{mine}; while [ ! -e {folder}/{other} ]; do sleep 0.05; done"
    outcome = machine.run(
        definition(
            processing("Left", meet.format(folder=tmp_path, mine="left", other="right"), limit_s=30),
            processing("Right", meet.format(folder=tmp_path, mine="right", other="left"), limit_s=30),
        )
    )
    assert outcome.status == "Succeeded"


def test_a_missing_metric_is_told_by_the_step_that_wanted_it(machine):
    wrong = get("Steps.Train.FinalMetricDataList['validation:map'].Value")
    outcome = machine.run(definition(prepare(), train(), condition("Gate", at_least(wrong, 0.5))))
    assert "did you mean 'validation:mAP'?" in outcome.steps["Gate"]["FailureReason"]


def test_an_input_that_is_not_there_is_told_with_its_uri(machine):
    outcome = machine.run(definition(processing("Read", "true", inputs={"data": "s3://nowhere/at/all"})))
    assert (
        outcome.steps["Read"]["FailureReason"] == "ClientError: s3://nowhere/at/all: nothing is stored there"
    )


def scored(text="birds"):
    return definition(
        prepare(text),
        train(),
        model("Model", "Train"),
        transform("Score", "Model", "s3://toys/pictures"),
        endpoint_config("Config", "Model"),
        endpoint("Deploy", "Config", "birds"),
    )


def test_batch_transform_asks_the_model_about_every_object(machine):
    machine.put("s3://toys/pictures/a/one.txt", "1")
    machine.put("s3://toys/pictures/two.txt", "2")
    outcome = machine.run(scored())
    assert outcome.status == "Succeeded"
    assert outcome.read("Score", "a", "one.txt.out") == "birds says 1"
    assert outcome.read("Score", "two.txt.out") == "birds says 2"


def test_an_object_that_fails_fails_the_transform_but_the_others_are_stored(machine):
    machine.put("s3://toys/pictures/good", "1")
    machine.put("s3://toys/pictures/worse", "bad")
    outcome = machine.run(scored())
    assert "worse: 400 not a picture" in outcome.steps["Score"]["FailureReason"]
    assert outcome.read("Score", "good.out") == "birds says 1"


def test_a_second_execution_updates_the_endpoint(machine):
    machine.put("s3://toys/pictures/one", "1")
    first, second = machine.run(scored()), machine.run(scored("finches"))
    (record,) = machine.store.all(ENDPOINT)
    assert record["EndpointStatus"] == "InService"
    assert record["EndpointConfigName"] == f"toys-{second.execution.id}" != f"toys-{first.execution.id}"


def test_a_model_that_does_not_start_is_never_in_service(machine):
    machine.put("s3://toys/pictures/one", "1")
    outcome = machine.run(
        definition(
            prepare("broken"),
            train(),
            model("Model", "Train"),
            endpoint_config("Config", "Model"),
            endpoint("Deploy", "Config", "birds"),
        )
    )
    assert "the model cannot be loaded" in outcome.steps["Deploy"]["FailureReason"]
    assert machine.store.all(ENDPOINT) == []


def test_checkpoints_are_given_and_taken(machine):
    step = train()
    step["Arguments"]["CheckpointConfig"] = {"S3Uri": "s3://toys/checkpoints/1"}
    machine.put("s3://toys/checkpoints/1/epoch-3", "weights")
    outcome = machine.run(definition(prepare(), step))
    assert outcome.status == "Succeeded"
    assert machine.store.objects.read("s3://toys/checkpoints/1/epoch-3") == b"weights"


def test_stopping_ends_the_jobs_and_is_recorded(machine, tmp_path):
    pid_file = tmp_path / "pid"
    execution, recorder = machine.prepare(definition(processing("Wait", f"echo $$ > {pid_file}; sleep 120")))

    def interrupt():
        deadline = time.monotonic() + 20
        while not pid_file.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        os.kill(os.getpid(), 2)

    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        execution.run()
    assert machine.store.find(EXECUTION, execution.id)["PipelineExecutionStatus"] == "Stopped"
    assert recorder.ended["Wait"][0] == "Stopped"
    assert machine.store.all(PROCESSING_JOB)[0]["ProcessingJobStatus"] == "Stopped"
    assert not running(str(pid_file))


def test_executions_that_register_at_once_get_versions_of_their_own(machine):
    meeting = threading.Barrier(2)

    def register_model(task, site):
        result = RUNNERS["RegisterModel"](task, site)
        with contextlib.suppress(threading.BrokenBarrierError):
            # Both have looked for the next version before either has taken it.
            meeting.wait(timeout=20)
        meeting.abort()
        return result

    text = definition(prepare(), train(), register("Register", "birds", "Train"))
    executions = [machine.prepare(text)[0] for _ in range(2)]
    for execution in executions:
        execution._runners = {**RUNNERS, "RegisterModel": register_model}
    threads = [threading.Thread(target=execution.run) for execution in executions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    packages = machine.store.all(MODEL_PACKAGE)
    assert sorted(package["ModelPackageVersion"] for package in packages) == [1, 2]


def test_a_bug_in_a_runner_is_raised_and_nothing_stays_executing(machine):
    def broken(task, site):
        raise ZeroDivisionError("a bug")

    machine.runners = {"Processing": broken}
    execution, _ = machine.prepare(definition(processing("Break", "true")))
    with pytest.raises(ZeroDivisionError):
        execution.run()
    record = machine.store.find(EXECUTION, execution.id)
    assert record["PipelineExecutionStatus"] == "Failed"
    assert "a bug" in record["FailureReason"]
