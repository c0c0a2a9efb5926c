"""The detection notebook's path, in version 2 of the SageMaker SDK: python birds_with_v2.py DATA ANSWER."""

import json
import sys
from pathlib import Path

import boto3
import sagemaker
from botocore.exceptions import ClientError
from sagemaker.deserializers import JSONDeserializer
from sagemaker.estimator import Estimator
from sagemaker.inputs import TrainingInput
from sagemaker.serializers import IdentitySerializer

ROLE = "arn:aws:iam::111122223333:role/notebook"
LOGS = "/aws/sagemaker/TrainingJobs"

data, answer = Path(sys.argv[1]), Path(sys.argv[2])
recipe = json.loads((data / "recipe.json").read_text())
session = sagemaker.Session(default_bucket="birds-notebook")
bucket = session.default_bucket()
image = sagemaker.image_uris.retrieve("object-detection", session.boto_region_name, version="1")


def channel(prefix, content_type="application/x-recordio"):
    return TrainingInput(prefix, distribution="FullyReplicated", content_type=content_type)


def estimator_with(**hyperparameters):
    estimator = Estimator(
        image,
        ROLE,
        instance_count=1,
        instance_type="ml.p3.2xlarge",
        volume_size=50,
        max_run=3600,
        output_path=f"s3://{bucket}/output",
        sagemaker_session=session,
    )
    estimator.set_hyperparameters(**{**recipe, **hyperparameters})
    return estimator


def known_of(estimator):
    """What is on record of a finished training."""
    name = estimator.latest_training_job.name
    return {"job": session.describe_training_job(name), "log": read_log(name)}


def read_log(job):
    """The messages of a job's stream, as the notebook's chart asks for them."""
    logs = boto3.client("logs")
    (stream,) = logs.describe_log_streams(logGroupName=LOGS, logStreamNamePrefix=job)["logStreams"]
    read = logs.get_log_events(logGroupName=LOGS, logStreamName=stream["logStreamName"], startFromHead=True)
    return [event["message"] for event in read["events"]]


def ask(predictor):
    """The answers to the held-out pictures: the first one as the notebook asks, without the SDK."""
    predictor.serializer, predictor.deserializer = IdentitySerializer("image/jpeg"), JSONDeserializer()
    first, *others = [path.read_bytes() for path in sorted(data.glob("?.jpg"))]
    answer = boto3.client("sagemaker-runtime").invoke_endpoint(
        EndpointName=predictor.endpoint_name, ContentType="image/jpeg", Body=first
    )
    answers = [json.load(answer["Body"]), *(predictor.predict(picture) for picture in others)]
    return [answer["prediction"] for answer in answers]


def clean_up(predictor):
    """What AWS says of an endpoint, its configuration and its model after they have gone."""
    client = session.sagemaker_client
    endpoint = predictor.endpoint_name
    config = client.describe_endpoint(EndpointName=endpoint)["EndpointConfigName"]
    (variant,) = client.describe_endpoint_config(EndpointConfigName=config)["ProductionVariants"]
    predictor.delete_model()
    predictor.delete_endpoint()
    client.get_waiter("endpoint_deleted").wait(EndpointName=endpoint, WaiterConfig={"Delay": 1})
    return [
        refusal(client.describe_endpoint, EndpointName=endpoint),
        refusal(client.describe_endpoint_config, EndpointConfigName=config),
        refusal(client.describe_model, ModelName=variant["ModelName"]),
    ]


def refusal(call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        return f"{error.response['Error']['Code']}: {error.response['Error']['Message']}"
    return "is still there"


for name in ("train", "validation", "flips"):
    session.upload_data(str(data / f"{name}.rec"), bucket=bucket, key_prefix=name)
channels = {name: channel(f"s3://{bucket}/{name}") for name in ("train", "validation")}

first = estimator_with()
first.fit(inputs=channels, logs=True)
base = known_of(first)
predictor = first.deploy(initial_instance_count=1, instance_type="ml.m4.xlarge")
base["answers"] = ask(predictor)
base["gone"] = clean_up(predictor)

seed = channel(first.model_data, "application/x-sagemaker-model")
with_flips = {**channels, "train": channel(f"s3://{bucket}/flips"), "model": seed}
samples = 2 * int(recipe["num_training_samples"])
second = estimator_with(epochs=3, lr_scheduler_step=2, num_training_samples=samples)
# In steps: fit() and deploy() look every 30 s, or not at all.
second.fit(inputs=with_flips, wait=False)
session.wait_for_job(second.latest_training_job.name, poll=1)
session.logs_for_job(second.latest_training_job.name)
grown = known_of(second)
predictor = second.deploy(initial_instance_count=1, instance_type="ml.m4.xlarge", wait=False)
session.wait_for_endpoint(predictor.endpoint_name, poll=1)
grown["answers"] = ask(predictor)
grown["gone"] = clean_up(predictor)

answer.write_text(
    json.dumps(
        {
            "base": base,
            "grown": grown,
            "outputs": session.list_s3_files(bucket, "output"),
            "endpoints": session.sagemaker_client.list_endpoints()["Endpoints"],
        },
        default=str,
    )
)
