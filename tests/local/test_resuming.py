import threading
import time

import pytest

from tests.toys import at_least, condition, definition, fail, output_of, processing, register, training
from workflows.definition.errors import RefusedByPlan
from workflows.local.engine import CannotContinue
from workflows.local.executor import Options
from workflows.local.faults import Fault
from workflows.local.liveness import StillRunning, is_running
from workflows.local.records import EXECUTION, MODEL_PACKAGE
from workflows.local.selection import Selection

COUNT = "echo run >> {counter}; test ! -e {trap}; wc -l < {counter} > /opt/ml/processing/output/out/n"


@pytest.fixture
def chain(tmp_path):
    """Three steps; `Second` fails as long as the trap is there, and each counts how often it ran."""

    def make(trap="trap"):
        steps = [
            processing(
                name,
                COUNT.format(counter=tmp_path / name, trap=tmp_path / (trap if name == "Second" else "none")),
                inputs=inputs,
            )
            for name, inputs in (
                ("First", {}),
                ("Second", {"data": output_of("First", "out")}),
                ("Third", {"data": output_of("Second", "out")}),
            )
        ]
        return definition(*steps)

    return make


def runs(folder, *names):
    return [len((folder / name).read_text().splitlines()) for name in names]


def test_a_failed_execution_goes_on_where_it_failed(machine, chain, tmp_path):
    (tmp_path / "trap").touch()
    failed = machine.run(chain())
    assert failed.status == "Failed"
    (tmp_path / "trap").unlink()
    resumed = machine.resume(failed.execution.id)
    assert resumed.status == "Succeeded"
    assert resumed.execution.arn == failed.execution.arn
    assert runs(tmp_path, "First", "Second", "Third") == [1, 2, 1]
    assert "FailureReason" not in resumed.record
    assert resumed.recorder.started == ["Second", "Third"]


def test_an_execution_keeps_the_definition_and_parameters_of_its_start(machine, tmp_path):
    def text(word):
        script = f"test -e {tmp_path}/go; echo {word} $WORD > /opt/ml/processing/output/out/word"
        step = processing("Say", script)
        step["Arguments"]["Environment"] = {"WORD": {"Get": "Parameters.Word"}}
        return definition(step, parameters=[{"Name": "Word", "Type": "String", "DefaultValue": "x"}])

    failed = machine.run(text("old"), Word="given")
    (tmp_path / "go").touch()
    assert machine.run(text("new")).status == "Succeeded"  # makes version 2 of the pipeline
    resumed = machine.resume(failed.execution.id)
    assert resumed.read("Say", "out", "word") == "old given\n"
    assert resumed.record["PipelineVersionId"] == 1


def test_a_condition_that_was_decided_is_not_decided_again(machine, tmp_path):
    text = definition(
        training("Train", channels={"train": "s3://toys/data/"}, hyperparameters={"map": "0.9"}),
        condition(
            "Gate",
            at_least({"Get": "Steps.Train.FinalMetricDataList['validation:mAP'].Value"}, 0.5),
            if_steps=[processing("Taken", f"test -e {tmp_path}/go")],
            else_steps=[processing("Untaken", "true")],
        ),
        register("Register", "toys", "Train"),
    )
    machine.put("s3://toys/data/a", "a")
    failed = machine.run(text)
    (tmp_path / "go").touch()
    resumed = machine.resume(failed.execution.id)
    assert resumed.status == "Succeeded"
    assert resumed.recorder.started == ["Taken"]
    assert "Untaken" not in resumed.steps
    assert len(machine.store.all(MODEL_PACKAGE)) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(
            definition(processing("Done", "true")), "is Succeeded; there is nothing left", id="succeeded"
        ),
        pytest.param(definition(fail("Enough", "no")), "does not retry such an execution", id="fail-step"),
    ],
)
def test_what_sagemaker_does_not_retry_is_refused(machine, text, message):
    outcome = machine.run(text)
    with pytest.raises(CannotContinue, match=message):
        machine.resume(outcome.execution.id)


def test_an_execution_has_one_engine_at_a_time(machine):
    execution, recorder = machine.prepare(definition(processing("Wait", "sleep 60")))
    thread = threading.Thread(target=execution.run)
    thread.start()
    wait_for(lambda: recorder.started)
    try:
        with pytest.raises(CannotContinue, match="running in another process"):
            machine.engine.resume(execution.id, listener=recorder)
        with pytest.raises(StillRunning):
            execution.run()
    finally:
        machine.engine.stop(execution.id)
        thread.join()
    assert not is_running(execution.folder)


