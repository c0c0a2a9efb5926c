"""What the compiled retraining pipelines say; `retraining` is each of the two in turn."""

import json

import pytest

from tests.pipelines.definitions import (
    all_steps,
    arguments,
    channels,
    compiled,
    folder_of,
    input_uris,
    resolve,
)
from workflows.definition.loader import load
from workflows.pipelines import catalog
from workflows.pipelines.errors import PipelineOptionError

PARENTS = ["birds-detection", "caltech-classification"]
THRESHOLDS = {"birds-detection": "MapThreshold", "caltech-classification": "AccuracyThreshold"}
FUNCTION = "arn:aws:lambda:eu-west-1:123456789012:function:sagemaker-find-approved-model"


def found(name):
    return {"Get": f"Steps.FindApprovedModel.OutputParameters['{name}']"}


def evaluated(path):
    report = {"Get": "Steps.Evaluate.PropertyFiles.EvaluationReport"}
    return {"Std:JsonGet": {"PropertyFile": report, "Path": path}}


def parent_of(definition):
    return arguments(definition, "FindApprovedModel")["ModelPackageGroupName"]


def test_the_steps_are_these_in_this_order(retraining):
    assert [(step["Name"], step["Type"]) for step in retraining["Steps"]] == [
        ("FindApprovedModel", "Lambda"),
        ("PrepareData", "Processing"),
        ("Train", "Training"),
        ("CreateModel", "Model"),
        ("CreateApprovedModel", "Model"),
        ("ScoreValidation", "Transform"),
        ("ScoreApproved", "Transform"),
        ("Evaluate", "Processing"),
        ("CheckQuality", "Condition"),
        ("CheckApproval", "Condition"),
    ]


def test_the_approved_version_is_looked_up_by_a_function_each_time(retraining):
    (step,) = [step for step in retraining["Steps"] if step["Name"] == "FindApprovedModel"]
    assert step == {
        "Name": "FindApprovedModel",
        "Type": "Lambda",
        "Arguments": {"ModelPackageGroupName": parent_of(retraining)},
        "FunctionArn": FUNCTION,
        "OutputParameters": [
            {"OutputName": name, "OutputType": "String"}
            for name in ("ModelPackageArn", "ModelPackageVersion", "ModelDataUrl", "Image")
        ],
    }


@pytest.mark.parametrize("parent", PARENTS)
def test_the_group_that_is_read_is_the_one_that_is_written_and_the_parents(parent):
    definitions = [compiled(parent), compiled(f"{parent}-retrain")]
    groups = {arguments(definition, "RegisterModel")["ModelPackageGroupName"] for definition in definitions}
    assert groups == {parent_of(definitions[1])} == {parent}


def test_another_group_is_both_read_and_written():
    definition = compiled("birds-detection-retrain", model_package_group_name="owls")
    assert parent_of(definition) == arguments(definition, "RegisterModel")["ModelPackageGroupName"] == "owls"


@pytest.mark.parametrize("parent", PARENTS)
def test_pictures_and_endpoint_are_the_parents(parent):
    defaults = [
        {entry["Name"]: entry["DefaultValue"] for entry in definition["Parameters"]}
        for definition in (compiled(parent), compiled(f"{parent}-retrain"))
    ]
    for name in ("InputDataUrl", "EndpointName", "ModelApprovalStatus"):
        assert defaults[0][name] == defaults[1][name]


def test_nothing_is_cached_so_that_new_pictures_and_a_new_approval_are_seen(retraining):
    assert [name for name, step in all_steps(retraining).items() if "CacheConfig" in step] == []
    with pytest.raises(PipelineOptionError, match="no option is named 'cache_expire_after'"):
        compiled(f"{parent_of(retraining)}-retrain", cache_expire_after="P7D")


def test_nothing_that_costs_starts_before_an_approved_version_is_found(retraining):
    needs = load(json.dumps(retraining)).needs
    first = [name for name, needed in needs.items() if not needed]
    assert first == ["FindApprovedModel"]


