"""Definitions whose jobs are shell scripts, so that the engine is tested without a framework.

Their images stand in the image table like any other: TOY_IMAGES is what a user's workflows.toml would hold.
"""

import json
import sys
from pathlib import Path

TOY_IMAGES = {
    "toy-processor": {},
    "toy-trainer": {
        "command": ["sh", str(Path(__file__).with_name("toy_algorithm.sh")), sys.executable],
        "metrics": {"validation:mAP": r"validation mAP=\(([-+0-9.eE]+)\)"},
    },
}
REGISTRY = "123456789012.dkr.ecr.us-east-1.amazonaws.com"


def get(path):
    return {"Get": path}


def join(*values, on="/"):
    return {"Std:Join": {"On": on, "Values": list(values)}}


def definition(*steps, parameters=()):
    return json.dumps({"Version": "2020-12-01", "Parameters": list(parameters), "Steps": list(steps)})


def processing(name, script, *, inputs=None, outputs=("out",), property_files=(), limit_s=60, **more):
    """A job that runs `script`; its outputs are folders below /opt/ml/processing/output."""
    arguments = {
        "AppSpecification": {
            "ImageUri": f"{REGISTRY}/toy-processor:1",
            "ContainerEntrypoint": ["sh", "-euc"],
            "ContainerArguments": [script],
        },
        "ProcessingResources": {"ClusterConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1}},
        "StoppingCondition": {"MaxRuntimeInSeconds": limit_s},
        "ProcessingInputs": [
            {"InputName": key, "S3Input": {"S3Uri": uri, "LocalPath": f"/opt/ml/processing/input/{key}"}}
            for key, uri in (inputs or {}).items()
        ],
        "ProcessingOutputConfig": {
            "Outputs": [
                {
                    "OutputName": key,
                    "S3Output": {
                        "S3Uri": join("s3://toys", get("Execution.PipelineExecutionId"), name, key),
                        "LocalPath": f"/opt/ml/processing/output/{key}",
                    },
                }
                for key in outputs
            ]
        },
    }
    files = [
        {"PropertyFileName": file, "OutputName": output, "FilePath": path}
        for file, output, path in property_files
    ]
    return {"Name": name, "Type": "Processing", "Arguments": arguments, "PropertyFiles": files, **more}


def output_of(step, name):
    return get(f"Steps.{step}.ProcessingOutputConfig.Outputs['{name}'].S3Output.S3Uri")


def training(name, *, channels, hyperparameters=None, limit_s=60, **more):
    arguments = {
        "AlgorithmSpecification": {"TrainingImage": f"{REGISTRY}/toy-trainer:1", "TrainingInputMode": "File"},
        "HyperParameters": hyperparameters or {},
        "InputDataConfig": [
            {
                "ChannelName": channel,
                "ContentType": "text/plain",
                "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": uri}},
            }
            for channel, uri in channels.items()
        ],
        "OutputDataConfig": {
            "S3OutputPath": join("s3://toys", get("Execution.PipelineExecutionId"), "models")
        },
        "ResourceConfig": {"InstanceType": "ml.g5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 50},
        "StoppingCondition": {"MaxRuntimeInSeconds": limit_s},
    }
    return {"Name": name, "Type": "Training", "Arguments": arguments, **more}


def model(name, trained_by):
    container = {
        "Image": f"{REGISTRY}/toy-trainer:1",
        "ModelDataUrl": get(f"Steps.{trained_by}.ModelArtifacts.S3ModelArtifacts"),
    }
    return {"Name": name, "Type": "Model", "Arguments": {"PrimaryContainer": container}}


def transform(name, model_step, uri):
    arguments = {
        "ModelName": get(f"Steps.{model_step}.ModelName"),
        "TransformInput": {
            "ContentType": "text/plain",
            "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": uri}},
        },
        "TransformOutput": {"S3OutputPath": join("s3://toys", get("Execution.PipelineExecutionId"), name)},
        "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
    }
    return {"Name": name, "Type": "Transform", "Arguments": arguments}


def register(name, group, trained_by):
    container = {
        "Image": f"{REGISTRY}/toy-trainer:1",
        "ModelDataUrl": get(f"Steps.{trained_by}.ModelArtifacts.S3ModelArtifacts"),
    }
    arguments = {"ModelPackageGroupName": group, "InferenceSpecification": {"Containers": [container]}}
    return {"Name": name, "Type": "RegisterModel", "Arguments": arguments}


def endpoint_config(name, model_step):
    variant = {
        "VariantName": "AllTraffic",
        "ModelName": get(f"Steps.{model_step}.ModelName"),
        "InitialInstanceCount": 1,
        "InstanceType": "ml.m5.large",
    }
    config = join("toys", get("Execution.PipelineExecutionId"), on="-")
    arguments = {"EndpointConfigName": config, "ProductionVariants": [variant]}
    return {"Name": name, "Type": "EndpointConfig", "Arguments": arguments}


def endpoint(name, config_step, endpoint_name):
    arguments = {
        "EndpointName": endpoint_name,
        "EndpointConfigName": get(f"Steps.{config_step}.EndpointConfigName"),
    }
    return {"Name": name, "Type": "Endpoint", "Arguments": arguments}


def condition(name, *tests, if_steps=(), else_steps=()):
    arguments = {"Conditions": list(tests), "IfSteps": list(if_steps), "ElseSteps": list(else_steps)}
    return {"Name": name, "Type": "Condition", "Arguments": arguments}


def at_least(left, right):
    return {"Type": "GreaterThanOrEqualTo", "LeftValue": left, "RightValue": right}


def fail(name, message):
    return {"Name": name, "Type": "Fail", "Arguments": {"ErrorMessage": message}}
