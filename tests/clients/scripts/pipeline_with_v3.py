"""A pipeline's whole life, in version 3 of the SageMaker SDK: python pipeline_with_v3.py DATA ANSWER."""

import json
import sys
from pathlib import Path

from botocore.exceptions import WaiterError
from sagemaker.core import image_uris
from sagemaker.core.processing import ScriptProcessor
from sagemaker.core.resources import Endpoint, EndpointConfig, Model, ModelPackage
from sagemaker.core.shapes import (
    ContainerDefinition,
    ProcessingInput,
    ProcessingOutput,
    ProcessingS3Input,
    ProcessingS3Output,
    ProductionVariant,
)
from sagemaker.core.workflow.conditions import ConditionGreaterThanOrEqualTo
from sagemaker.core.workflow.functions import Join, JsonGet
from sagemaker.core.workflow.parameters import ParameterFloat, ParameterInteger, ParameterString
from sagemaker.core.workflow.pipeline_context import PipelineSession
from sagemaker.core.workflow.properties import PropertyFile
from sagemaker.mlops.workflow.condition_step import ConditionStep
from sagemaker.mlops.workflow.fail_step import FailStep
from sagemaker.mlops.workflow.model_step import ModelStep
from sagemaker.mlops.workflow.pipeline import Pipeline
from sagemaker.mlops.workflow.steps import CacheConfig, ProcessingStep, TrainingStep
from sagemaker.serve import ModelBuilder
from sagemaker.train import ModelTrainer
from sagemaker.train.configs import Compute, InputData, OutputDataConfig, StoppingCondition

ROLE = "arn:aws:iam::000000000000:role/workflows"
PROCESSING_IMAGE = "111122223333.dkr.ecr.us-east-1.amazonaws.com/sagemaker-vision-processing:1"
FOLDER = "/opt/ml/processing"

data, answer = Path(sys.argv[1]), Path(sys.argv[2])
recipe = json.loads((data / "recipe.json").read_text())
session = PipelineSession(default_bucket="birds-pipeline")
bucket, client = session.default_bucket(), session.sagemaker_client
image = image_uris.retrieve("object-detection", session.boto_region_name)
for name in ("train", "validation"):
    session.upload_data(str(data / f"{name}.rec"), bucket=bucket, key_prefix=name)

epochs = ParameterInteger("Epochs", default_value=50)
threshold = ParameterFloat("MapThreshold", default_value=0.99)
status = ParameterString("ModelApprovalStatus", default_value="PendingManualApproval")


def counting():
    processor = ScriptProcessor(
        role=ROLE,
        image_uri=PROCESSING_IMAGE,
        command=["python3"],
        instance_count=1,
        instance_type="ml.m5.large",
        sagemaker_session=session,
    )
    folders = ProcessingS3Input(
        s3_uri=f"s3://{bucket}/train",
        local_path=f"{FOLDER}/train",
        s3_data_type="S3Prefix",
        s3_input_mode="File",
    )
    report = ProcessingS3Output(
        s3_uri=f"s3://{bucket}/report", local_path=f"{FOLDER}/report", s3_upload_mode="EndOfJob"
    )
    return processor.run(
        code=str(Path(__file__).with_name("count_records.py")),
        inputs=[ProcessingInput(input_name="train", s3_input=folders)],
        outputs=[ProcessingOutput(output_name="report", s3_output=report)],
    )


def training(samples):
    trainer = ModelTrainer(
        training_image=image,
        role=ROLE,
        sagemaker_session=session,
        compute=Compute(instance_type="ml.p3.2xlarge", instance_count=1, volume_size_in_gb=50),
        stopping_condition=StoppingCondition(max_runtime_in_seconds=3600),
        output_data_config=OutputDataConfig(s3_output_path=f"s3://{bucket}/models"),
        hyperparameters={**recipe, "epochs": epochs.to_string(), "num_training_samples": samples},
    )
    channels = [
        InputData(
            channel_name=name, data_source=f"s3://{bucket}/{name}", content_type="application/x-recordio"
        )
        for name in ("train", "validation")
    ]
    return trainer.train(input_data_config=channels)


def registration(artifact):
    builder = ModelBuilder(
        image_uri=image,
        s3_model_data_url=artifact,
        role_arn=ROLE,
        sagemaker_session=session,
        dependencies={},
    )
    return builder.register(
        model_package_group_name="birds-pipeline",
        content_types=["image/jpeg"],
        response_types=["application/json"],
        inference_instances=["ml.m4.xlarge"],
        transform_instances=["ml.m4.xlarge"],
        approval_status=status,
    )


