"""Pipelines, the registry, rules and schedules in the AWS CLI."""

import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.clients.checks import assert_detections, recipe_of
from tests.clients.conftest import aws_cli, sooner_or_later
from tests.toys import at_least, condition, definition, endpoint, endpoint_config, get, join, training

pytestmark = pytest.mark.clients
ROLE = "arn:aws:iam::111122223333:role/pipelines"
IMAGE = "811284229777.dkr.ecr.us-east-1.amazonaws.com/object-detection:1"
SCORE = get("Steps.TrainDetector.FinalMetricDataList['validation:mAP'].Value")
RUNNING = ("Executing", "Stopping")


def training_pipeline(recipe):
    """Train, look at the mAP, register."""
    train = training(
        "TrainDetector",
        channels={name: f"s3://birds/{name}" for name in ("train", "validation")},
        hyperparameters={**recipe, "epochs": get("Parameters.Epochs")},
    )
    arguments = train["Arguments"]
    arguments["AlgorithmSpecification"]["TrainingImage"] = IMAGE
    arguments["OutputDataConfig"]["S3OutputPath"] = "s3://birds/models"
    for channel in arguments["InputDataConfig"]:
        channel["ContentType"] = "application/x-recordio"
    artifact = get("Steps.TrainDetector.ModelArtifacts.S3ModelArtifacts")
    containers = [{"Image": IMAGE, "ModelDataUrl": artifact}]
    register = {
        "Name": "Register",
        "Type": "RegisterModel",
        "Arguments": {
            "ModelPackageGroupName": "birds",
            "ModelApprovalStatus": "PendingManualApproval",
            "InferenceSpecification": {
                "Containers": containers,
                "SupportedContentTypes": ["image/jpeg"],
                "SupportedResponseMIMETypes": ["application/json"],
            },
        },
    }
    gate = condition("CheckQuality", at_least(SCORE, get("Parameters.MapThreshold")), if_steps=[register])
    parameters = [
        {"Name": "Epochs", "Type": "String", "DefaultValue": "2"},
        {"Name": "MapThreshold", "Type": "Float", "DefaultValue": 0.99},
    ]
    return definition(train, gate, parameters=parameters)


def deploying_pipeline():
    """A model of the artifact that a parameter names, and an endpoint of it."""
    container = {"Image": IMAGE, "ModelDataUrl": get("Parameters.Artifact")}
    make = {"Name": "Make", "Type": "Model", "Arguments": {"PrimaryContainer": container}}
    config = endpoint_config("Configure", "Make")
    config["Arguments"]["EndpointConfigName"] = join("birds", get("Execution.PipelineExecutionId"), on="-")
    deploy = endpoint("Deploy", "Configure", "birds")
    return definition(make, config, deploy, parameters=[{"Name": "Artifact", "Type": "String"}])


@pytest.fixture(scope="module")
def aws(served, birds, tmp_path_factory):
    aws = aws_cli(served, tmp_path_factory.mktemp("user"))
    aws("s3", "mb", "s3://birds")
    for name in ("train", "validation"):
        aws("s3", "cp", str(birds / f"{name}.rec"), f"s3://birds/{name}/", "--quiet")
    create_pipeline(aws, "train-birds", training_pipeline(recipe_of(birds)))
    return aws


@pytest.fixture(scope="module")
def passed(aws):
    """The ARN of an execution that has registered a model."""
    arn = start(aws, "Name=MapThreshold,Value=0.0")
    assert ended(aws, arn)["PipelineExecutionStatus"] == "Succeeded"
    return arn


def create_pipeline(aws, name, text):
    (aws.folder / f"{name}.json").write_text(text)
    aws(
        *("sagemaker", "create-pipeline", "--pipeline-name", name, "--role-arn", ROLE),
        *("--pipeline-definition", f"file://{name}.json", "--client-request-token", f"{name}-{'0' * 32}"),
    )


def start(aws, *parameters):
    started = aws.json(
        *("sagemaker", "start-pipeline-execution", "--pipeline-name", "train-birds"),
        *("--pipeline-parameters", *parameters),
    )
    return started["PipelineExecutionArn"]


