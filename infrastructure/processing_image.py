"""Prints where the processing image of this code lies: python -m infrastructure.processing_image

In the account of the role and the region of the settings, with the tag that compiled definitions name.
"""

import os
from pathlib import Path

from workflows.pipelines.processing_image import default_image_uri
from workflows.settings import load


def main() -> None:
    """Run the command."""
    settings = load(flags={}, environment=os.environ, folder=Path.cwd())
    print(default_image_uri(region=settings["region"], role=settings["role"]))  # noqa: T201 - its answer


if __name__ == "__main__":
    main()
