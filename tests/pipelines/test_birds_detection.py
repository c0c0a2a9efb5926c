"""What the compiled birds-detection says."""

import pytest

from algorithms.object_detection.hyperparameters import TABLE
from processing_scripts.datasets import detection_formats
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
from workflows.pipelines.errors import PipelineOptionError

JOBS = ("PrepareData", "TrainBase", "TrainIncremental", "ScoreValidation", "Evaluate")
MAP_OF_TRAINING = {"Get": "Steps.TrainIncremental.FinalMetricDataList['validation:mAP'].Value"}
THRESHOLD = {"Get": "Parameters.MapThreshold"}
PREFIX = f"s3://{BUCKET}/birds-detection"


def test_the_steps_are_these_in_this_order(plain):
    assert [(step["Name"], step["Type"]) for step in plain["Steps"]] == [
        ("PrepareData", "Processing"),
        ("TrainBase", "Training"),
        ("TrainIncremental", "Training"),
        ("CreateModel", "Model"),
        ("ScoreValidation", "Transform"),
        ("Evaluate", "Processing"),
        ("CheckQuality", "Condition"),
        ("CheckApproval", "Condition"),
    ]


def test_the_formats_are_those_that_the_job_knows(plain):
    (parameter,) = [entry for entry in plain["Parameters"] if entry["Name"] == "DataFormat"]
    assert tuple(parameter["EnumValues"]) == detection_formats.NAMES


def test_preparation_runs_our_job_with_its_options(plain):
    specification = arguments(plain, "PrepareData")["AppSpecification"]
    assert specification["ImageUri"] == IMAGE
    assert specification["ContainerEntrypoint"] == [
        "python",
        "-m",
        "processing_scripts.jobs.prepare_detection",
    ]
    assert specification["ContainerArguments"][0::2] == [
        "--format",
        "--class-map",
        "--classes",
        "--split",
        "--train-ratio",
        "--seed",
        "--resize",
        "--max-unreadable-share",
    ]


def test_outputs_lie_under_the_execution_and_the_step(plain):
    names = ("train", "train_flipped", "validation", "validation_images", "lists", "report")
    assert outputs(plain, "PrepareData") == {name: f"{PREFIX}/run/PrepareData/{name}" for name in names}


def test_the_base_training_reads_originals_and_counts_from_the_report(plain):
    assert channels(plain, "TrainBase") == {
        "train": (folder_of("train"), "application/x-recordio"),
        "validation": (folder_of("validation"), "application/x-recordio"),
    }
    hyperparameters = arguments(plain, "TrainBase")["HyperParameters"]
    report = {"Get": "Steps.PrepareData.PropertyFiles.DataReport"}
    for name in ("num_classes", "num_training_samples", "label_width"):
        assert hyperparameters[name] == {
            "Std:JsonGet": {"PropertyFile": report, "Path": f"hyperparameters.{name}"}
        }


def test_the_incremental_training_starts_from_the_base_model_and_reads_flips_too(plain):
    assert channels(plain, "TrainIncremental") == {
        "train": (folder_of("train_flipped"), "application/x-recordio"),
        "validation": (folder_of("validation"), "application/x-recordio"),
        "model": (
            {"Get": "Steps.TrainBase.ModelArtifacts.S3ModelArtifacts"},
            "application/x-sagemaker-model",
        ),
    }
    hyperparameters = arguments(plain, "TrainIncremental")["HyperParameters"]
    assert hyperparameters["use_pretrained_model"] == "0"
    samples = hyperparameters["num_training_samples"]["Std:JsonGet"]["Path"]
    assert samples == "hyperparameters.num_training_samples_with_flips"


@pytest.mark.parametrize(
    ("step", "epochs", "rate", "steps"),
    [
        pytest.param("TrainBase", "Epochs", "LearningRate", "LrSchedulerStep", id="base"),
        pytest.param(
            "TrainIncremental",
            "IncrementalEpochs",
            "IncrementalLearningRate",
            "IncrementalLrSchedulerStep",
            id="incremental",
        ),
    ],
)
def test_each_training_has_its_own_schedule(plain, step, epochs, rate, steps):
    hyperparameters = arguments(plain, step)["HyperParameters"]
    assert hyperparameters["epochs"]["Std:Join"]["Values"] == [{"Get": f"Parameters.{epochs}"}]
    assert hyperparameters["learning_rate"]["Std:Join"]["Values"] == [{"Get": f"Parameters.{rate}"}]
    assert hyperparameters["lr_scheduler_step"] == {"Get": f"Parameters.{steps}"}


def test_both_trainings_get_the_same_hyperparameters_by_name(plain):
    base, incremental = (
        arguments(plain, step)["HyperParameters"] for step in ("TrainBase", "TrainIncremental")
    )
    assert set(base) == set(incremental)
    for name in ("base_network", "num_classes", "image_shape"):
        assert base[name] == incremental[name]


def test_scoring_sends_one_image_a_request_to_the_incremental_model(plain):
    model = arguments(plain, "CreateModel")["PrimaryContainer"]
    assert model["ModelDataUrl"] == {"Get": "Steps.TrainIncremental.ModelArtifacts.S3ModelArtifacts"}
    score = arguments(plain, "ScoreValidation")
    assert score["ModelName"] == {"Get": "Steps.CreateModel.ModelName"}
    assert (score["TransformInput"]["ContentType"], score["TransformInput"]["SplitType"]) == (
        "application/x-image",
        "None",
    )
    assert score["BatchStrategy"] == "SingleRecord"
    assert score["MaxConcurrentTransforms"] * score["MaxPayloadInMB"] <= 100
    assert resolve(plain, score["TransformOutput"]["S3OutputPath"]) == f"{PREFIX}/run/ScoreValidation"


