"""What the compiled caltech-classification says."""

import pytest

from algorithms.image_classification.hyperparameters import TABLE
from tests.pipelines.definitions import (
    BUCKET,
    IMAGE,
    all_steps,
    arguments,
    channels,
    compiled,
    folder_of,
    hyperparameter_values,
    outputs,
    resolve,
)
from workflows.pipelines import catalog
from workflows.pipelines.classification import AUGMENTATION_TYPES
from workflows.pipelines.errors import PipelineOptionError

JOBS = ("PrepareData", "TrainBase", "TrainIncremental", "ScoreValidation", "Evaluate")
ACCURACY_OF_TRAINING = {"Get": "Steps.TrainIncremental.FinalMetricDataList['validation:accuracy'].Value"}
ACCURACY_OF_EVALUATION = {
    "Std:JsonGet": {
        "PropertyFile": {"Get": "Steps.Evaluate.PropertyFiles.EvaluationReport"},
        "Path": "multiclass_classification_metrics.accuracy.value",
    }
}
THRESHOLD = {"Get": "Parameters.AccuracyThreshold"}
PREFIX = f"s3://{BUCKET}/caltech-classification"
RECORDIO = "application/x-recordio"


def test_the_steps_are_these_in_this_order(caltech):
    assert [(step["Name"], step["Type"]) for step in caltech["Steps"]] == [
        ("PrepareData", "Processing"),
        ("TrainBase", "Training"),
        ("TrainIncremental", "Training"),
        ("CreateModel", "Model"),
        ("ScoreValidation", "Transform"),
        ("Evaluate", "Processing"),
        ("CheckQuality", "Condition"),
        ("CheckApproval", "Condition"),
    ]


def test_the_defaults_are_those_of_the_public_example(caltech):
    defaults = {entry["Name"]: entry["DefaultValue"] for entry in caltech["Parameters"]}
    assert defaults == {
        "InputDataUrl": f"{PREFIX}/input",
        "ProcessingInstanceType": "ml.m5.xlarge",
        "TrainingInstanceType": "ml.g5.2xlarge",
        "TransformInstanceType": "ml.m5.xlarge",
        "EndpointInstanceType": "ml.m5.large",
        "EndpointName": "caltech-classification",
        "ModelApprovalStatus": "PendingManualApproval",
        "TrainingPerClass": 60,
        "TrainRatio": 0.0,
        "Seed": 0,
        "ResizeSize": 256,
        "MaxUnreadableShare": 0.0,
        "NumLayers": 18,
        "ImageShape": "3,224,224",
        "UsePretrainedModel": 0,
        "TopK": 2,
        "Optimizer": "sgd",
        "Momentum": 0.9,
        "WeightDecay": 0.0001,
        "MiniBatchSize": 256,
        "Epochs": 10,
        "LearningRate": 0.1,
        "IncrementalMiniBatchSize": 128,
        "IncrementalEpochs": 2,
        "IncrementalLearningRate": 0.01,
        "AccuracyThreshold": 0.15,
    }


def test_preparation_runs_our_job_with_its_options(caltech):
    specification = arguments(caltech, "PrepareData")["AppSpecification"]
    assert specification["ImageUri"] == IMAGE
    module = "processing_scripts.jobs.prepare_classification"
    assert specification["ContainerEntrypoint"] == ["python", "-m", module]
    assert specification["ContainerArguments"][0::2] == [
        "--training-per-class",
        "--train-ratio",
        "--seed",
        "--resize",
        "--image-shape",
        "--max-unreadable-share",
    ]


def test_outputs_lie_under_the_execution_and_the_step(caltech):
    names = ("train", "validation", "validation_images", "lists", "report")
    assert outputs(caltech, "PrepareData") == {name: f"{PREFIX}/run/PrepareData/{name}" for name in names}


def test_both_trainings_read_the_same_pictures_and_the_second_the_first_ones_weights(caltech):
    data = {"train": (folder_of("train"), RECORDIO), "validation": (folder_of("validation"), RECORDIO)}
    seed = ({"Get": "Steps.TrainBase.ModelArtifacts.S3ModelArtifacts"}, "application/x-sagemaker-model")
    assert channels(caltech, "TrainBase") == data
    assert channels(caltech, "TrainIncremental") == data | {"model": seed}


def test_both_trainings_run_the_built_in_algorithm(caltech):
    images = {
        arguments(caltech, step)["AlgorithmSpecification"]["TrainingImage"]
        for step in ("TrainBase", "TrainIncremental")
    }
    assert images == {"685385470294.dkr.ecr.eu-west-1.amazonaws.com/image-classification:1"}


@pytest.mark.parametrize(
    ("step", "own"),
    [
        pytest.param(
            "TrainBase", {"mini_batch_size": "256", "epochs": "10", "learning_rate": "0.1"}, id="base"
        ),
        pytest.param(
            "TrainIncremental",
            {"mini_batch_size": "128", "epochs": "2", "learning_rate": "0.01"},
            id="incremental",
        ),
    ],
)
def test_each_training_has_its_recipe(caltech, step, own):
    assert hyperparameter_values(caltech, step, {}) == own | {
        "num_layers": "18",
        "image_shape": "3,224,224",
        "use_pretrained_model": "0",
        "top_k": "2",
        "optimizer": "sgd",
        "momentum": "0.9",
        "weight_decay": "0.0001",
    }


