"""The classification notebook in version 3 of the SageMaker SDK: python things_with_v3.py DATA ANSWER."""

import json
import sys
from pathlib import Path

import boto3
from botocore.exceptions import ClientError
from sagemaker.core import image_uris
from sagemaker.core.helper.session_helper import Session
from sagemaker.core.resources import TrainingJob
from sagemaker.core.s3 import S3Downloader, S3Uploader
from sagemaker.core.transformer import Transformer
from sagemaker.serve import ModelBuilder
from sagemaker.train import ModelTrainer
from sagemaker.train.configs import Compute, InputData, OutputDataConfig

data, answer = Path(sys.argv[1]), Path(sys.argv[2])
recipe = json.loads((data / "recipe.json").read_text())
session = Session(default_bucket="things-notebook")
bucket = session.default_bucket()
image = image_uris.retrieve("image-classification", session.boto_region_name)
client = session.sagemaker_client


def train(name, channels, **hyperparameters):
    """A finished job: started by a trainer, waited for by its name."""
    trainer = ModelTrainer(
        training_image=image,
        sagemaker_session=session,
        base_job_name=name,
        compute=Compute(instance_type="ml.p2.xlarge", instance_count=1),
        output_data_config=OutputDataConfig(s3_output_path=f"s3://{bucket}/full-training/output"),
        hyperparameters={**recipe, **hyperparameters},
    )
    trainer.train(input_data_config=channels, wait=False)
    job = TrainingJob.get(trainer._latest_training_job.training_job_name)
    job.wait(poll=1, logs=False)
    return job


def known_of(job):
    events = boto3.client("logs").filter_log_events(
        logGroupName="/aws/sagemaker/TrainingJobs", logStreamNamePrefix=job.training_job_name
    )
    described = client.describe_training_job(TrainingJobName=job.training_job_name)
    return {"job": described, "log": [event["message"] for event in events["events"]]}


def channel(name, uri, content_type="application/x-recordio"):
    return InputData(channel_name=name, data_source=uri, content_type=content_type)


def ask(endpoint, picture):
    return json.load(endpoint.invoke(body=picture, content_type="application/x-image").body)


def transform(model_name):
    """Answers of a batch transform of two pictures, by the names of their files."""
    for number in (0, 5):
        S3Uploader.upload(str(data / f"{number}.jpg"), f"s3://{bucket}/pictures", sagemaker_session=session)
    transformer = Transformer(
        model_name=model_name,
        instance_count=1,
        instance_type="ml.m4.xlarge",
        output_path=f"s3://{bucket}/scored",
        sagemaker_session=session,
    )
    transformer.transform(f"s3://{bucket}/pictures", content_type="application/x-image", wait=False)
    name = transformer.latest_transform_job.transform_job_name
    transformer.latest_transform_job.wait(poll=1)
    files = S3Downloader.list(f"s3://{bucket}/scored", sagemaker_session=session)
    scored = {
        uri.rpartition("/")[2]: json.loads(S3Downloader.read_file(uri, sagemaker_session=session))
        for uri in files
    }
    return client.describe_transform_job(TransformJobName=name), scored


for name in ("train", "validation"):
    S3Uploader.upload(str(data / f"{name}.rec"), f"s3://{bucket}/{name}", sagemaker_session=session)
records = [channel(name, f"s3://{bucket}/{name}/") for name in ("train", "validation")]
first = train("base", records)
seed = channel("model", first.model_artifacts.s3_model_artifacts, "application/x-sagemaker-model")
second = train("grown", [*records, seed], epochs=2, learning_rate=0.001, lr_scheduler_step=1)

builder = ModelBuilder(
    image_uri=image,
    s3_model_data_url=second.model_artifacts.s3_model_artifacts,
    sagemaker_session=session,
    dependencies={},
)
model = builder.build(model_name="things")
endpoint = builder.deploy(endpoint_name="things", instance_type="ml.m4.xlarge", wait=False)
endpoint.wait_for_status("InService", poll=1)
answers = [ask(endpoint, path.read_bytes()) for path in sorted(data.glob("?.jpg"))]
refused = None
try:
    ask(endpoint, b"no picture")
except ClientError as error:
    refused = error.response
transform_job, scored = transform("things")
endpoint.delete()
endpoint.wait_for_delete(poll=1)
client.delete_endpoint_config(EndpointConfigName="things")
model.delete()

answer.write_text(
    json.dumps(
        {
            "base": known_of(first),
            "grown": known_of(second),
            "answers": answers,
            "refused": refused,
            "transform": transform_job,
            "scored": scored,
            "left": {
                "endpoints": client.list_endpoints()["Endpoints"],
                "configs": client.list_endpoint_configs()["EndpointConfigs"],
                "models": client.list_models()["Models"],
            },
        },
        default=str,
    )
)
