"""ImageNet weights of the MXNet model gallery, which SageMaker's images bring along."""

import os
from collections.abc import Set
from pathlib import Path

from algorithms.weights import Weights, load_weights
from processing_scripts.contract import JobError

PRETRAINED_MODELS_DIR = "PRETRAINED_MODELS_DIR"


def pretrained_weights(network: str, wanted: Set[str]) -> Weights:
    """ImageNet weights of a network, those arrays of them that are wanted.

    Raises:
        JobError: this machine does not have them, or the file lacks an array.
    """
    path = _pretrained_file(network)
    weights = load_weights(path)
    chosen = Weights(
        {name: array for name, array in weights.args.items() if name in wanted},
        {name: array for name, array in weights.aux.items() if name in wanted},
    )
    missing = sorted(wanted - set(chosen.args) - set(chosen.aux))
    if missing:
        raise JobError(
            f"{path}: lacks {len(missing)} of the {len(wanted)} arrays of {network}, such as '{missing[0]}'; "
            "take the file of that name from the MXNet model gallery"
        )
    return chosen


def _pretrained_file(network: str) -> Path:
    name = f"{network}-0000.params"
    folder = os.environ.get(PRETRAINED_MODELS_DIR)
    hint = (
        f"put the ImageNet weights of the MXNet model gallery as {name} into a folder, name the folder in "
        f"the environment variable {PRETRAINED_MODELS_DIR}, or set use_pretrained_model=0"
    )
    if not folder:
        raise JobError(f"use_pretrained_model=1 needs weights that this machine does not have: {hint}")
    path = Path(folder) / name
    if not path.is_file():
        raise JobError(f"use_pretrained_model=1: {path} is not there: {hint}")
    return path
