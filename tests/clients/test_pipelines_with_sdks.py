"""A pipeline's whole life in the SageMaker SDKs: upsert, start, wait, steps, gate, registry, deletion."""

import pytest

from tests.clients.checks import assert_detections
from tests.clients.conftest import run_script

V2 = pytest.param("v2", marks=pytest.mark.clients)
SAGEMAKER = "arn:aws:sagemaker:us-east-1:000000000000"


@pytest.fixture(scope="module", params=["v3", V2])
def finished(request, few_birds, tmp_path_factory):
    folder = tmp_path_factory.mktemp("user")
    return run_script(request.param, "pipeline", few_birds, folder).answer


def by_name(known):
    return {step["StepName"]: step for step in known["steps"]}


def test_a_pipeline_is_made_once_and_found_again(finished):
    arn = f"{SAGEMAKER}:pipeline/birds-pipeline"
    assert finished["arn"] == finished["described"]["PipelineArn"] == arn
    assert finished["described"]["PipelineStatus"] == "Active"


def test_an_execution_runs_with_its_parameters(finished):
    passed = finished["passed"]["execution"]
    assert passed["PipelineExecutionStatus"] == "Succeeded"
    assert passed["PipelineExecutionDisplayName"] == "two-epochs"
    assert {entry["Name"]: entry["Value"] for entry in finished["parameters"]} == {
        "Epochs": "2",
        "MapThreshold": "0.0",
        "ModelApprovalStatus": "PendingManualApproval",
    }


def test_every_step_has_run_and_says_what_it_made(finished):
    steps = by_name(finished["passed"])
    assert {step["StepStatus"] for step in steps.values()} == {"Succeeded"}
    made = {name: next(iter(step["Metadata"].values())) for name, step in steps.items()}
    assert made.pop("CheckQuality") == {"Outcome": "True"}
    kinds = {entry["Arn"].removeprefix(f"{SAGEMAKER}:").partition("/")[0] for entry in made.values()}
    assert kinds == {"processing-job", "training-job", "model-package"}


def test_the_training_used_what_the_processing_script_counted(finished):
    assert finished["hyperparameters"]["num_training_samples"] == "48"
    assert finished["hyperparameters"]["epochs"] == "2"


def test_a_gate_that_is_not_passed_fails_the_execution_with_both_numbers(finished):
    strict, score = finished["strict"], finished["score"]
    steps = by_name(strict)
    assert strict["execution"]["PipelineExecutionStatus"] == "Failed"
    assert steps["CheckQuality"]["Metadata"]["Condition"]["Outcome"] == "False"
    assert steps["Refuse"]["FailureReason"] == f"mAP {score} is below 0.99"
    assert "PipelineExecutionComplete failed" in finished["failure"]


def test_what_has_not_changed_comes_from_the_cache(finished):
    steps, source = by_name(finished["strict"]), finished["passed"]["execution"]["PipelineExecutionArn"]
    for name in ("CountRecords", "TrainDetector"):
        assert steps[name]["CacheHitResult"] == {"SourcePipelineExecutionArn": source}


def test_executions_are_listed_newest_first(finished):
    listed = [entry["PipelineExecutionArn"] for entry in finished["executions"]]
    runs = [finished[name]["execution"]["PipelineExecutionArn"] for name in ("strict", "passed")]
    assert listed == runs


def test_a_registered_version_is_approved(finished):
    package = finished["package"]
    assert (package["ModelPackageGroupName"], package["ModelPackageVersion"]) == ("birds-pipeline", 1)
    assert package["ModelApprovalStatus"] == "Approved"
    (container,) = package["InferenceSpecification"]["Containers"]
    assert container["ModelDataUrl"] == finished["artifact"]


def test_an_approved_version_answers_from_an_endpoint(finished):
    assert_detections(finished["prediction"])


def test_a_deleted_pipeline_is_not_listed(finished):
    assert finished["left"] == []