def test_training_goes_on_from_the_approved_version(retraining):
    seed = (found("ModelDataUrl"), "application/x-sagemaker-model")
    assert channels(retraining, "Train")["model"] == seed
    assert arguments(retraining, "Train")["HyperParameters"]["use_pretrained_model"] == "0"


@pytest.mark.parametrize("parent", PARENTS)
def test_the_recipe_and_the_data_are_those_of_the_parents_incremental_training(parent):
    incremental = arguments(compiled(parent), "TrainIncremental")
    train = arguments(compiled(f"{parent}-retrain"), "Train")
    assert train["HyperParameters"] == incremental["HyperParameters"]
    assert train["InputDataConfig"][:2] == incremental["InputDataConfig"][:2]
    assert train["AlgorithmSpecification"] == incremental["AlgorithmSpecification"]


@pytest.mark.parametrize("parent", PARENTS)
def test_parameters_are_the_parents_without_those_of_its_base_training(parent):
    old, new = (
        {entry["Name"]: entry for entry in compiled(name)["Parameters"]}
        for name in (parent, f"{parent}-retrain")
    )
    allowed_drop = {"Name": "AllowedDrop", "Type": "Float", "DefaultValue": 0.0}
    gone = {"UsePretrainedModel", "Epochs", "LearningRate"} | (
        {"LrSchedulerStep"} if parent == "birds-detection" else {"MiniBatchSize"}
    )
    kept = {name: entry for name, entry in old.items() if name not in gone}
    assert new == kept | {"AllowedDrop": allowed_drop}


def test_the_approved_model_runs_in_the_image_that_it_was_registered_with(retraining):
    container = arguments(retraining, "CreateApprovedModel")["PrimaryContainer"]
    assert (container["Image"], container["ModelDataUrl"]) == (found("Image"), found("ModelDataUrl"))


def test_both_models_answer_for_the_same_pictures_and_may_do_so_at_once(retraining):
    scores = [arguments(retraining, step) for step in ("ScoreValidation", "ScoreApproved")]
    for score in scores:
        pictures = score["TransformInput"]["DataSource"]["S3DataSource"]["S3Uri"]
        assert pictures == folder_of("validation_images")
    assert [score["ModelName"]["Get"] for score in scores] == [
        "Steps.CreateModel.ModelName",
        "Steps.CreateApprovedModel.ModelName",
    ]
    needs = load(json.dumps(retraining)).needs
    assert "ScoreValidation" not in needs["ScoreApproved"]
    assert "Train" not in needs["ScoreApproved"] | needs["CreateApprovedModel"]


def test_evaluation_gets_both_answers_and_the_margin(retraining):
    evaluate = arguments(retraining, "Evaluate")
    answers = {
        entry["InputName"]: resolve(retraining, entry["S3Input"]["S3Uri"]).split("/run/")[1]
        for entry in evaluate["ProcessingInputs"]
        if entry["InputName"].endswith("predictions")
    }
    assert answers == {"predictions": "ScoreValidation/", "approved_predictions": "ScoreApproved/"}
    words = evaluate["AppSpecification"]["ContainerArguments"]
    margin = words[words.index("--allowed-drop") + 1]
    assert margin == {"Std:Join": {"On": "", "Values": [{"Get": "Parameters.AllowedDrop"}]}}


def test_quality_asks_both_figures_and_that_the_model_is_not_worse(retraining):
    conditions = arguments(retraining, "CheckQuality")["Conditions"]
    threshold = {"Get": f"Parameters.{THRESHOLDS[parent_of(retraining)]}"}
    assert [condition["Type"] for condition in conditions] == ["GreaterThanOrEqualTo"] * 3
    assert [condition["RightValue"] for condition in conditions] == [threshold, threshold, 1]
    assert conditions[0]["LeftValue"]["Get"].startswith("Steps.Train.FinalMetricDataList['validation:")
    assert conditions[2]["LeftValue"] == evaluated("comparison.not_worse")