def test_the_incremental_training_never_takes_other_weights_than_those_it_is_given(caltech):
    assert arguments(caltech, "TrainIncremental")["HyperParameters"]["use_pretrained_model"] == "0"


def test_what_must_match_between_the_trainings_is_one_value(caltech):
    base, incremental = (
        arguments(caltech, step)["HyperParameters"] for step in ("TrainBase", "TrainIncremental")
    )
    assert set(base) == set(incremental)
    for name in ("num_layers", "image_shape", "num_classes", "num_training_samples"):
        assert base[name] == incremental[name]


@pytest.mark.parametrize("kind", ["crop", "crop_color", "crop_color_transform"])
def test_an_augmentation_is_that_of_both_trainings(kind):
    definition = compiled("caltech-classification", augmentation_type=kind)
    for step in ("TrainBase", "TrainIncremental"):
        assert arguments(definition, step)["HyperParameters"]["augmentation_type"] == kind


@pytest.mark.parametrize("pipeline", ["caltech-classification", "caltech-classification-retrain"])
def test_an_unknown_augmentation_is_refused(pipeline):
    with pytest.raises(PipelineOptionError, match="augmentation_type: 'flip' is none of crop, crop_color"):
        compiled(pipeline, augmentation_type="flip")


def test_evaluation_reads_answers_lists_report_and_pictures(caltech):
    evaluate = arguments(caltech, "Evaluate")
    module = "processing_scripts.jobs.evaluate_classification"
    assert evaluate["AppSpecification"]["ContainerEntrypoint"] == ["python", "-m", module]
    assert evaluate["AppSpecification"]["ContainerArguments"][0::2] == ["--top-k"]
    found = {
        entry["InputName"]: resolve(caltech, entry["S3Input"]["S3Uri"])
        for entry in evaluate["ProcessingInputs"]
    }
    assert found == {
        "predictions": f"{PREFIX}/run/ScoreValidation/",
        "images": f"{PREFIX}/run/PrepareData/validation_images/",
        "lists": f"{PREFIX}/run/PrepareData/lists/",
        "report": f"{PREFIX}/run/PrepareData/report/",
    }


def test_quality_asks_both_figures_and_registers_or_fails(caltech):
    check = arguments(caltech, "CheckQuality")
    assert check["Conditions"] == [
        {"Type": "GreaterThanOrEqualTo", "LeftValue": left, "RightValue": THRESHOLD}
        for left in (ACCURACY_OF_TRAINING, ACCURACY_OF_EVALUATION)
    ]
    assert [step["Name"] for step in check["IfSteps"]] == ["RegisterModel"]
    assert [step["Name"] for step in check["ElseSteps"]] == ["FailQuality"]
    message = check["ElseSteps"][0]["Arguments"]["ErrorMessage"]["Std:Join"]["Values"]
    assert [part for part in message if not isinstance(part, str)] == [
        ACCURACY_OF_TRAINING,
        ACCURACY_OF_EVALUATION,
        THRESHOLD,
    ]


def test_the_version_names_its_metrics_and_where_it_came_from(caltech):
    package = arguments(caltech, "RegisterModel")
    assert package["ModelPackageGroupName"] == "caltech-classification"
    assert package["Task"] == "IMAGE_CLASSIFICATION"
    assert "application/x-image" in package["InferenceSpecification"]["SupportedContentTypes"]
    assert set(package["CustomerMetadataProperties"]) == {
        "DataReport",
        "ValidationPictures",
        "TrainingJobName",
        "BaseTrainingJobName",
        "PipelineExecutionArn",
        "ValidationAccuracy",
        "EvaluationAccuracy",
    }
    statistics = package["ModelMetrics"]["ModelQuality"]["Statistics"]
    assert resolve(caltech, statistics["S3Uri"]) == f"{PREFIX}/run/Evaluate/evaluation/evaluation.json"


def test_jobs_are_cached(caltech):
    assert {
        name: step["CacheConfig"] for name, step in all_steps(caltech).items() if "CacheConfig" in step
    } == {name: {"Enabled": True, "ExpireAfter": "P30D"} for name in JOBS}


@pytest.mark.parametrize("profile", [None, *catalog.profile_names("caltech-classification")])
@pytest.mark.parametrize("step", ["TrainBase", "TrainIncremental"])
def test_the_algorithm_takes_every_hyperparameter_and_value(caltech, step, profile):
    table = {entry.name: entry for entry in TABLE}
    given = catalog.profile(profile, "caltech-classification") if profile else {}
    for name, value in hyperparameter_values(caltech, step, given).items():
        assert table[name].fault(value) is None


def test_the_algorithm_takes_every_augmentation_that_the_option_names():
    (augmentation,) = [entry for entry in TABLE if entry.name == "augmentation_type"]
    assert [kind for kind in AUGMENTATION_TYPES if augmentation.fault(kind)] == []
