from datetime import UTC, datetime, timedelta

import pytest

from workflows.definition.cache_key import key_of
from workflows.definition.differences import differences
from workflows.definition.model import CachePolicy
from workflows.local.cache import Hit, Miss, look_up
from workflows.local.step_results import StepResult

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
FOREVER = CachePolicy(expire_after=None)
ARN = "arn:aws:sagemaker:eu-west-1:1:pipeline/toys/execution/"


def ran(execution, key, *, hours_ago=1):
    return StepResult(
        step="Train",
        execution_arn=ARN + execution,
        ended=(NOW - timedelta(hours=hours_ago)).isoformat(),
        properties={"from": execution},
        metadata={},
        key=key,
    )


@pytest.mark.parametrize(
    ("step_type", "field", "value"),
    [
        pytest.param("Processing", "ProcessingOutputConfig", {"Outputs": []}, id="processing-outputs"),
        pytest.param("Processing", "RoleArn", "arn:aws:iam::1:role/other", id="role"),
        pytest.param("Training", "ResourceConfig", {"InstanceCount": 2}, id="instances"),
        pytest.param("Training", "OutputDataConfig", {"S3OutputPath": "s3://b/x"}, id="training-output"),
        pytest.param("Training", "StoppingCondition", {"MaxRuntimeInSeconds": 9}, id="limit"),
        pytest.param("Transform", "TransformOutput", {"S3OutputPath": "s3://b/x"}, id="transform-output"),
    ],
)
def test_fields_outside_the_key_do_not_matter(step_type, field, value):
    assert key_of(step_type, {field: value}) == {}


@pytest.mark.parametrize(
    ("step_type", "field"),
    [
        ("Processing", "AppSpecification"),
        ("Processing", "Environment"),
        ("Processing", "ProcessingInputs"),
        ("Training", "AlgorithmSpecification"),
        ("Training", "CheckpointConfig"),
        ("Training", "HyperParameters"),
        ("Training", "InputDataConfig"),
        ("Training", "Environment"),
        ("Transform", "ModelName"),
        ("Transform", "TransformInput"),
        ("Tuning", "HyperParameterTuningJobConfig"),
    ],
)
def test_fields_of_the_key_are_in_it(step_type, field):
    assert key_of(step_type, {field: "value"}) == {field: "value"}


def test_of_a_tuning_jobs_definition_only_parts_are_in_the_key():
    definition = {"StaticHyperParameters": {"epochs": "2"}, "RoleArn": "arn", "OutputDataConfig": {}}
    assert key_of("Tuning", {"TrainingJobDefinition": definition}) == {
        "TrainingJobDefinition.StaticHyperParameters": {"epochs": "2"}
    }


def test_the_latest_run_with_the_same_key_stands_for_the_step():
    earlier = [
        ran("new", {"a": "1"}, hours_ago=2),
        ran("old", {"a": "1"}, hours_ago=9),
        ran("other", {"a": "2"}),
    ]
    found = look_up({"a": "1"}, FOREVER, earlier, now=NOW)
    assert isinstance(found, Hit)
    assert found.source.execution_id == "new"


def test_a_run_that_itself_came_from_the_cache_is_no_source():
    found = look_up({"a": "1"}, FOREVER, [ran("copy", None)], now=NOW)
    assert isinstance(found, Miss)
    assert "no earlier execution" in found.reason


@pytest.mark.parametrize(
    ("hours", "hit"), [pytest.param(24, True, id="just-in-time"), pytest.param(23, False, id="too-late")]
)
def test_a_run_expires(hours, hit):
    policy = CachePolicy(expire_after=timedelta(hours=hours))
    found = look_up({"a": "1"}, policy, [ran("one", {"a": "1"}, hours_ago=24)], now=NOW)
    assert isinstance(found, Hit) is hit
    if not hit:
        assert found.reason == "expired: it ran 1 day, 0:00:00 ago, ExpireAfter is 23:00:00"


def test_a_miss_tells_each_field_with_its_old_and_new_value():
    before = {"HyperParameters": {"epochs": "2", "lr": "0.1"}, "InputDataConfig": [{"Uri": "s3://a"}]}
    after = {"HyperParameters": {"epochs": "3", "mini_batch": "8"}, "InputDataConfig": [{"Uri": "s3://b"}]}
    found = look_up(after, FOREVER, [ran("one", before)], now=NOW)
    assert found.record() == {
        "Reason": "arguments have changed",
        "ComparedWith": ARN + "one",
        "Changed": [
            {"Field": "HyperParameters.epochs", "Before": "2", "After": "3"},
            {"Field": "HyperParameters.lr", "Before": "0.1", "After": None},
            {"Field": "HyperParameters.mini_batch", "Before": None, "After": "8"},
            {"Field": "InputDataConfig[0].Uri", "Before": "s3://a", "After": "s3://b"},
        ],
    }


def test_lists_of_other_lengths_differ_as_a_whole():
    (change,) = differences({"a": [1]}, {"a": [1, 2]})
    assert (change.field, change.before, change.after) == ("a", [1], [1, 2])
