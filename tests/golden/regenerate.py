"""Compile every pipeline into a folder, by default the one of this file.

    python tests/golden/regenerate.py [FOLDER]

The compiled definitions are under version control, so that a review shows what a change does to them.
"""

import sys
from pathlib import Path

from workflows.pipelines import catalog

REGION = "eu-west-1"
ROLE = "arn:aws:iam::123456789012:role/VisionPipelines"
BUCKET = "vision-pipelines"
# Given, because the default is named after the content of processing_scripts.
IMAGE = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-vision-processing:golden"


def write_definitions(folder: Path) -> None:
    for name in catalog.names():
        definition = catalog.compile_definition(
            name, region=REGION, role=ROLE, default_bucket=BUCKET, processing_image_uri=IMAGE
        )
        (folder / f"{name}.json").write_text(definition, encoding="utf-8")


if __name__ == "__main__":
    write_definitions(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
