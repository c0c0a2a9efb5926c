"""Upper bounds, worked out by hand."""

from datetime import date

import pytest

from tests.preflight.definitions import changed, errors, found, golden, report
from tests.toys import condition, endpoint_config, processing, training, transform
from workflows.definition.errors import WorkflowError
from workflows.preflight.prices import Prices, read_prices

PRICES = Prices(
    per_hour={"ml.m5.large": 0.5, "ml.g5.xlarge": 2.0},
    currency="EUR",
    region="somewhere",
    as_of=date(2025, 1, 1),
)


def costs(*steps, given=None):
    return report({"Parameters": [], "Steps": list(steps)}, given, prices=PRICES).costs


def test_a_step_costs_price_times_hours_times_instances():
    job = processing("Prepare", "true", limit_s=7200)
    job["Arguments"]["ProcessingResources"]["ClusterConfig"]["InstanceCount"] = 3
    found_costs = costs(job, training("Train", channels={}, limit_s=1800))
    assert [(cost.step, cost.amount) for cost in found_costs.steps] == [("Prepare", 3.0), ("Train", 1.0)]
    assert found_costs.total == 4.0
    assert found_costs.is_complete


def test_without_a_limit_a_job_has_a_day():
    job = training("Train", channels={})
    del job["Arguments"]["StoppingCondition"]
    assert costs(job).total == 48.0


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        pytest.param(
            {"ExceptionType": ["SageMaker.JOB_INTERNAL_ERROR"], "MaxAttempts": 3}, 8.0, id="attempts"
        ),
        pytest.param({"ExceptionType": ["SageMaker.JOB_INTERNAL_ERROR"]}, 12.0, id="five-unless-said"),
        pytest.param(
            {"ExceptionType": ["SageMaker.JOB_INTERNAL_ERROR"], "ExpireAfterMin": 120}, 6.0, id="until-expiry"
        ),
        pytest.param(
            {"ExceptionType": ["SageMaker.CAPACITY_ERROR"], "MaxAttempts": 3}, 2.0, id="no-instance-had"
        ),
    ],
)
def test_tries_after_failures_of_running_jobs_are_paid_for(policy, expected):
    job = training("Train", channels={}, limit_s=3600, RetryPolicies=[policy])
    assert costs(job).total == expected


def test_of_two_branches_the_dearer_one_counts():
    gate = condition(
        "Gate",
        if_steps=[training("Cheap", channels={}, limit_s=3600)],
        else_steps=[training("Dear", channels={}, limit_s=7200)],
    )
    assert costs(gate).total == 4.0


def test_a_tuning_costs_all_its_jobs():
    job = training("Train", channels={}, limit_s=3600)["Arguments"]
    tuning = {
        "Name": "Tune",
        "Type": "Tuning",
        "Arguments": {
            "HyperParameterTuningJobConfig": {"ResourceLimits": {"MaxNumberOfTrainingJobs": 10}},
            "TrainingJobDefinition": job,
        },
    }
    assert costs(tuning).total == 20.0


def test_what_nothing_ends_has_a_price_per_hour():
    found_costs = costs(transform("Score", "Create", "s3://toys"), endpoint_config("Configure", "Create"))
    assert [(cost.step, cost.per_hour) for cost in found_costs.open_ended] == [
        ("Score", 0.5),
        ("Configure", 0.5),
    ]
    assert found_costs.total == 0.0


def test_an_instance_without_price_makes_the_bound_incomplete():
    job = processing("Prepare", "true")
    job["Arguments"]["ProcessingResources"]["ClusterConfig"]["InstanceType"] = "ml.m5.4xlarge"
    assert not costs(job).is_complete


def test_a_run_above_the_limit_is_an_error():
    birds = golden("birds-detection")
    assert ("cost-above-limit", "/Steps") in found(birds, max_cost=1000)
    assert errors(birds, max_cost=2000) == []


def test_a_limit_is_not_kept_by_what_has_no_price():
    birds = changed(
        golden("birds-detection"),
        "TrainBase/Arguments/ResourceConfig/InstanceType",
        "ml.p2.xlarge",
    )
    assert [error.identifier for error in errors(birds, max_cost=2000)] == ["cost-not-known"]
    assert errors(birds) == []


def test_our_pipelines_use_instances_with_a_price():
    prices = read_prices().per_hour
    for name in ("birds-detection", "caltech-classification"):
        parameters = {each["Name"]: each.get("DefaultValue") for each in golden(name)["Parameters"]}
        instances = [value for key, value in parameters.items() if key.endswith("InstanceType")]
        assert set(instances) <= set(prices)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        pytest.param("[per_hour]", "per_hour", id="no-price"),
        pytest.param('[per_hour]\n"ml.m5.large" = "1"', "ml.m5.large", id="price-as-text"),
        pytest.param('[per_hour]\n"ml.m5.large" = -1', "ml.m5.large", id="negative"),
        pytest.param('currency = "EUR"\nregion = "x"\n[per_hour]\n"ml.m5.large" = 1', "as_of", id="no-date"),
        pytest.param("per_hour", "TOML", id="no-toml"),
    ],
)
def test_a_table_of_prices_says_what_is_wrong_with_it(tmp_path, text, fault):
    file = tmp_path / "prices.toml"
    file.write_text(text)
    with pytest.raises(WorkflowError, match=fault):
        read_prices(file)


def test_kms_keys_are_asked_for_by_policy_only():
    birds = golden("birds-detection")
    places = [
        pointer for identifier, pointer in found(birds, wants_kms_keys=True) if identifier == "no-kms-key"
    ]
    # The volumes of its trainings are local disks, which have keys of their own.
    assert "/Steps/1/Arguments/OutputDataConfig" in places
    assert "/Steps/1/Arguments/ResourceConfig" not in places
    assert "/Steps/0/Arguments/ProcessingResources/ClusterConfig" in places
    with_key = changed(birds, "TrainBase/Arguments/OutputDataConfig/KmsKeyId", "alias/ours")
    assert ("no-kms-key", "/Steps/1/Arguments/OutputDataConfig") not in found(with_key, wants_kms_keys=True)
