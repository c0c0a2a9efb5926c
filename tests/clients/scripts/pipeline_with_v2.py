"""A pipeline's whole life, in version 2 of the SageMaker SDK: python pipeline_with_v2.py DATA ANSWER."""

import json
import sys
from pathlib import Path

import sagemaker
from botocore.exceptions import WaiterError
from sagemaker import image_uris
from sagemaker.deserializers import JSONDeserializer
from sagemaker.estimator import Estimator
from sagemaker.inputs import TrainingInput
from sagemaker.model import Model, ModelPackage
from sagemaker.predictor import Predictor
from sagemaker.processing import ProcessingInput, ProcessingOutput, ScriptProcessor
from sagemaker.serializers import IdentitySerializer
from sagemaker.workflow.condition_step import ConditionStep
from sagemaker.workflow.conditions import ConditionGreaterThanOrEqualTo
from sagemaker.workflow.fail_step import FailStep
from sagemaker.workflow.functions import Join, JsonGet
from sagemaker.workflow.model_step import ModelStep
from sagemaker.workflow.parameters import ParameterFloat, ParameterInteger, ParameterString
from sagemaker.workflow.pipeline import Pipeline
from sagemaker.workflow.pipeline_context import PipelineSession
from sagemaker.workflow.properties import PropertyFile
from sagemaker.workflow.steps import CacheConfig, ProcessingStep, TrainingStep

ROLE = "arn:aws:iam::111122223333:role/pipelines"
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
    return processor.run(
        code=str(Path(__file__).with_name("count_records.py")),
        inputs=[ProcessingInput(source=f"s3://{bucket}/train", destination=f"{FOLDER}/train")],
        outputs=[ProcessingOutput(output_name="report", source=f"{FOLDER}/report")],
    )


def training(samples):
    estimator = Estimator(
        image,
        ROLE,
        instance_count=1,
        instance_type="ml.p3.2xlarge",
        output_path=f"s3://{bucket}/models",
        sagemaker_session=session,
    )
    changes = {"epochs": epochs, "num_training_samples": samples}
    estimator.set_hyperparameters(**{**recipe, **changes})
    channels = {
        name: TrainingInput(f"s3://{bucket}/{name}", content_type="application/x-recordio")
        for name in ("train", "validation")
    }
    return estimator.fit(inputs=channels)


def registration(artifact):
    model = Model(image_uri=image, model_data=artifact, role=ROLE, sagemaker_session=session)
    return model.register(
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
    count = ProcessingStep("CountRecords", step_args=counting(), property_files=[report], cache_config=cached)
    samples = JsonGet(step_name=count.name, property_file=report, json_path="records")
    train = TrainingStep("TrainDetector", step_args=training(samples), cache_config=cached)
    register = ModelStep("Birds", step_args=registration(train.properties.ModelArtifacts.S3ModelArtifacts))
    score = train.properties.FinalMetricDataList["validation:mAP"].Value
    refuse = FailStep("Refuse", error_message=Join(on=" ", values=["mAP", score, "is below", threshold]))
    gate = ConditionStep(
        "CheckQuality",
        conditions=[ConditionGreaterThanOrEqualTo(left=score, right=threshold)],
        if_steps=[register],
        else_steps=[refuse],
    )
    return Pipeline(
        "birds-pipeline",
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
    plain = sagemaker.Session(default_bucket=bucket)
    version = ModelPackage(role=ROLE, model_package_arn=arn, sagemaker_session=plain)
    version.deploy(
        initial_instance_count=1, instance_type="ml.m4.xlarge", endpoint_name="registered", wait=False
    )
    plain.wait_for_endpoint("registered", poll=1)
    predictor = Predictor("registered", plain, IdentitySerializer("image/jpeg"), JSONDeserializer())
    prediction = predictor.predict((data / "0.jpg").read_bytes())["prediction"]
    predictor.delete_endpoint()
    return prediction


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
client.update_model_package(ModelPackageArn=package["ModelPackageArn"], ModelApprovalStatus="Approved")
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