def pipeline():
    report = PropertyFile(name="Report", output_name="report", path="report.json")
    cached = CacheConfig(enable_caching=True, expire_after="P1D")
    count = ProcessingStep(
        name="CountRecords", step_args=counting(), property_files=[report], cache_config=cached
    )
    samples = JsonGet(step_name=count.name, property_file=report, json_path="records")
    train = TrainingStep(name="TrainDetector", step_args=training(samples), cache_config=cached)
    register = ModelStep(
        name="Birds", step_args=registration(train.properties.ModelArtifacts.S3ModelArtifacts)
    )
    score = train.properties.FinalMetricDataList["validation:mAP"].Value
    refuse = FailStep(name="Refuse", error_message=Join(on=" ", values=["mAP", score, "is below", threshold]))
    gate = ConditionStep(
        name="CheckQuality",
        conditions=[ConditionGreaterThanOrEqualTo(left=score, right=threshold)],
        if_steps=[register],
        else_steps=[refuse],
    )
    return Pipeline(
        name="birds-pipeline",
        parameters=[epochs, threshold, status],
        steps=[count, train, gate],
        sagemaker_session=session,
    )


def known_of(execution):
    return {"steps": execution.list_steps(), "execution": execution.describe()}


def training_of(known):
    """DescribeTrainingJob's answer about the job of an execution."""
    (step,) = [step for step in known["steps"] if step["StepName"] == "TrainDetector"]
    name = step["Metadata"]["TrainingJob"]["Arn"].rpartition("/")[2]
    return client.describe_training_job(TrainingJobName=name)


def ask_registered(arn):
    """An answer of an endpoint of a registered version."""
    container = ContainerDefinition(model_package_name=arn)
    own = {"session": session.boto_session}
    Model.create(model_name="registered", primary_container=container, execution_role_arn=ROLE, **own)
    variant = ProductionVariant(
        variant_name="AllTraffic",
        model_name="registered",
        initial_instance_count=1,
        instance_type="ml.m4.xlarge",
    )
    EndpointConfig.create(endpoint_config_name="registered", production_variants=[variant], **own)
    endpoint = Endpoint.create(endpoint_name="registered", endpoint_config_name="registered", **own)
    endpoint.wait_for_status("InService", poll=1)
    answer = endpoint.invoke(body=(data / "0.jpg").read_bytes(), content_type="image/jpeg")
    endpoint.delete()
    return json.load(answer.body)["prediction"]


birds = pipeline()
made = birds.upsert(role_arn=ROLE, tags=[{"Key": "team", "Value": "vision"}])
birds.upsert(role_arn=ROLE)
execution = birds.start(parameters={"Epochs": 2, "MapThreshold": 0.0}, execution_display_name="two-epochs")
execution.wait(delay=1, max_attempts=500)
passed = known_of(execution)
job = training_of(passed)
metrics = {entry["MetricName"]: entry["Value"] for entry in job["FinalMetricDataList"]}

strict = birds.start(parameters={"Epochs": 2})
failure = None
try:
    strict.wait(delay=1, max_attempts=500)
except WaiterError as error:
    failure = str(error)

(package,) = client.list_model_packages(ModelPackageGroupName="birds-pipeline")["ModelPackageSummaryList"]
version = ModelPackage.get(package["ModelPackageArn"], session=session.boto_session)
version.update(model_approval_status="Approved")
found = {
    "arn": made["PipelineArn"],
    "described": birds.describe(),
    "executions": birds.list_executions()["PipelineExecutionSummaries"],
    "passed": passed,
    "parameters": execution.list_parameters()["PipelineParameters"],
    "hyperparameters": job["HyperParameters"],
    "score": metrics["validation:mAP"],
    "artifact": job["ModelArtifacts"]["S3ModelArtifacts"],
    "strict": known_of(strict),
    "failure": failure,
    "prediction": ask_registered(package["ModelPackageArn"]),
    "package": client.describe_model_package(ModelPackageName=package["ModelPackageArn"]),
}
birds.delete()
answer.write_text(json.dumps({**found, "left": client.list_pipelines()["PipelineSummaries"]}, default=str))
