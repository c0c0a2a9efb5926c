"""The three files of an Object Detection artifact."""

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from algorithms.artifacts import collect
from algorithms.graphs import Symbol
from algorithms.object_detection.graph import class_count, parse_graph
from algorithms.weights import Weights, load_weights, save_weights
from processing_scripts.contract import JobError, published

SYMBOL_FILE = "model_algo_1-symbol.json"
PARAMS_FILE = "model_algo_1-0000.params"
HYPERPARAMETERS_FILE = "hyperparams.json"

# Generous: VGG-16 with 1,000 classes has about 60 million parameters of 4 bytes.
_LIMITS = {SYMBOL_FILE: 64 << 20, PARAMS_FILE: 2 << 30, HYPERPARAMETERS_FILE: 1 << 20}


@dataclass(frozen=True)
class Artifact:
    """A trained model: its training graph, its weights, and the job's hyperparameters where it tells them."""

    graph: Symbol
    weights: Weights
    hyperparameters: Mapping[str, str]


def save(folder: Path, graph: Symbol, weights: Weights, hyperparameters: Mapping[str, str]) -> Path:
    """Write an artifact; each file appears whole, the weights last. Returns the path of the weights."""
    with published(folder / SYMBOL_FILE) as file:
        file.write(graph.tojson().encode())
    with published(folder / HYPERPARAMETERS_FILE) as file:
        file.write(json.dumps(dict(hyperparameters), indent=1, sort_keys=True).encode())
    save_weights(weights, folder / PARAMS_FILE)
    return folder / PARAMS_FILE


def load(folder: Path) -> Artifact:
    """Read an artifact, packed as model.tar.gz or unpacked.

    Raises:
        JobError: it is damaged, unsafe to unpack, or of another algorithm.
    """
    with tempfile.TemporaryDirectory(prefix="artifact-") as name:
        files = Path(name)
        present = collect(folder, _LIMITS, files)
        missing = [wanted for wanted in (SYMBOL_FILE, PARAMS_FILE) if wanted not in present]
        if missing:
            raise JobError(
                f"{folder}: lacks {' and '.join(missing)} (it holds "
                f"{', '.join(sorted(present)[:6]) or 'nothing'}); "
                "give the artifact of an Object Detection training job"
            )
        graph = parse_graph(_text(files / SYMBOL_FILE), str(folder / SYMBOL_FILE))
        return Artifact(
            graph, load_weights(files / PARAMS_FILE), _hyperparameters(files / HYPERPARAMETERS_FILE)
        )


def check_same_model(artifact: Artifact, *, base_network: str, num_classes: int, image_shape: int) -> None:
    """Refuse to go on from an artifact of another network or another number of classes.

    Raises:
        JobError: names both values.
    """
    theirs = artifact.hyperparameters.get("base_network", base_network)
    if theirs != base_network:
        raise JobError(
            f"channel 'model' holds a model with base_network='{theirs}', the job asks for '{base_network}'; "
            "an incremental training keeps the network"
        )
    classes = class_count(artifact.graph, image_shape)
    if classes != num_classes:
        raise JobError(
            f"channel 'model' holds a model with num_classes={classes}, the job asks for {num_classes}; an "
            "incremental training keeps the classes"
        )


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")


def _hyperparameters(path: Path) -> dict[str, str]:
    """What the artifact tells of its training; empty if it does not, for its form is not documented."""
    try:
        values = json.loads(_text(path))
    except (FileNotFoundError, ValueError):
        return {}
    return {str(name): str(value) for name, value in values.items()} if isinstance(values, dict) else {}
