"""Compiles pipelines for the tests, and looks into what came out."""

import json
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from workflows.definition.source import SourceLine
from workflows.pipelines import catalog
from workflows.pipelines.catalog import Compiled

REGION = "eu-west-1"
ROLE = "arn:aws:iam::123456789012:role/VisionPipelines"
BUCKET = "vision-pipelines"
IMAGE = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-vision-processing:1"
VOLUME_KEY = "arn:aws:kms:eu-west-1:123456789012:key/volume"
OUTPUT_KEY = "arn:aws:kms:eu-west-1:123456789012:key/output"
EXECUTION = {"Get": "Execution.PipelineExecutionId"}

# Every option that all pipelines take, given.
ALL_OPTIONS: dict[str, Any] = {
    "sagemaker_project_arn": "arn:aws:sagemaker:eu-west-1:123456789012:project/birds",
    "volume_kms_key": VOLUME_KEY,
    "output_kms_key": OUTPUT_KEY,
    "subnets": ["subnet-1", "subnet-2"],
    "security_group_ids": ["sg-1"],
    "enable_network_isolation": True,
    "use_spot": True,
    "max_wait_s": 400_000,
    "max_training_s": 300_000,
    "training_volume_gb": 70,
    "processing_volume_gb": 90,
    "tags": {"team": "birds", "sagemaker:project-name": "aviary"},
}


def compiled(pipeline: str = "birds-detection", **options: Any) -> dict[str, Any]:
    """A definition of the caller's own."""
    return json.loads((_plain(pipeline) if not options else _compile(pipeline, options)).text)


def lines(pipeline: str) -> Mapping[str, SourceLine]:
    """Where its steps are made."""
    return _plain(pipeline).lines


@cache
def _plain(pipeline: str) -> Compiled:
    return _compile(pipeline, {})


def _compile(pipeline: str, options: dict[str, Any]) -> Compiled:
    usual = {"region": REGION, "role": ROLE, "default_bucket": BUCKET, "processing_image_uri": IMAGE}
    return catalog.compile_pipeline(pipeline, **usual | options)


def all_steps(definition: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Every step by name, also those inside conditions."""
    found = {}
    for step in definition["Steps"]:
        found[step["Name"]] = step
        for branch in ("IfSteps", "ElseSteps"):
            found |= {inner["Name"]: inner for inner in step["Arguments"].get(branch, [])}
    return found


def names_of(definition: dict[str, Any], *types: str) -> list[str]:
    """The steps of some types."""
    return [name for name, step in all_steps(definition).items() if step["Type"] in types]


def arguments(definition: dict[str, Any], step: str) -> dict[str, Any]:
    return all_steps(definition)[step]["Arguments"]


def channels(definition: dict[str, Any], step: str) -> dict[str, tuple[Any, str]]:
    """Channel -> where its data are, and their content type."""
    return {
        channel["ChannelName"]: (channel["DataSource"]["S3DataSource"]["S3Uri"], channel["ContentType"])
        for channel in arguments(definition, step)["InputDataConfig"]
    }


def folder_of(output: str) -> dict[str, Any]:
    """An output of PrepareData, as an input reads it."""
    uri = f"Steps.PrepareData.ProcessingOutputConfig.Outputs['{output}'].S3Output.S3Uri"
    return {"Std:Join": {"On": "", "Values": [{"Get": uri}, "/"]}}


def outputs(definition: dict[str, Any], step: str) -> dict[str, str]:
    """Output of a processing step -> its S3 URI in an execution named `run`."""
    listed = arguments(definition, step)["ProcessingOutputConfig"]["Outputs"]
    return {entry["OutputName"]: resolve(definition, entry["S3Output"]["S3Uri"]) for entry in listed}


def resolve(definition: dict[str, Any], value: Any) -> str:
    """An S3 URI in an execution named `run`, from joins and references to outputs alone."""
    if isinstance(value, str):
        return value
    if value == EXECUTION:
        return "run"
    if "Std:Join" in value:
        join = value["Std:Join"]
        return join["On"].join(resolve(definition, part) for part in join["Values"])
    _, step, path = value["Get"].split(".", 2)
    if path == "TransformOutput.S3OutputPath":
        return resolve(definition, arguments(definition, step)["TransformOutput"]["S3OutputPath"])
    assert path.startswith("ProcessingOutputConfig.Outputs['"), value
    return outputs(definition, step)[path.split("'")[1]]


def input_uris(definition: dict[str, Any]) -> Iterator[Any]:
    """What the jobs read from S3."""
    for step in all_steps(definition).values():
        given = step["Arguments"]
        yield from (entry["S3Input"]["S3Uri"] for entry in given.get("ProcessingInputs", []))
        yield from (
            entry["DataSource"]["S3DataSource"]["S3Uri"] for entry in given.get("InputDataConfig", [])
        )
        if "TransformInput" in given:
            yield given["TransformInput"]["DataSource"]["S3DataSource"]["S3Uri"]


def output_uris(definition: dict[str, Any]) -> Iterator[str]:
    """What the jobs write to S3, in an execution named `run`."""
    for name in names_of(definition, "Processing"):
        yield from outputs(definition, name).values()
    for name in names_of(definition, "Training"):
        yield resolve(definition, arguments(definition, name)["OutputDataConfig"]["S3OutputPath"])
    for name in names_of(definition, "Transform"):
        yield resolve(definition, arguments(definition, name)["TransformOutput"]["S3OutputPath"])


def hyperparameter_values(definition: dict[str, Any], step: str, given: dict[str, str]) -> dict[str, str]:
    """Hyperparameter -> its value under parameters; those that the data report decides are left out."""
    parameters = {entry["Name"]: str(entry["DefaultValue"]) for entry in definition["Parameters"]} | given
    found = {}
    for name, value in arguments(definition, step)["HyperParameters"].items():
        if isinstance(value, str):
            found[name] = value
        elif "Std:JsonGet" not in value:
            reference = value if "Get" in value else value["Std:Join"]["Values"][0]
            found[name] = parameters[reference["Get"].removeprefix("Parameters.")]
    return found