def describe(aws, arn):
    return aws.json("sagemaker", "describe-pipeline-execution", "--pipeline-execution-arn", arn)


def ended(aws, arn):
    def known():
        execution = describe(aws, arn)
        return None if execution["PipelineExecutionStatus"] in RUNNING else execution

    return sooner_or_later(known)


def steps_of(aws, arn):
    listed = aws.json("sagemaker", "list-pipeline-execution-steps", "--pipeline-execution-arn", arn)
    return {step["StepName"]: step for step in listed["PipelineExecutionSteps"]}


def executions_of(aws, pipeline):
    listed = aws.json("sagemaker", "list-pipeline-executions", "--pipeline-name", pipeline)
    return [entry["PipelineExecutionArn"] for entry in listed["PipelineExecutionSummaries"]]


def first_execution_of(aws, pipeline):
    """The ARN of what a rule or a schedule starts, as soon as it is there."""
    return sooner_or_later(lambda: executions_of(aws, pipeline))[0]


def test_every_step_of_an_execution_is_listed(aws, passed, birds):
    steps = steps_of(aws, passed)
    assert {step["StepStatus"] for step in steps.values()} == {"Succeeded"}
    assert set(steps) == {"TrainDetector", "CheckQuality", "Register"}
    job = steps["TrainDetector"]["Metadata"]["TrainingJob"]["Arn"].rpartition("/")[2]
    described = aws.json("sagemaker", "describe-training-job", "--training-job-name", job)
    assert described["HyperParameters"] == {**recipe_of(birds), "epochs": "2"}


def test_parameters_and_definition_of_an_execution_are_kept(aws, passed, birds):
    of_execution = ("--pipeline-execution-arn", passed)
    listed = aws.json("sagemaker", "list-pipeline-parameters-for-execution", *of_execution)
    assert {entry["Name"]: entry["Value"] for entry in listed["PipelineParameters"]} == {
        "Epochs": "2",
        "MapThreshold": "0.0",
    }
    kept = aws.json("sagemaker", "describe-pipeline-definition-for-execution", *of_execution)
    assert json.loads(kept["PipelineDefinition"]) == json.loads(training_pipeline(recipe_of(birds)))


def test_a_gate_that_is_not_passed_registers_nothing(aws, passed):
    strict = start(aws, "Name=MapThreshold,Value=0.999")
    assert ended(aws, strict)["PipelineExecutionStatus"] == "Succeeded"
    steps = steps_of(aws, strict)
    assert steps["CheckQuality"]["Metadata"]["Condition"]["Outcome"] == "False"
    assert "Register" not in steps


def test_an_execution_is_stopped_and_goes_on_when_it_is_retried(aws):
    arn = start(aws, "Name=Epochs,Value=5000")
    token = ("--client-request-token", "0" * 32)
    of_execution = ("--pipeline-execution-arn", arn)
    aws("sagemaker", "stop-pipeline-execution", *of_execution, *token)
    assert ended(aws, arn)["PipelineExecutionStatus"] == "Stopped"
    aws("sagemaker", "retry-pipeline-execution", *of_execution, *token)
    assert describe(aws, arn)["PipelineExecutionStatus"] == "Executing"
    aws("sagemaker", "stop-pipeline-execution", *of_execution, "--client-request-token", "1" * 32)
    assert ended(aws, arn)["PipelineExecutionStatus"] == "Stopped"


def test_executions_are_listed_page_by_page(aws, passed):
    listed = ("sagemaker", "list-pipeline-executions", "--pipeline-name", "train-birds")
    whole = executions_of(aws, "train-birds")
    pages = aws.json(*listed, "--page-size", "1")["PipelineExecutionSummaries"]
    assert [entry["PipelineExecutionArn"] for entry in pages] == whole
    assert passed in whole


