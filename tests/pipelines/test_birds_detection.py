"""What the compiled birds-detection says."""

import json

import pytest

from algorithms.object_detection.hyperparameters import TABLE
from tests.pipelines.birds_definition import BUCKET, IMAGE, OUTPUT_KEY, ROLE, VOLUME_KEY, all_steps, compiled
from workflows.definition.loader import load
from workflows.pipelines import catalog
from workflows.pipelines.errors import PipelineOptionError

JOBS = ("PrepareData", "TrainBase", "TrainIncremental", "ScoreValidation", "Evaluate")
MAP_OF_TRAINING = {"Get": "Steps.TrainIncremental.FinalMetricDataList['validation:mAP'].Value"}
THRESHOLD = {"Get": "Parameters.MapThreshold"}
EXECUTION = {"Get": "Execution.PipelineExecutionId"}
PREFIX = f"s3://{BUCKET}/birds-detection"


def arguments(definition, step):
    return all_steps(definition)[step]["Arguments"]


def channels(definition, step):
    return {
        channel["ChannelName"]: (channel["DataSource"]["S3DataSource"]["S3Uri"], channel["ContentType"])
        for channel in arguments(definition, step)["InputDataConfig"]
    }


def folder_of(output):
    uri = f"Steps.PrepareData.ProcessingOutputConfig.Outputs['{output}'].S3Output.S3Uri"
    return {"Std:Join": {"On": "", "Values": [{"Get": uri}, "/"]}}


def resolve(value):
    """An S3 URI for an execution named `run`, from joins and output references alone."""
    if isinstance(value, str):
        return value
    if value == EXECUTION:
        return "run"
    if "Std:Join" in value:
        return value["Std:Join"]["On"].join(map(resolve, value["Std:Join"]["Values"]))
    step, output = value["Get"].split(".")[1], value["Get"].split("'")[1]
    return f"{PREFIX}/run/{step}/{output}"


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


def test_the_definition_loads_with_every_reference_leading_somewhere(plain):
    definition = load(json.dumps(plain))
    assert definition.needs["Evaluate"] >= {"PrepareData", "ScoreValidation"}
    assert "CheckQuality" in definition.needs["CheckApproval"]


def test_every_parameter_has_a_default(plain):
    assert [p["Name"] for p in plain["Parameters"] if "DefaultValue" not in p] == []


def test_choices_contain_their_defaults(plain):
    chosen = [p for p in plain["Parameters"] if "EnumValues" in p]
    assert {"ModelApprovalStatus", "Split"} == {p["Name"] for p in chosen}
    assert all(p["DefaultValue"] in p["EnumValues"] for p in chosen)


def test_every_parameter_is_used(plain):
    text = json.dumps(plain["Steps"])
    assert [p["Name"] for p in plain["Parameters"] if f'"Parameters.{p["Name"]}"' not in text] == []


def test_preparation_runs_our_job_with_its_options(plain):
    specification = arguments(plain, "PrepareData")["AppSpecification"]
    assert specification["ImageUri"] == IMAGE
    assert specification["ContainerEntrypoint"] == [
        "python",
        "-m",
        "processing_scripts.jobs.prepare_detection",
    ]
    assert specification["ContainerArguments"][0::2] == [
        "--classes",
        "--split",
        "--train-ratio",
        "--seed",
        "--resize",
        "--max-unreadable-share",
    ]


def test_outputs_lie_under_the_execution_and_the_step(plain):
    outputs = arguments(plain, "PrepareData")["ProcessingOutputConfig"]["Outputs"]
    found = {o["OutputName"]: (resolve(o["S3Output"]["S3Uri"]), o["S3Output"]["LocalPath"]) for o in outputs}
    names = ("train", "train_flipped", "validation", "validation_images", "lists", "report")
    assert found == {
        name: (f"{PREFIX}/run/PrepareData/{name}", f"/opt/ml/processing/output/{name}") for name in names
    }


