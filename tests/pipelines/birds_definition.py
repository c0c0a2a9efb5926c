"""Compiles birds-detection for the tests."""

import json
from typing import Any

from workflows.pipelines import catalog

REGION = "eu-west-1"
ROLE = "arn:aws:iam::123456789012:role/VisionPipelines"
BUCKET = "vision-pipelines"
IMAGE = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-vision-processing:1"
VOLUME_KEY = "arn:aws:kms:eu-west-1:123456789012:key/volume"
OUTPUT_KEY = "arn:aws:kms:eu-west-1:123456789012:key/output"


def compiled(**options: Any) -> dict[str, Any]:
    usual = {"region": REGION, "role": ROLE, "default_bucket": BUCKET, "processing_image_uri": IMAGE}
    return json.loads(catalog.compile_definition("birds-detection", **usual | options))


def all_steps(definition: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Every step by name, also those inside conditions."""
    found = {}
    for step in definition["Steps"]:
        found[step["Name"]] = step
        for branch in ("IfSteps", "ElseSteps"):
            found |= {inner["Name"]: inner for inner in step["Arguments"].get(branch, [])}
    return found
