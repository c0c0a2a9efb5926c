"""The detection notebook in version 3 of the SageMaker SDK: python birds_with_v3.py DATA ANSWER [--once].

With --once there is no second training. No role is named: the SDK takes the caller's.
"""

import json
import sys
from pathlib import Path

import boto3
from botocore.exceptions import ClientError
from sagemaker.core import image_uris
from sagemaker.core.helper.session_helper import Session
from sagemaker.serve import ModelBuilder
from sagemaker.train import ModelTrainer
from sagemaker.train.configs import Compute, InputData, OutputDataConfig, StoppingCondition

LOGS = "/aws/sagemaker/TrainingJobs"

data, answer = Path(sys.argv[1]), Path(sys.argv[2])
recipe = json.loads((data / "recipe.json").read_text())
session = Session(default_bucket="birds-notebook")
bucket = session.default_bucket()
image = image_uris.retrieve("object-detection", session.boto_region_name)
client = session.sagemaker_client


def channel(name, uri, content_type="application/x-recordio"):
    return InputData(channel_name=name, data_source=uri, content_type=content_type)


def train(channels, **hyperparameters):
    """The finished job, and what is on record of it."""
    trainer = ModelTrainer(
        training_image=image,
        sagemaker_session=session,
        base_job_name="birds",
        compute=Compute(instance_type="ml.p3.2xlarge", instance_count=1, volume_size_in_gb=50),
        stopping_condition=StoppingCondition(max_runtime_in_seconds=3600),
        output_data_config=OutputDataConfig(s3_output_path=f"s3://{bucket}/output"),
        hyperparameters={**recipe, **hyperparameters},
    )
    trainer.train(input_data_config=channels, wait=True, logs=True)
    name = trainer._latest_training_job.training_job_name
    job = client.describe_training_job(TrainingJobName=name)
    return job["ModelArtifacts"]["S3ModelArtifacts"], {"job": job, "log": read_log(name)}


def read_log(job):
    """The messages of a job's stream, as the notebook's chart asks for them."""
    logs = boto3.client("logs")
    (stream,) = logs.describe_log_streams(logGroupName=LOGS, logStreamNamePrefix=job)["logStreams"]
    read = logs.get_log_events(logGroupName=LOGS, logStreamName=stream["logStreamName"], startFromHead=True)
    return [event["message"] for event in read["events"]]


def ask_and_clean_up(name, artifact):
    """Answers of an endpoint to the held-out pictures, and what AWS says of it after it has gone."""
    builder = ModelBuilder(
        image_uri=image, s3_model_data_url=artifact, sagemaker_session=session, dependencies={}
    )
    model = builder.build(model_name=name)
    endpoint = builder.deploy(
        endpoint_name=name, initial_instance_count=1, instance_type="ml.m4.xlarge", wait=False
    )
    endpoint.wait_for_status("InService", poll=1)
    pictures = [path.read_bytes() for path in sorted(data.glob("?.jpg"))]
    answers = [
        json.load(endpoint.invoke(body=picture, content_type="image/jpeg").body)["prediction"]
        for picture in pictures
    ]
    endpoint.delete()
    endpoint.wait_for_delete(poll=1)
    client.delete_endpoint_config(EndpointConfigName=name)
    model.delete()
    gone = [
        refusal(client.describe_endpoint, EndpointName=name),
        refusal(client.describe_endpoint_config, EndpointConfigName=name),
        refusal(client.describe_model, ModelName=name),
    ]
    return {"answers": answers, "gone": gone}


def refusal(call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        return f"{error.response['Error']['Code']}: {error.response['Error']['Message']}"
    return "is still there"


for name in ("train", "validation", "flips"):
    session.upload_data(str(data / f"{name}.rec"), bucket=bucket, key_prefix=name)
held_out = channel("validation", f"s3://{bucket}/validation")

known = {}
first, known["base"] = train([channel("train", f"s3://{bucket}/train"), held_out])
known["base"].update(ask_and_clean_up("base", first))
if "--once" not in sys.argv:
    seed = channel("model", first, "application/x-sagemaker-model")
    second, known["grown"] = train(
        [channel("train", f"s3://{bucket}/flips"), held_out, seed],
        epochs=3,
        lr_scheduler_step=2,
        num_training_samples=2 * int(recipe["num_training_samples"]),
    )
    known["grown"].update(ask_and_clean_up("grown", second))

answer.write_text(
    json.dumps(
        {
            **known,
            "outputs": session.list_s3_files(bucket, "output"),
            "endpoints": client.list_endpoints()["Endpoints"],
        },
        default=str,
    )
)
