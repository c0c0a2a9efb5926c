from datetime import UTC, datetime, timedelta

import pytest

from tests.toys import definition, get, output_of, processing, training
from workflows.local.executor import Options
from workflows.local.records import STEP_RESULT

CACHED = {"CacheConfig": {"Enabled": True, "ExpireAfter": "P30D"}}


def pipeline(*, epochs="2", script="echo words > /opt/ml/processing/output/out/words.txt", limit_s=60):
    return definition(
        processing("Prepare", script, limit_s=limit_s, **CACHED),
        training(
            "Train",
            channels={"train": output_of("Prepare", "out")},
            hyperparameters={"depth": epochs, "map": "0.25"},
            **CACHED,
        ),
        processing(
            "Count",
            "cat /opt/ml/processing/input/data/words.txt > /opt/ml/processing/output/out/copy.txt",
            inputs={"data": output_of("Prepare", "out")},
        ),
    )


def test_a_second_run_takes_finished_work_from_the_cache(machine):
    first = machine.run(pipeline())
    second = machine.run(pipeline())
    assert second.status == "Succeeded"
    source = {"SourcePipelineExecutionArn": first.execution.arn}
    assert [second.steps[name].get("CacheHitResult") for name in ("Prepare", "Train", "Count")] == [
        source,
        source,
        None,
    ]
    assert second.steps["Train"]["Metadata"] == first.steps["Train"]["Metadata"]
    assert second.read("Count", "out", "copy.txt") == "words\n"


def test_a_step_that_ran_says_which_field_made_it(machine):
    first = machine.run(pipeline(epochs="2"))
    second = machine.run(pipeline(epochs="3"))
    assert "CacheHitResult" in second.steps["Prepare"]
    assert second.steps["Train"]["CacheMiss"] == {
        "Reason": "arguments have changed",
        "ComparedWith": first.execution.arn,
        "Changed": [{"Field": "HyperParameters.depth", "Before": "2", "After": "3"}],
    }
    assert "CacheMiss" not in second.steps["Count"]  # caching is not enabled there


def test_what_an_earlier_step_makes_anew_is_an_input_that_changed(machine):
    machine.run(pipeline())
    second = machine.run(pipeline(script="echo other > /opt/ml/processing/output/out/words.txt"))
    changed = [entry["Field"] for entry in second.steps["Train"]["CacheMiss"]["Changed"]]
    assert changed == ["InputDataConfig[0].DataSource.S3DataSource.S3Uri"]


def test_limits_and_instances_are_not_in_the_key(machine):
    machine.run(pipeline(limit_s=60))
    assert "CacheHitResult" in machine.run(pipeline(limit_s=61)).steps["Prepare"]


def test_a_failed_run_is_never_reused(machine):
    broken = "exit 3"
    assert machine.run(pipeline(script=broken)).status == "Failed"
    assert "CacheHitResult" not in machine.run(pipeline(script=broken)).steps["Prepare"]


def test_another_pipeline_has_its_own_cache(machine):
    machine.run(pipeline())
    other = machine.run(pipeline(), pipeline="others")
    assert "no earlier execution of this pipeline" in other.steps["Prepare"]["CacheMiss"]["Reason"]


def test_a_run_of_a_run_from_the_cache_leads_to_the_first(machine):
    first = machine.run(pipeline())
    machine.run(pipeline())
    third = machine.run(pipeline())
    hit = third.steps["Train"]["CacheHitResult"]
    assert hit == {"SourcePipelineExecutionArn": first.execution.arn}


def test_an_expired_run_is_not_reused(machine):
    first = machine.run(pipeline())
    long_ago = (datetime.now(UTC) - timedelta(days=31)).isoformat()
    machine.store.change(
        STEP_RESULT, f"{first.execution.id}/Prepare", lambda record: {**record, "EndTime": long_ago}
    )
    reason = machine.run(pipeline()).steps["Prepare"]["CacheMiss"]["Reason"]
    assert reason.startswith("expired: it ran 31 days")


def test_caching_can_be_switched_off_for_one_run(machine):
    machine.run(pipeline())
    second = machine.run(pipeline(), options=Options(use_cache=False))
    assert "CacheHitResult" not in second.steps["Train"]
    assert "switched off" in second.steps["Train"]["CacheMiss"]["Reason"]


@pytest.mark.parametrize("variable", ["PipelineExecutionId", "PipelineExecutionArn"])
def test_an_input_that_names_the_execution_defeats_the_cache(machine, variable):
    step = processing("Prepare", "true", **CACHED)
    step["Arguments"]["Environment"] = {"RUN": get(f"Execution.{variable}")}
    machine.run(definition(step))
    assert "CacheHitResult" not in machine.run(definition(step)).steps["Prepare"]
