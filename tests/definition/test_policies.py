from datetime import timedelta

import pytest

from tests.definition.definitions import definition, refusal, step
from workflows.definition.errors import DefinitionError
from workflows.definition.loader import load
from workflows.definition.model import CachePolicy, RetryPolicy


def loaded(kind="Training", **fields):
    return load(definition(step("A", {}, kind, **fields))).steps["A"]


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        pytest.param(
            {"Enabled": True, "ExpireAfter": "P30D"}, CachePolicy(expire_after=timedelta(days=30)), id="on"
        ),
        pytest.param({"Enabled": True}, CachePolicy(expire_after=None), id="for-ever"),
        pytest.param({"Enabled": True, "ExpireAfter": None}, CachePolicy(expire_after=None), id="null"),
        pytest.param({"Enabled": False, "ExpireAfter": "whenever"}, None, id="off-ignores-the-rest"),
        pytest.param({}, None, id="off-by-default"),
        pytest.param(None, None, id="absent"),
    ],
)
def test_a_cache_config_is_read(config, expected):
    assert loaded(CacheConfig=config).cache == expected


@pytest.mark.parametrize(
    ("kind", "config", "fragments"),
    [
        pytest.param("Training", {"Enabled": "yes"}, ["CacheConfig.Enabled", "true or false"], id="enabled"),
        pytest.param(
            "Training",
            {"Enabled": True, "ExpireAfter": "a month"},
            ["CacheConfig.ExpireAfter", "'a month'", "P30D"],
            id="expiry",
        ),
        pytest.param(
            "Training", {"Enabled": True, "ExpireAfter": 30}, ["ExpireAfter", "a string"], id="number"
        ),
        pytest.param("Training", [], ["CacheConfig", "an object"], id="no-object"),
        pytest.param("Model", {"Enabled": True}, ["Model steps are not cached", "Training"], id="model"),
        pytest.param(
            "RegisterModel", {"Enabled": False}, ["RegisterModel steps are not cached"], id="switched-off"
        ),
    ],
)
def test_a_wrong_cache_config_is_refused(kind, config, fragments):
    message = refusal(load, definition(step("A", {}, kind, CacheConfig=config)), error=DefinitionError)
    for fragment in ["Steps[0] 'A'", *fragments]:
        assert fragment in message


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("Lambda", {"FunctionArn": "arn"}),
        ("Callback", {"SqsQueueUrl": "url"}),
        ("EndpointConfig", {}),
        ("Endpoint", {}),
    ],
)
def test_steps_without_a_cache_key_run_each_time_although_they_may_have_a_cache_config(kind, fields):
    assert loaded(kind, **fields, CacheConfig={"Enabled": True, "ExpireAfter": "P1D"}).cache is None


def test_a_type_that_is_not_known_yet_may_have_everything():
    retries = [{"ExceptionType": ["Emr.RESOURCE_LIMIT"]}]
    found = loaded("Quantum", CacheConfig={"Enabled": True}, RetryPolicies=retries)
    assert found.cache is not None and found.retries == (
        RetryPolicy(exception_types=("Emr.RESOURCE_LIMIT",)),
    )


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        pytest.param(
            {"ExceptionType": ["Step.THROTTLING", "Step.SERVICE_FAULT"]},
            RetryPolicy(
                exception_types=("Step.THROTTLING", "Step.SERVICE_FAULT"),
                interval_s=1,
                backoff_rate=2.0,
                max_attempts=5,
                expire_after_min=None,
            ),
            id="defaults",
        ),
        pytest.param(
            {"ExceptionType": "Step.THROTTLING", "MaxAttempts": 0},
            RetryPolicy(exception_types=("Step.THROTTLING",), max_attempts=0),
            id="single-string-and-never",
        ),
        pytest.param(
            {
                "ExceptionType": ["SageMaker.CAPACITY_ERROR"],
                "IntervalSeconds": 43200,
                "BackoffRate": 1,
                "ExpireAfterMin": 14400,
            },
            RetryPolicy(
                exception_types=("SageMaker.CAPACITY_ERROR",),
                interval_s=43200,
                backoff_rate=1.0,
                max_attempts=None,
                expire_after_min=14400,
            ),
            id="expiry-in-place-of-attempts",
        ),
        pytest.param(
            {"ExceptionType": ["SageMaker.RESOURCE_LIMIT", "SageMaker.RESOURCE_LIMIT"], "MaxAttempts": 20},
            RetryPolicy(exception_types=("SageMaker.RESOURCE_LIMIT",), max_attempts=20),
            id="named-twice-in-one-policy",
        ),
    ],
)
def test_a_retry_policy_is_read(policy, expected):
    assert loaded(RetryPolicies=[policy]).retries == (expected,)