def test_no_input_reads_a_neighbouring_output_whose_name_begins_alike(plain):
    outputs = arguments(plain, "PrepareData")["ProcessingOutputConfig"]["Outputs"]
    keys = [f"{resolve(output['S3Output']['S3Uri'])}/file" for output in outputs]
    inputs = [uri for step in ("TrainBase", "TrainIncremental") for uri, _ in channels(plain, step).values()]
    inputs += [
        entry["S3Input"]["S3Uri"]
        for entry in arguments(plain, "Evaluate")["ProcessingInputs"]
        if entry["InputName"] != "predictions"
    ]
    inputs.append(
        arguments(plain, "ScoreValidation")["TransformInput"]["DataSource"]["S3DataSource"]["S3Uri"]
    )
    prefixes = [resolve(uri) for uri in inputs if "Std:Join" in uri]
    assert len(prefixes) == 8
    for prefix in prefixes:
        assert len([key for key in keys if key.startswith(prefix)]) == 1, prefix


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
    assert resolve(score["TransformOutput"]["S3OutputPath"]) == f"{PREFIX}/run/ScoreValidation"


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


def test_approval_asks_the_same_again_and_for_approved(plain):
    check = all_steps(plain)["CheckApproval"]
    assert check["DependsOn"] == ["CheckQuality"]
    conditions = check["Arguments"]["Conditions"]
    assert conditions[:2] == arguments(plain, "CheckQuality")["Conditions"]
    assert conditions[2:] == [
        {
            "Type": "Equals",
            "LeftValue": {"Get": "Parameters.ModelApprovalStatus"},
            "RightValue": "Approved",
        }
    ]
    assert [step["Name"] for step in check["Arguments"]["IfSteps"]] == [
        "CreateEndpointConfig",
        "CreateEndpoint",
    ]
    assert check["Arguments"]["ElseSteps"] == []


def test_no_condition_stands_in_a_branch_and_no_branch_reaches_into_another(plain):
    inside = {}
    for step in plain["Steps"]:
        for branch in ("IfSteps", "ElseSteps"):
            for inner in step["Arguments"].get(branch, []):
                assert inner["Type"] != "Condition"
                inside[inner["Name"]] = step["Name"]
    for name, home in inside.items():
        for step in plain["Steps"]:
            if step["Name"] != home:
                assert f"Steps.{name}." not in json.dumps(step)


def test_the_version_names_its_metrics_and_where_it_came_from(plain):
    package = arguments(plain, "RegisterModel")
    assert package["ModelApprovalStatus"] == {"Get": "Parameters.ModelApprovalStatus"}
    assert set(package["CustomerMetadataProperties"]) == {
        "DataReport",
        "TrainingJobName",
        "BaseTrainingJobName",
        "PipelineExecutionArn",
        "ValidationMAP",
        "EvaluationMAP",
    }
    statistics = package["ModelMetrics"]["ModelQuality"]["Statistics"]
    assert resolve(statistics["S3Uri"]) == f"{PREFIX}/run/Evaluate/evaluation/evaluation.json"
    report = package["CustomerMetadataProperties"]["DataReport"]
    assert resolve(report) == f"{PREFIX}/run/PrepareData/report/report.json"


def test_an_endpoint_configuration_has_a_new_name_in_each_execution(plain):
    name = arguments(plain, "CreateEndpointConfig")["EndpointConfigName"]
    assert name == {"Std:Join": {"On": "-", "Values": [{"Get": "Parameters.EndpointName"}, EXECUTION]}}
    (variant,) = arguments(plain, "CreateEndpointConfig")["ProductionVariants"]
    assert variant["ModelName"] == {"Get": "Steps.CreateModel.ModelName"}


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


def test_no_retry_policy_has_both_limits(plain):
    for step in all_steps(plain).values():
        for policy in step.get("RetryPolicies", []):
            assert ("MaxAttempts" in policy) != ("ExpireAfterMin" in policy)


def test_without_options_a_definition_holds_none_of_their_fields(plain):
    text = json.dumps(plain)
    for field in (
        "KmsKey",
        "VpcConfig",
        "NetworkConfig",
        "NetworkIsolation",
        "CheckpointConfig",
        "Spot",
        "MaxWait",
    ):
        assert field not in text


def test_disks_are_encrypted_with_the_volume_key(full):
    assert [
        arguments(full, "PrepareData")["ProcessingResources"]["ClusterConfig"]["VolumeKmsKeyId"],
        arguments(full, "Evaluate")["ProcessingResources"]["ClusterConfig"]["VolumeKmsKeyId"],
        arguments(full, "TrainBase")["ResourceConfig"]["VolumeKmsKeyId"],
        arguments(full, "TrainIncremental")["ResourceConfig"]["VolumeKmsKeyId"],
        arguments(full, "ScoreValidation")["TransformResources"]["VolumeKmsKeyId"],
        arguments(full, "CreateEndpointConfig")["KmsKeyId"],
    ] == [VOLUME_KEY] * 6