def test_quality_asks_both_figures_and_registers_or_fails(plain):
    check = arguments(plain, "CheckQuality")
    evaluated = {
        "Std:JsonGet": {
            "PropertyFile": {"Get": "Steps.Evaluate.PropertyFiles.EvaluationReport"},
            "Path": "object_detection_metrics.mean_average_precision.value",
        }
    }
    assert check["Conditions"] == [
        {"Type": "GreaterThanOrEqualTo", "LeftValue": left, "RightValue": THRESHOLD}
        for left in (MAP_OF_TRAINING, evaluated)
    ]
    assert [step["Name"] for step in check["IfSteps"]] == ["RegisterModel"]
    assert [step["Name"] for step in check["ElseSteps"]] == ["FailQuality"]
    message = check["ElseSteps"][0]["Arguments"]["ErrorMessage"]["Std:Join"]["Values"]
    assert [part for part in message if not isinstance(part, str)] == [MAP_OF_TRAINING, evaluated, THRESHOLD]


def test_the_version_names_its_metrics_and_where_it_came_from(plain):
    package = arguments(plain, "RegisterModel")
    assert package["ModelApprovalStatus"] == {"Get": "Parameters.ModelApprovalStatus"}
    assert set(package["CustomerMetadataProperties"]) == {
        "DataReport",
        "ValidationPictures",
        "TrainingJobName",
        "BaseTrainingJobName",
        "PipelineExecutionArn",
        "ValidationMAP",
        "EvaluationMAP",
    }
    statistics = package["ModelMetrics"]["ModelQuality"]["Statistics"]
    assert resolve(plain, statistics["S3Uri"]) == f"{PREFIX}/run/Evaluate/evaluation/evaluation.json"
    report = package["CustomerMetadataProperties"]["DataReport"]
    assert resolve(plain, report) == f"{PREFIX}/run/PrepareData/report/report.json"


def test_jobs_are_cached_and_everything_that_may_be_is_retried(plain):
    steps = all_steps(plain)
    transient = {"Step.THROTTLING", "Step.SERVICE_FAULT"}
    job = {"SageMaker.JOB_INTERNAL_ERROR", "SageMaker.CAPACITY_ERROR", "SageMaker.RESOURCE_LIMIT"}
    retried = {
        name: {kind for policy in step.get("RetryPolicies", []) for kind in policy["ExceptionType"]}
        for name, step in steps.items()
    }
    assert {name: kinds for name, kinds in retried.items() if kinds} == {
        **dict.fromkeys(JOBS, transient | job),
        **dict.fromkeys(["CreateModel", "RegisterModel"], transient),
    }
    assert {name: step["CacheConfig"] for name, step in steps.items() if "CacheConfig" in step} == {
        name: {"Enabled": True, "ExpireAfter": "P30D"} for name in JOBS
    }


def test_a_network_without_isolation_says_nothing_of_isolation_in_trainings():
    definition = compiled(subnets=["subnet-1"], security_group_ids=["sg-1"])
    assert "VpcConfig" in arguments(definition, "TrainBase")
    assert not arguments(definition, "TrainBase").get("EnableNetworkIsolation", False)
    assert arguments(definition, "PrepareData")["NetworkConfig"]["EnableNetworkIsolation"] is False


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        pytest.param("role", "VisionPipelines", "write it in full", id="role-name"),
        pytest.param("region", "moon-1", "'moon-1' has no image of object-detection", id="region"),
        pytest.param("default_bucket", "s3://bucket", "not a bucket's name", id="bucket-with-scheme"),
        pytest.param("pipeline_name", "birds detection", "letters, digits and hyphens", id="name"),
        pytest.param("base_job_prefix", "/", "is empty", id="prefix"),
        pytest.param("cache_expire_after", "30d", "not a duration", id="cache-age"),
        pytest.param("cache_expire_after", "PT", "not a duration", id="cache-age-without-figures"),
        pytest.param("subnets", ["subnet-1"], "give both", id="subnets-alone"),
        pytest.param("security_group_ids", ["sg-1"], "give both", id="groups-alone"),
        pytest.param("max_wait_s", 400_000, "only together with use_spot", id="wait-without-spot"),
        pytest.param("sagemaker_project_arn", "birds", "is not the ARN", id="project-name"),
        pytest.param(
            "sagemaker_project_arn",
            "arn:aws:sagemaker:us-east-1:123456789012:project/birds",
            "the project is in us-east-1",
            id="project-elsewhere",
        ),
        pytest.param("epoch", 5, "no option is named 'epoch'", id="unknown-option"),
    ],
)
def test_a_mistaken_option_is_named(option, value, message):
    with pytest.raises(PipelineOptionError, match=message):
        compiled(**{option: value})


def test_a_wait_shorter_than_the_training_is_refused():
    with pytest.raises(PipelineOptionError, match="max_wait_s: 10 is less than max_training_s, 20"):
        compiled(use_spot=True, max_wait_s=10, max_training_s=20)


@pytest.mark.parametrize("arn", [None, ""])
def test_no_project_is_no_mistake(arn, plain):
    assert compiled(sagemaker_project_arn=arn) == plain


@pytest.mark.parametrize("profile", [None, *catalog.profile_names("birds-detection")])
@pytest.mark.parametrize("step", ["TrainBase", "TrainIncremental"])
def test_the_algorithm_takes_every_hyperparameter_and_value(plain, step, profile):
    table = {entry.name: entry for entry in TABLE}
    given = catalog.profile(profile, "birds-detection") if profile else {}
    for name, value in hyperparameter_values(plain, step, given).items():
        fault = table[name].fault(value)
        assert fault is None or (profile and table[name].taken_locally(value)), fault
