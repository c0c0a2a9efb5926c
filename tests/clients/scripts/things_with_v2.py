"""The classification notebook in version 2 of the SageMaker SDK: python things_with_v2.py DATA ANSWER."""

import json
import sys
from pathlib import Path

import boto3
import sagemaker
from botocore.exceptions import ClientError
from sagemaker.estimator import Estimator
from sagemaker.inputs import TrainingInput
from sagemaker.s3 import S3Downloader, S3Uploader

ROLE = "arn:aws:iam::111122223333:role/notebook"

data, answer = Path(sys.argv[1]), Path(sys.argv[2])
recipe = json.loads((data / "recipe.json").read_text())
session = sagemaker.Session(default_bucket="things-notebook")
bucket = session.default_bucket()
client = session.sagemaker_client


def estimator_with(**hyperparameters):
    estimator = Estimator(
        sagemaker.image_uris.retrieve("image-classification", session.boto_region_name),
        ROLE,
        instance_count=1,
        instance_type="ml.p2.xlarge",
        input_mode="File",
        output_path=f"s3://{bucket}/full-training/output",
        sagemaker_session=session,
    )
    estimator.set_hyperparameters(**{**recipe, **hyperparameters})
    return estimator


def log_of(job):
    events = boto3.client("logs").filter_log_events(
        logGroupName="/aws/sagemaker/TrainingJobs", logStreamNamePrefix=job
    )
    return [event["message"] for event in events["events"]]


def known_of(estimator):
    name = estimator.latest_training_job.name
    return {"job": session.describe_training_job(name), "log": log_of(name)}


def transform(estimator):
    """Answers of a batch transform of the pictures, by the names of their files."""
    S3Uploader.upload(str(data / "0.jpg"), f"s3://{bucket}/pictures")
    S3Uploader.upload(str(data / "5.jpg"), f"s3://{bucket}/pictures")
    transformer = estimator.transformer(
        instance_count=1, instance_type="ml.m4.xlarge", output_path=f"s3://{bucket}/scored"
    )
    transformer.transform(f"s3://{bucket}/pictures", content_type="application/x-image", logs=False)
    job = client.describe_transform_job(TransformJobName=transformer.latest_transform_job.name)
    transformer.delete_model()
    files = S3Downloader.list(f"s3://{bucket}/scored", sagemaker_session=session)
    return job, {uri.rpartition("/")[2]: json.loads(S3Downloader.read_file(uri, session)) for uri in files}


for name in ("train", "validation"):
    with (data / f"{name}.rec").open("rb") as records:
        boto3.resource("s3").Bucket(bucket).put_object(Key=f"{name}/{name}.rec", Body=records)
records = {
    name: TrainingInput(
        f"s3://{bucket}/{name}/",
        distribution="FullyReplicated",
        content_type="application/x-recordio",
        s3_data_type="S3Prefix",
    )
    for name in ("train", "validation")
}
first = estimator_with()
first.fit(inputs=records, logs=False)
seed = TrainingInput(first.model_data, content_type="application/x-sagemaker-model")
second = estimator_with(epochs=2, learning_rate=0.001, lr_scheduler_step=1)
second.fit(inputs={**records, "model": seed}, wait=False)
attached = Estimator.attach(second.latest_training_job.name, sagemaker_session=session)

predictor = attached.deploy(initial_instance_count=1, instance_type="ml.m4.xlarge", wait=False)
session.wait_for_endpoint(predictor.endpoint_name, poll=1)
pictures = [path.read_bytes() for path in sorted(data.glob("?.jpg"))]
answers = [
    json.loads(predictor.predict(bytearray(picture), initial_args={"ContentType": "application/x-image"}))
    for picture in pictures
]
refused = None
try:
    predictor.predict(b"no picture", initial_args={"ContentType": "application/x-image"})
except ClientError as error:
    refused = error.response
transform_job, scored = transform(attached)
predictor.delete_model()
predictor.delete_endpoint(delete_endpoint_config=True)
client.get_waiter("endpoint_deleted").wait(EndpointName=predictor.endpoint_name, WaiterConfig={"Delay": 1})

answer.write_text(
    json.dumps(
        {
            "base": known_of(first),
            "grown": known_of(attached),
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