def test_a_stop_from_elsewhere_ends_the_jobs(machine):
    execution, recorder = machine.prepare(
        definition(processing("Wait", "sleep 60"), processing("Then", "true", DependsOn=["Wait"]))
    )
    thread = threading.Thread(target=execution.run)
    thread.start()
    wait_for(lambda: recorder.started)
    assert machine.engine.stop(execution.id) == "Stopping"
    thread.join()
    assert machine.store.find(EXECUTION, execution.id)["PipelineExecutionStatus"] == "Stopped"
    assert recorder.ended["Wait"][0] == "Stopped"
    assert recorder.started == ["Wait"]
    with pytest.raises(CannotContinue, match="is Stopped"):
        machine.engine.stop(execution.id)


def test_an_execution_whose_engine_died_is_stopped_at_once(machine):
    execution, _ = machine.prepare(definition(processing("Never", "true")))
    assert machine.engine.stop(execution.id) == "Stopped"


def test_selected_steps_run_with_the_results_of_an_earlier_execution(machine, chain, tmp_path):
    first = machine.run(chain())
    selected = machine.run(chain(), selection=Selection(steps=("Third",), source_arn=first.execution.arn))
    assert selected.status == "Succeeded"
    assert runs(tmp_path, "First", "Second", "Third") == [1, 1, 2]
    assert selected.record["SelectiveExecutionConfig"] == {
        "SourcePipelineExecutionArn": first.execution.arn,
        "SelectedSteps": [{"StepName": "Third"}],
    }
    reused = {"SourcePipelineExecutionArn": first.execution.arn}
    assert selected.steps["Second"]["SelectiveExecutionResult"] == reused
    assert "First" not in selected.steps


def test_a_selection_that_failed_is_resumed_as_a_selection(machine, chain, tmp_path):
    first = machine.run(chain())
    (tmp_path / "trap").touch()
    failed = machine.run(
        chain(), selection=Selection(steps=("Second", "Third"), source_arn=first.execution.arn)
    )
    assert failed.status == "Failed"
    (tmp_path / "trap").unlink()
    assert machine.resume(failed.execution.id).status == "Succeeded"
    assert runs(tmp_path, "First", "Second", "Third") == [1, 3, 2]


def test_a_selection_needs_what_the_source_has_finished(machine, chain, tmp_path):
    (tmp_path / "trap").touch()
    failed = machine.run(chain())
    with pytest.raises(RefusedByPlan, match="'Second' is not selected and did not succeed"):
        machine.run(chain(), selection=Selection(steps=("Third",), source_arn=failed.execution.arn))


def test_at_most_so_many_steps_work_at_once(machine, tmp_path):
    script = f"echo + >> {tmp_path}/log; sleep 0.2; echo - >> {tmp_path}/log"
    text = definition(*(processing(f"Step{number}", script) for number in range(4)))
    outcome = machine.run(text, options=Options(max_parallel=1))
    assert outcome.record["ParallelismConfiguration"] == {"MaxParallelExecutionSteps": 1}
    assert (tmp_path / "log").read_text().split() == ["+", "-"] * 4


def test_a_retry_policy_outlasts_a_lack_of_capacity(machine):
    policy = {"ExceptionType": ["SageMaker.CAPACITY_ERROR"], "IntervalSeconds": 1, "MaxAttempts": 3}
    step = processing("Prepare", "true", RetryPolicies=[policy])
    outcome = machine.run(definition(step), options=Options(faults={"Prepare": Fault("capacity-error", 1)}))
    assert outcome.status == "Succeeded"
    assert outcome.steps["Prepare"]["AttemptCount"] == 2
    assert outcome.recorder.retries == [("Prepare", 2, 1)]


def test_without_a_policy_a_lack_of_capacity_fails_the_step(machine):
    outcome = machine.run(
        definition(processing("Prepare", "true")),
        options=Options(faults={"Prepare": Fault("capacity-error", 1)}),
    )
    assert outcome.status == "Failed"
    assert "Unable to provision requested ML compute capacity" in outcome.steps["Prepare"]["FailureReason"]


def wait_for(condition):
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