def test_outputs_are_encrypted_with_the_output_key(full):
    assert [
        arguments(full, "PrepareData")["ProcessingOutputConfig"]["KmsKeyId"],
        arguments(full, "Evaluate")["ProcessingOutputConfig"]["KmsKeyId"],
        arguments(full, "TrainBase")["OutputDataConfig"]["KmsKeyId"],
        arguments(full, "TrainIncremental")["OutputDataConfig"]["KmsKeyId"],
        arguments(full, "ScoreValidation")["TransformOutput"]["KmsKeyId"],
    ] == [OUTPUT_KEY] * 5


def test_a_volume_key_comes_with_a_training_instance_that_takes_one(plain, full):
    defaults = [
        {p["Name"]: p["DefaultValue"] for p in definition["Parameters"]}["TrainingInstanceType"]
        for definition in (plain, full)
    ]
    assert defaults == ["ml.g5.2xlarge", "ml.p3.2xlarge"]


def test_jobs_and_model_run_isolated_in_the_given_network(full):
    network = {"Subnets": ["subnet-1", "subnet-2"], "SecurityGroupIds": ["sg-1"]}
    for step in ("PrepareData", "Evaluate"):
        assert arguments(full, step)["NetworkConfig"] == {
            "EnableNetworkIsolation": True,
            "VpcConfig": network,
        }
    for step in ("TrainBase", "TrainIncremental", "CreateModel"):
        assert arguments(full, step)["VpcConfig"] == network
        assert arguments(full, step)["EnableNetworkIsolation"] is True


def test_a_network_without_isolation_says_nothing_of_isolation_in_trainings():
    definition = compiled(subnets=["subnet-1"], security_group_ids=["sg-1"])
    assert "VpcConfig" in arguments(definition, "TrainBase")
    assert not arguments(definition, "TrainBase").get("EnableNetworkIsolation", False)
    assert arguments(definition, "PrepareData")["NetworkConfig"]["EnableNetworkIsolation"] is False


def test_spot_trainings_wait_at_least_as_long_as_they_run_and_checkpoint_apart(full):
    folders = []
    for step in ("TrainBase", "TrainIncremental"):
        training = arguments(full, step)
        assert training["EnableManagedSpotTraining"] is True
        assert training["StoppingCondition"] == {
            "MaxRuntimeInSeconds": 300_000,
            "MaxWaitTimeInSeconds": 400_000,
        }
        folders.append(resolve(training["CheckpointConfig"]["S3Uri"]))
    assert folders == [f"{PREFIX}/run/{step}/checkpoints" for step in ("TrainBase", "TrainIncremental")]


def test_tags_are_on_all_that_may_carry_them(full):
    tagged = {name for name, step in all_steps(full).items() if step["Arguments"].get("Tags")}
    assert tagged == {*JOBS, "CreateModel", "CreateEndpointConfig", "CreateEndpoint"}
    for name in tagged:
        assert arguments(full, name)["Tags"] == [
            {"Key": "team", "Value": "birds"},
            {"Key": "sagemaker:project-name", "Value": "aviary"},
        ]


def test_sizes_and_cache_age_arrive(full):
    assert arguments(full, "TrainBase")["ResourceConfig"]["VolumeSizeInGB"] == 70
    assert arguments(full, "PrepareData")["ProcessingResources"]["ClusterConfig"]["VolumeSizeInGB"] == 90
    assert all_steps(full)["Evaluate"]["CacheConfig"] == {"Enabled": True, "ExpireAfter": "P7D"}


def test_every_job_takes_the_role(plain):
    roles = [arguments(plain, step)["RoleArn"] for step in JOBS if step != "ScoreValidation"]
    assert {*roles, arguments(plain, "CreateModel")["ExecutionRoleArn"]} == {ROLE}


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
    values = {p["Name"]: str(p["DefaultValue"]) for p in plain["Parameters"]}
    values |= catalog.profile(profile, "birds-detection") if profile else {}
    for name, value in arguments(plain, step)["HyperParameters"].items():
        given = given_value(value, values)
        fault = table[name].fault(given) if given is not None else None
        assert fault is None or (profile and table[name].taken_locally(given)), fault


def given_value(value, parameters):
    """What a hyperparameter gets from the parameters; None where it comes from the data report."""
    if isinstance(value, str) or "Std:JsonGet" in value:
        return value if isinstance(value, str) else None
    reference = value if "Get" in value else value["Std:Join"]["Values"][0]
    return parameters[reference["Get"].removeprefix("Parameters.")]
