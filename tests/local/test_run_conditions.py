"""Steps that run because another has failed: DependsOn entries with a Trigger, of SDK 3.27."""

import pytest

from tests.toys import definition, processing


def after(step, trigger):
    return {"Step": step, "Trigger": trigger}


def pipeline(script, trigger, *more):
    return definition(
        processing("Work", script), processing("Answer", "true", DependsOn=[after("Work", trigger)]), *more
    )


@pytest.mark.parametrize(
    ("script", "trigger", "runs"),
    [
        pytest.param("exit 3", "Failed", True, id="failed-after-failure"),
        pytest.param("exit 3", "Any", True, id="any-after-failure"),
        pytest.param("exit 3", "Completed", False, id="completed-after-failure"),
        pytest.param("exit 3", "Stopped", False, id="stopped-after-failure"),
        pytest.param("true", "Failed", False, id="failed-after-success"),
        pytest.param("true", "Any", True, id="any-after-success"),
        pytest.param("true", "Stopped", False, id="stopped-after-success"),
    ],
)
def test_a_step_runs_on_the_outcome_that_it_names(machine, script, trigger, runs):
    outcome = machine.run(pipeline(script, trigger))
    assert ("Answer" in outcome.steps) is runs


def test_a_failure_that_is_answered_leaves_the_execution_completed_with_failures(machine):
    outcome = machine.run(pipeline("exit 3", "Failed", processing("Then", "true", DependsOn=["Answer"])))
    assert outcome.status == "CompletedWithFailures"
    assert outcome.record["FailureReason"].startswith("Step failure: Work: ")
    assert {name: step["StepStatus"] for name, step in outcome.steps.items()} == {
        "Work": "Failed",
        "Answer": "Succeeded",
        "Then": "Succeeded",
    }


def test_what_does_not_answer_a_failure_does_not_start_after_it(machine):
    outcome = machine.run(
        pipeline(
            "exit 3",
            "Failed",
            processing("Beside", "sleep 1"),
            processing("AfterBeside", "true", DependsOn=["Beside"]),
        )
    )
    assert outcome.status == "CompletedWithFailures"
    assert "AfterBeside" not in outcome.steps


def test_an_answer_that_fails_itself_fails_the_execution(machine):
    text = definition(
        processing("Work", "exit 3"), processing("Answer", "exit 4", DependsOn=[after("Work", "Failed")])
    )
    assert machine.run(text).status == "Failed"


def test_an_answer_to_a_success_that_never_was_is_no_failure(machine):
    assert machine.run(pipeline("true", "Failed")).status == "Succeeded"