def test_an_approval_deploys_by_a_rule(aws, passed, birds):
    create_pipeline(aws, "deploy-birds", deploying_pipeline())
    pipeline = aws.json("sagemaker", "describe-pipeline", "--pipeline-name", "deploy-birds")
    pattern = {
        "source": ["aws.sagemaker"],
        "detail-type": ["SageMaker Model Package State Change"],
        "detail": {"ModelPackageGroupName": ["birds"], "ModelApprovalStatus": ["Approved"]},
    }
    aws("events", "put-rule", "--name", "on-approval", "--event-pattern", json.dumps(pattern))
    path = "$.detail.InferenceSpecification.Containers[0].ModelDataUrl"
    target = {
        "Id": "1",
        "Arn": pipeline["PipelineArn"],
        "RoleArn": ROLE,
        "SageMakerPipelineParameters": {"PipelineParameterList": [{"Name": "Artifact", "Value": path}]},
    }
    aws("events", "put-targets", "--rule", "on-approval", "--targets", json.dumps([target]))
    listed = aws.json("sagemaker", "list-model-packages", "--model-package-group-name", "birds")
    (version,) = listed["ModelPackageSummaryList"]
    aws(
        *("sagemaker", "update-model-package", "--model-package-arn", version["ModelPackageArn"]),
        *("--model-approval-status", "Approved"),
    )
    arn = first_execution_of(aws, "deploy-birds")
    execution = ended(aws, arn)
    assert execution["PipelineExecutionStatus"] == "Succeeded", execution
    aws("sagemaker", "wait", "endpoint-in-service", "--endpoint-name", "birds")
    aws(
        *("sagemaker-runtime", "invoke-endpoint", "--endpoint-name", "birds"),
        *("--content-type", "image/jpeg", "--body", f"fileb://{birds / '0.jpg'}", "answer.json"),
    )
    assert_detections(json.loads((aws.folder / "answer.json").read_text())["prediction"])


def test_a_schedule_starts_a_pipeline_when_its_time_comes(served, aws, birds):
    create_pipeline(aws, "train-nightly", training_pipeline(recipe_of(birds)))
    pipeline = aws.json("sagemaker", "describe-pipeline", "--pipeline-name", "train-nightly")
    tonight = (datetime.now(UTC) + timedelta(hours=8)).strftime("%Y-%m-%dT%H:%M:%S")
    target = {
        "Arn": pipeline["PipelineArn"],
        "RoleArn": ROLE,
        "SageMakerPipelineParameters": {"PipelineParameterList": [{"Name": "Epochs", "Value": "1"}]},
    }
    aws(
        *("scheduler", "create-schedule", "--name", "nightly", "--schedule-expression", f"at({tonight})"),
        *("--flexible-time-window", "Mode=OFF", "--target", json.dumps(target)),
    )
    (schedule,) = aws.json("scheduler", "list-schedules")["Schedules"]
    assert (schedule["Name"], schedule["State"]) == ("nightly", "ENABLED")
    assert executions_of(aws, "train-nightly") == []
    workflows = str(Path(sys.executable).with_name("workflows"))
    moved = served.run(workflows, "clock", "advance", "9h", cwd=served.environment["HOME"])
    assert moved.returncode == 0, moved.stderr
    arn = first_execution_of(aws, "train-nightly")
    assert ended(aws, arn)["PipelineExecutionStatus"] == "Succeeded"
    of_execution = ("--pipeline-execution-arn", arn)
    listed = aws.json("sagemaker", "list-pipeline-parameters-for-execution", *of_execution)
    assert {"Name": "Epochs", "Value": "1"} in listed["PipelineParameters"]


def test_a_definition_with_a_mistake_is_refused_with_its_place(aws):
    step = training("TrainDetector", channels={"train": get("Parameters.Missing")})
    (aws.folder / "broken.json").write_text(definition(step))
    refusal = aws.refusal(
        *("sagemaker", "create-pipeline", "--pipeline-name", "broken", "--role-arn", ROLE),
        *("--pipeline-definition", "file://broken.json", "--client-request-token", "0" * 32),
    )
    assert "An error occurred (ValidationException)" in refusal
    assert "Missing" in refusal


def test_a_pipeline_is_deleted(aws):
    create_pipeline(aws, "short-lived", deploying_pipeline())
    aws(
        *("sagemaker", "delete-pipeline", "--pipeline-name", "short-lived"),
        *("--client-request-token", "0" * 32),
    )
    refusal = aws.refusal("sagemaker", "describe-pipeline", "--pipeline-name", "short-lived")
    assert "An error occurred (ResourceNotFound)" in refusal