def test_jobs_of_tuning_are_tried_again_inside_so_a_policy_for_their_internal_errors_does_nothing():
    internal, capacity = "SageMaker.JOB_INTERNAL_ERROR", "SageMaker.CAPACITY_ERROR"
    found = loaded("Tuning", RetryPolicies=[{"ExceptionType": [internal, capacity]}]).retries
    assert [policy.exception_types for policy in found] == [(capacity,)]
    assert loaded("Tuning", RetryPolicies=[{"ExceptionType": [internal]}]).retries == ()


THROTTLING = {"ExceptionType": ["Step.THROTTLING"]}


@pytest.mark.parametrize(
    ("kind", "policies", "fragments"),
    [
        pytest.param("Training", {}, ["RetryPolicies", "a list"], id="no-list"),
        pytest.param("Training", [{}], ["RetryPolicies[0].ExceptionType", "at least one"], id="no-type"),
        pytest.param(
            "Training", [{"ExceptionType": []}], ["ExceptionType", "at least one"], id="no-type-in-list"
        ),
        pytest.param(
            "Training",
            [{"ExceptionType": ["Step.TROTTLING"]}],
            ["no exception type", "did you mean 'Step.THROTTLING'?"],
            id="unknown-type",
        ),
        pytest.param(
            "Model",
            [{"ExceptionType": ["SageMaker.CAPACITY_ERROR"]}],
            ["Model steps are not retried after SageMaker.CAPACITY_ERROR", "Step.THROTTLING"],
            id="job-type-on-a-step-without-job",
        ),
        pytest.param(
            "Processing",
            [{"ExceptionType": ["Emr.RESOURCE_LIMIT"]}],
            ["Processing steps are not retried after Emr.RESOURCE_LIMIT"],
            id="emr-type-elsewhere",
        ),
        pytest.param(
            "Endpoint",
            [THROTTLING],
            ["Endpoint steps are not retried", "remove RetryPolicies"],
            id="step-without-policies",
        ),
        pytest.param(
            "Training",
            [THROTTLING, {"ExceptionType": "Step.THROTTLING"}],
            ["RetryPolicies[0] and", "RetryPolicies[1]", "Step.THROTTLING", "one policy"],
            id="two-policies-for-one-type",
        ),
        pytest.param(
            "Training",
            [{**THROTTLING, "MaxAttempts": 2, "ExpireAfterMin": 5}],
            ["MaxAttempts and ExpireAfterMin exclude each other"],
            id="both-limits",
        ),
        pytest.param(
            "Training", [{**THROTTLING, "MaxAttempts": 21}], ["MaxAttempts: 21", "0 to 20"], id="attempts"
        ),
        pytest.param("Training", [{**THROTTLING, "MaxAttempts": -1}], ["MaxAttempts: -1"], id="below-zero"),
        pytest.param(
            "Training",
            [{**THROTTLING, "ExpireAfterMin": 14401}],
            ["ExpireAfterMin: 14401", "1 to 14400"],
            id="expiry",
        ),
        pytest.param(
            "Training",
            [{**THROTTLING, "IntervalSeconds": 0}],
            ["IntervalSeconds: 0", "1 to 43200"],
            id="interval",
        ),
        pytest.param(
            "Training", [{**THROTTLING, "IntervalSeconds": 43201}], ["43201"], id="interval-too-long"
        ),
        pytest.param(
            "Training", [{**THROTTLING, "IntervalSeconds": 1.5}], ["whole number"], id="part-of-a-second"
        ),
        pytest.param("Training", [{**THROTTLING, "IntervalSeconds": True}], ["whole number"], id="boolean"),
        pytest.param("Training", [{**THROTTLING, "BackoffRate": -1}], ["BackoffRate: -1"], id="rate"),
        pytest.param("Training", [{**THROTTLING, "BackoffRate": 10**400}], ["BackoffRate: 1000"], id="huge"),
        pytest.param("Training", [{**THROTTLING, "BackoffRate": "2"}], ["BackoffRate: '2'"], id="rate-text"),
    ],
)
def test_a_wrong_retry_policy_is_refused(kind, policies, fragments):
    message = refusal(load, definition(step("A", {}, kind, RetryPolicies=policies)), error=DefinitionError)
    for fragment in ["Steps[0] 'A'", *fragments]:
        assert fragment in message
