"""What holds for every pipeline."""

import json

import pytest

from tests.pipelines.definitions import (
    EXECUTION,
    OUTPUT_KEY,
    ROLE,
    VOLUME_KEY,
    all_steps,
    arguments,
    compiled,
    input_uris,
    names_of,
    output_uris,
    resolve,
)
from workflows.definition.loader import load
from workflows.pipelines import catalog
from workflows.pipelines.errors import PipelineOptionError

JOBS = ("Processing", "Training", "Transform")
APPROVED = {
    "Type": "Equals",
    "LeftValue": {"Get": "Parameters.ModelApprovalStatus"},
    "RightValue": "Approved",
}


def test_the_definition_loads_with_every_reference_leading_somewhere(each):
    definition = load(json.dumps(each))
    assert definition.needs["Evaluate"] >= {"PrepareData", "ScoreValidation"}
    assert "CheckQuality" in definition.needs["CheckApproval"]


def test_every_parameter_has_a_default(each):
    assert [p["Name"] for p in each["Parameters"] if "DefaultValue" not in p] == []


def test_choices_contain_their_defaults(each):
    chosen = [p for p in each["Parameters"] if "EnumValues" in p]
    assert "ModelApprovalStatus" in {p["Name"] for p in chosen}
    assert all(p["DefaultValue"] in p["EnumValues"] for p in chosen)


def test_every_parameter_is_used(each):
    text = json.dumps(each["Steps"])
    assert [p["Name"] for p in each["Parameters"] if f'"Parameters.{p["Name"]}"' not in text] == []


def test_every_input_that_a_step_wrote_is_one_output_and_no_neighbour_that_begins_alike(each):
    keys = [f"{uri}/file" for uri in output_uris(each)]
    prefixes = [resolve(each, uri) for uri in input_uris(each) if "Std:Join" in uri]
    assert len(prefixes) >= 8
    for prefix in prefixes:
        assert len([key for key in keys if key.startswith(prefix)]) == 1, prefix


def test_no_two_outputs_are_written_to_one_place(each):
    uris = list(output_uris(each))
    assert len(uris) == len(set(uris)) >= 10


def test_a_training_counts_by_the_report_on_its_data(each):
    report = {"Get": "Steps.PrepareData.PropertyFiles.DataReport"}
    for step in names_of(each, "Training"):
        hyperparameters = arguments(each, step)["HyperParameters"]
        for name in ("num_classes", "num_training_samples"):
            count = hyperparameters[name]["Std:JsonGet"]
            assert count["PropertyFile"] == report
            assert count["Path"].startswith(f"hyperparameters.{name}")


def test_transforms_send_one_image_a_request(each):
    for step in names_of(each, "Transform"):
        score = arguments(each, step)
        assert (score["TransformInput"]["ContentType"], score["TransformInput"]["SplitType"]) == (
            "application/x-image",
            "None",
        )
        assert score["BatchStrategy"] == "SingleRecord"
        assert score["MaxConcurrentTransforms"] * score["MaxPayloadInMB"] <= 100


def test_approval_asks_the_same_again_and_for_approved(each):
    check = all_steps(each)["CheckApproval"]
    assert check["DependsOn"] == ["CheckQuality"]
    assert check["Arguments"]["Conditions"] == [*arguments(each, "CheckQuality")["Conditions"], APPROVED]
    deployment = [step["Name"] for step in check["Arguments"]["IfSteps"]]
    assert deployment == ["CreateEndpointConfig", "CreateEndpoint"]
    assert check["Arguments"]["ElseSteps"] == []


def test_no_condition_stands_in_a_branch_and_no_branch_reaches_into_another(each):
    inside = {}
    for step in each["Steps"]:
        for branch in ("IfSteps", "ElseSteps"):
            for inner in step["Arguments"].get(branch, []):
                assert inner["Type"] != "Condition"
                inside[inner["Name"]] = step["Name"]
    for name, home in inside.items():
        for step in each["Steps"]:
            if step["Name"] != home:
                assert f"Steps.{name}." not in json.dumps(step)


def test_what_is_judged_is_what_is_registered_and_served(each):
    judged = arguments(each, "CheckQuality")["Conditions"][0]["LeftValue"]["Get"]
    training = judged.split(".")[1]
    artifact = {"Get": f"Steps.{training}.ModelArtifacts.S3ModelArtifacts"}
    (registered,) = arguments(each, "RegisterModel")["InferenceSpecification"]["Containers"]
    model = arguments(each, "CreateModel")["PrimaryContainer"]
    assert (registered["ModelDataUrl"], model["ModelDataUrl"]) == (artifact, artifact)
    assert registered["Image"] == model["Image"]
    served = {"Get": "Steps.CreateModel.ModelName"}
    (variant,) = arguments(each, "CreateEndpointConfig")["ProductionVariants"]
    assert (variant["ModelName"], arguments(each, "ScoreValidation")["ModelName"]) == (served, served)


def test_an_endpoint_configuration_has_a_new_name_in_each_execution(each):
    name = arguments(each, "CreateEndpointConfig")["EndpointConfigName"]
    assert name == {"Std:Join": {"On": "-", "Values": [{"Get": "Parameters.EndpointName"}, EXECUTION]}}


def test_metadata_of_a_version_are_text(each):
    numbers = ("FinalMetricDataList", "Std:JsonGet")
    for value in arguments(each, "RegisterModel")["CustomerMetadataProperties"].values():
        assert "Std:Join" in value or not any(number in json.dumps(value) for number in numbers)


def test_no_retry_policy_has_both_limits(each):
    for step in all_steps(each).values():
        for policy in step.get("RetryPolicies", []):
            assert ("MaxAttempts" in policy) != ("ExpireAfterMin" in policy)


