"""Requests for jobs, models and endpoints whose containers are toys."""

import tarfile
import time

from tests.toys import REGISTRY

ROLE = "arn:aws:iam::123456789012:role/toys"
TRAINER, PROCESSOR = f"{REGISTRY}/toy-trainer:1", f"{REGISTRY}/toy-processor:1"


def put(store, uri, text):
    with store.objects.staged(uri) as file:
        file.write_text(text)


def put_model(store, text, uri="s3://toys/models/model.tar.gz"):
    """A model of the toy trainer that says `text`; returns its URI."""
    source = store.home / "model.txt"
    source.write_text(text)
    with store.objects.staged(uri) as file, tarfile.open(file, "w:gz") as tar:
        tar.add(source, arcname="model.txt")
    source.unlink()
    return uri


def channel(name="train", uri="s3://toys/data/"):
    source = {"S3DataType": "S3Prefix", "S3Uri": uri, "S3DataDistributionType": "FullyReplicated"}
    return {"ChannelName": name, "DataSource": {"S3DataSource": source}}


def training(name, *, image=TRAINER, **more):
    return {
        "TrainingJobName": name,
        "RoleArn": ROLE,
        "AlgorithmSpecification": {"TrainingImage": image, "TrainingInputMode": "File"},
        "InputDataConfig": [channel()],
        "OutputDataConfig": {"S3OutputPath": "s3://toys/out"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
        "StoppingCondition": {"MaxRuntimeInSeconds": 60},
        **more,
    }


def processing(name, script, *, image=PROCESSOR, **more):
    cluster = {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1}
    place = {"S3Uri": f"s3://toys/{name}", "LocalPath": "/opt/ml/processing/output/out"}
    return {
        "ProcessingJobName": name,
        "RoleArn": ROLE,
        "AppSpecification": {
            "ImageUri": image,
            "ContainerEntrypoint": ["sh", "-euc"],
            "ContainerArguments": [script],
        },
        "ProcessingResources": {"ClusterConfig": cluster},
        "ProcessingOutputConfig": {
            "Outputs": [{"OutputName": "out", "S3Output": {**place, "S3UploadMode": "EndOfJob"}}]
        },
        **more,
    }


def transform(name, model, uri="s3://toys/pictures/", **more):
    return {
        "TransformJobName": name,
        "ModelName": model,
        "TransformInput": {
            "ContentType": "text/plain",
            "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": uri}},
        },
        "TransformOutput": {"S3OutputPath": f"s3://toys/{name}"},
        "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
        **more,
    }


def tuning(name, *, jobs=2, **more):
    definition = training("unnamed")
    del definition["TrainingJobName"]
    algorithm = definition["AlgorithmSpecification"]
    metric = {"Name": "validation:mAP", "Regex": r"validation mAP=\(([-+0-9.eE]+)\)"}
    return {
        "HyperParameterTuningJobName": name,
        "HyperParameterTuningJobConfig": {
            "Strategy": "Random",
            "RandomSeed": 7,
            "HyperParameterTuningJobObjective": {"Type": "Maximize", "MetricName": "validation:mAP"},
            "ResourceLimits": {"MaxNumberOfTrainingJobs": jobs, "MaxParallelTrainingJobs": 2},
            "ParameterRanges": {
                "ContinuousParameterRanges": [{"Name": "map", "MinValue": "0.1", "MaxValue": "0.9"}]
            },
        },
        "TrainingJobDefinition": {
            **definition,
            "AlgorithmSpecification": {**algorithm, "MetricDefinitions": [metric]},
            "StaticHyperParameters": {"pause": "0"},
        },
        **more,
    }


def model(name, uri, **more):
    container = {"Image": TRAINER, "ModelDataUrl": uri, **more}
    return {"ModelName": name, "ExecutionRoleArn": ROLE, "PrimaryContainer": container}


def endpoint_config(name, model_name, **more):
    variant = {
        "VariantName": "AllTraffic",
        "ModelName": model_name,
        "InitialInstanceCount": 1,
        "InstanceType": "ml.m5.large",
    }
    return {"EndpointConfigName": name, "ProductionVariants": [variant], **more}


def lacking(client, operation, answer):
    """The members that the service promises of an answer, and that this one does not have."""
    promised = client.meta.service_model.operation_model(operation).output_shape.required_members
    return set(promised) - answer.keys()


def eventually(get, wanted, *, limit_s=20):
    """Asks until an answer is `wanted`; returns it, or the last one."""
    deadline = time.monotonic() + limit_s
    while True:
        value = get()
        if value == wanted or time.monotonic() > deadline:
            return value
        time.sleep(0.02)