def test_a_refusal_names_the_new_the_approved_and_what_was_asked(retraining):
    conditions = arguments(retraining, "CheckQuality")["Conditions"]
    message = arguments(retraining, "FailQuality")["ErrorMessage"]["Std:Join"]["Values"]
    assert [part for part in message if not isinstance(part, str)] == [
        conditions[0]["LeftValue"],
        conditions[1]["LeftValue"],
        conditions[0]["RightValue"],
        found("ModelPackageVersion"),
        evaluated("comparison.approved"),
        {"Get": "Parameters.AllowedDrop"},
    ]


def test_the_version_names_its_parent_and_how_that_compared(retraining):
    metadata = arguments(retraining, "RegisterModel")["CustomerMetadataProperties"]
    figure = "MAP" if parent_of(retraining) == "birds-detection" else "Accuracy"
    assert list(metadata) == [
        "DataReport",
        "ValidationPictures",
        "TrainingJobName",
        "ParentModelPackageArn",
        "ParentModelPackageVersion",
        "PipelineExecutionArn",
        f"Validation{figure}",
        f"Evaluation{figure}",
        f"Approved{figure}",
    ]
    assert metadata["ParentModelPackageArn"] == found("ModelPackageArn")
    assert metadata["ParentModelPackageVersion"] == found("ModelPackageVersion")
    approved = metadata[f"Approved{figure}"]
    assert approved == {"Std:Join": {"On": "", "Values": [evaluated("comparison.approved")]}}


def test_everything_read_from_s3_is_the_pictures_the_approved_model_or_this_executions_own(retraining):
    outside = [uri for uri in input_uris(retraining) if "Std:Join" not in uri]
    assert outside == [{"Get": "Parameters.InputDataUrl"}, found("ModelDataUrl")]


@pytest.mark.parametrize(
    ("region", "role", "function"),
    [
        pytest.param(
            "us-east-1",
            "arn:aws:iam::210987654321:role/team/Vision",
            "arn:aws:lambda:us-east-1:210987654321:function:sagemaker-find-approved-model",
            id="other-account-and-region",
        ),
        pytest.param(
            "cn-north-1",
            "arn:aws-cn:iam::210987654321:role/Vision",
            "arn:aws-cn:lambda:cn-north-1:210987654321:function:sagemaker-find-approved-model",
            id="china",
        ),
    ],
)
def test_the_function_is_by_default_in_the_account_of_the_role(region, role, function):
    definition = compiled("birds-detection-retrain", region=region, role=role)
    assert all_steps(definition)["FindApprovedModel"]["FunctionArn"] == function


@pytest.mark.parametrize("pipeline", [f"{parent}-retrain" for parent in PARENTS])
def test_another_function_may_be_named(pipeline):
    arn = "arn:aws:lambda:eu-west-1:210987654321:function:sagemaker-find:live"
    definition = compiled(pipeline, approved_model_function_arn=arn)
    assert all_steps(definition)["FindApprovedModel"]["FunctionArn"] == arn


@pytest.mark.parametrize(
    ("arn", "message"),
    [
        pytest.param("sagemaker-find-approved-model", "is not the ARN of a function", id="name"),
        pytest.param("arn:aws:iam::123456789012:role/find", "is not the ARN of a function", id="role"),
        pytest.param(
            "arn:aws:lambda:us-east-1:123456789012:function:find",
            "the function is in us-east-1, the pipeline is for eu-west-1",
            id="elsewhere",
        ),
    ],
)
def test_what_is_no_function_of_this_region_is_refused(arn, message):
    with pytest.raises(PipelineOptionError, match=message):
        compiled("birds-detection-retrain", approved_model_function_arn=arn)


def test_a_pipeline_with_two_trainings_takes_no_function():
    with pytest.raises(PipelineOptionError, match="no option is named 'approved_model_function_arn'"):
        compiled("birds-detection", approved_model_function_arn=FUNCTION)


def test_every_parent_has_a_retraining():
    assert set(catalog.names()) == {*PARENTS, *(f"{parent}-retrain" for parent in PARENTS)}