def test_every_job_is_retried_where_trying_again_can_help(each):
    for name in names_of(each, *JOBS):
        policies = all_steps(each)[name]["RetryPolicies"]
        assert {kind for policy in policies for kind in policy["ExceptionType"]} == {
            "Step.THROTTLING",
            "Step.SERVICE_FAULT",
            "SageMaker.JOB_INTERNAL_ERROR",
            "SageMaker.CAPACITY_ERROR",
            "SageMaker.RESOURCE_LIMIT",
        }


def test_without_options_a_definition_holds_none_of_their_fields(each):
    text = json.dumps(each)
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


def test_disks_are_encrypted_with_the_volume_key(each_full):
    for step in names_of(each_full, "Processing"):
        cluster = arguments(each_full, step)["ProcessingResources"]["ClusterConfig"]
        assert cluster["VolumeKmsKeyId"] == VOLUME_KEY
    for step in names_of(each_full, "Training"):
        assert arguments(each_full, step)["ResourceConfig"]["VolumeKmsKeyId"] == VOLUME_KEY
    for step in names_of(each_full, "Transform"):
        assert arguments(each_full, step)["TransformResources"]["VolumeKmsKeyId"] == VOLUME_KEY
    assert arguments(each_full, "CreateEndpointConfig")["KmsKeyId"] == VOLUME_KEY


def test_outputs_are_encrypted_with_the_output_key(each_full):
    places = {
        "Processing": "ProcessingOutputConfig",
        "Training": "OutputDataConfig",
        "Transform": "TransformOutput",
    }
    for kind, field in places.items():
        for step in names_of(each_full, kind):
            assert arguments(each_full, step)[field]["KmsKeyId"] == OUTPUT_KEY


def test_trainings_run_on_a_newer_gpu_by_default(each):
    assert training_instance_type(each) == "ml.g5.2xlarge"


def test_a_volume_key_comes_with_a_training_instance_that_takes_one(each_full):
    assert training_instance_type(each_full) == "ml.p3.2xlarge"


def training_instance_type(definition):
    return {p["Name"]: p["DefaultValue"] for p in definition["Parameters"]}["TrainingInstanceType"]


def test_jobs_and_models_run_isolated_in_the_given_network(each_full):
    network = {"Subnets": ["subnet-1", "subnet-2"], "SecurityGroupIds": ["sg-1"]}
    for step in names_of(each_full, "Processing"):
        assert arguments(each_full, step)["NetworkConfig"] == {
            "EnableNetworkIsolation": True,
            "VpcConfig": network,
        }
    for step in names_of(each_full, "Training", "Model"):
        assert arguments(each_full, step)["VpcConfig"] == network
        assert arguments(each_full, step)["EnableNetworkIsolation"] is True


def test_spot_trainings_wait_at_least_as_long_as_they_run_and_checkpoint_apart(each_full):
    folders = set()
    for step in names_of(each_full, "Training"):
        training = arguments(each_full, step)
        assert training["EnableManagedSpotTraining"] is True
        assert training["StoppingCondition"] == {
            "MaxRuntimeInSeconds": 300_000,
            "MaxWaitTimeInSeconds": 400_000,
        }
        folders.add(resolve(each_full, training["CheckpointConfig"]["S3Uri"]).split("/run/")[1])
    assert folders == {f"{step}/checkpoints" for step in names_of(each_full, "Training")}


def test_tags_are_on_all_that_may_carry_them(each_full):
    tagged = {name for name, step in all_steps(each_full).items() if step["Arguments"].get("Tags")}
    assert tagged == set(names_of(each_full, *JOBS, "Model", "EndpointConfig", "Endpoint"))
    for name in tagged:
        assert arguments(each_full, name)["Tags"] == [
            {"Key": "team", "Value": "birds"},
            {"Key": "sagemaker:project-name", "Value": "aviary"},
        ]


def test_sizes_arrive(each_full):
    for step in names_of(each_full, "Training"):
        assert arguments(each_full, step)["ResourceConfig"]["VolumeSizeInGB"] == 70
    for step in names_of(each_full, "Processing"):
        cluster = arguments(each_full, step)["ProcessingResources"]["ClusterConfig"]
        assert cluster["VolumeSizeInGB"] == 90


def test_disks_and_times_are_generous_by_default(each):
    for step in names_of(each, "Training"):
        training = arguments(each, step)
        assert training["ResourceConfig"]["VolumeSizeInGB"] == 50
        assert training["StoppingCondition"] == {"MaxRuntimeInSeconds": 360_000}


def test_every_job_takes_the_role(each):
    roles = {arguments(each, step)["RoleArn"] for step in names_of(each, "Processing", "Training")}
    roles |= {arguments(each, step)["ExecutionRoleArn"] for step in names_of(each, "Model")}
    assert roles == {ROLE}


@pytest.mark.parametrize("pipeline", catalog.names())
@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        pytest.param("role", "VisionPipelines", "write it in full", id="role-name"),
        pytest.param("region", "moon-1", "'moon-1' has no image of", id="region"),
        pytest.param("default_bucket", "s3://bucket", "not a bucket's name", id="bucket-with-scheme"),
        pytest.param("pipeline_name", "a pipeline", "letters, digits and hyphens", id="name"),
        pytest.param("subnets", ["subnet-1"], "give both", id="subnets-alone"),
        pytest.param("epoch", 5, "no option is named 'epoch'", id="unknown-option"),
        pytest.param("options", {}, "no option is named 'options'", id="python-name"),
    ],
)
def test_every_pipeline_names_a_mistaken_option(pipeline, option, value, message):
    with pytest.raises(PipelineOptionError, match=message):
        compiled(pipeline, **{option: value})
