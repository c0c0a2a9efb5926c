"""The files of an Image Classification artifact.

`image-classification-symbol.json`, `image-classification-NNNN.params`, NNNN the number of finished epochs,
and `model-shapes.json`, the input's name and shape. mx.model.load_checkpoint reads the first two.
"""

import json
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from algorithms.artifacts import collect, file_names
from algorithms.graphs import Symbol, data_name, load_graph
from algorithms.image_classification.network import class_count, find_head, layer_count
from algorithms.image_classification.settings import ImageShape, Settings
from algorithms.weights import Weights, load_weights, save_weights
from processing_scripts.contract import JobError, published

PREFIX = "image-classification"
SYMBOL_FILE = f"{PREFIX}-symbol.json"
SHAPES_FILE = "model-shapes.json"
_PARAMS_FILE = re.compile(PREFIX + r"-([0-9]{4,9})\.params")

# Generous: 200 layers with 1,000 classes have about 65 million parameters of 4 bytes.
_PARAMS_LIMIT = 2 << 30
_LIMITS = {SYMBOL_FILE: 64 << 20, SHAPES_FILE: 1 << 20}
# With checkpoint_frequency an archive holds the weights of many epochs.
_TOTAL_LIMIT = 64 << 30


@dataclass(frozen=True)
class Artifact:
    """A trained model: its graph, its weights, the file that had them, and the shape of its pictures."""

    graph: Symbol
    weights: Weights
    params_file: str
    image_shape: ImageShape | None  # None: the artifact does not tell


def params_path(folder: Path, epochs: int) -> Path:
    """Where the weights after so many epochs lie."""
    return folder / f"{PREFIX}-{epochs:04d}.params"


def params_files(folder: Path) -> list[Path]:
    """All weights in a folder, the oldest epoch first."""
    found = [path for path in folder.iterdir() if _PARAMS_FILE.fullmatch(path.name)]
    return sorted(found, key=lambda path: _epochs(path.name))


def save_graph(folder: Path, graph: Symbol, settings: Settings) -> None:
    """Write what the weights of all epochs share: the graph and its input's shape."""
    with published(folder / SYMBOL_FILE) as file:
        file.write(graph.tojson().encode())
    shape = [settings.mini_batch_size, *settings.image_shape]
    with published(folder / SHAPES_FILE) as file:
        file.write(json.dumps([{"shape": shape, "name": data_name(graph)}]).encode())


def save_epoch(folder: Path, weights: Weights, *, epochs: int, keep_others: bool) -> Path:
    """Write the weights after so many epochs; those of other epochs go, once these are there."""
    path = params_path(folder, epochs)
    save_weights(weights, path)
    for other in params_files(folder):
        if other != path and not keep_others:
            other.unlink()
    return path


def load(folder: Path) -> Artifact:
    """Read an artifact, packed as model.tar.gz or unpacked; of several epochs the last.

    Raises:
        JobError: it is damaged, unsafe to unpack, or of another algorithm.
    """
    present = file_names(folder, total=_TOTAL_LIMIT)
    params = max((name for name in present if _PARAMS_FILE.fullmatch(name)), key=_epochs, default=None)
    if SYMBOL_FILE not in present or params is None:
        wanted = {SYMBOL_FILE: SYMBOL_FILE in present, f"{PREFIX}-NNNN.params": params is not None}
        missing = " and ".join(name for name, there in wanted.items() if not there)
        raise JobError(
            f"{folder}: lacks {missing} (it holds {', '.join(sorted(present)[:6]) or 'nothing'}); give the "
            "artifact of an Image Classification training job"
        )
    with tempfile.TemporaryDirectory(prefix="artifact-") as name:
        files = Path(name)
        collect(folder, {**_LIMITS, params: _PARAMS_LIMIT}, files, total=_TOTAL_LIMIT)
        text = (files / SYMBOL_FILE).read_text(encoding="utf-8", errors="replace")
        graph = load_graph(text, str(folder / SYMBOL_FILE))
        find_head(graph, str(folder / SYMBOL_FILE))
        return Artifact(graph, load_weights(files / params), params, _image_shape(files / SHAPES_FILE))


def check_same_model(artifact: Artifact, settings: Settings) -> None:
    """Refuse to go on from an artifact of another network, other classes or another shape.

    Raises:
        JobError: names both values of all that differ.
    """
    differences = "; ".join(_differences(artifact, settings))
    if differences:
        raise JobError(
            f"channel 'model' holds a model with {differences}; an incremental training keeps num_layers, "
            "image_shape, num_classes and multi_label"
        )


def _differences(artifact: Artifact, settings: Settings) -> Iterator[str]:
    shape = artifact.image_shape or settings.image_shape
    theirs = {
        "num_layers": layer_count(artifact.graph),
        "image_shape": shape,
        "num_classes": class_count(artifact.graph, shape),
        "multi_label": int(find_head(artifact.graph, SYMBOL_FILE).multi_label),
    }
    ours = {
        "num_layers": settings.num_layers,
        "image_shape": settings.image_shape,
        "num_classes": settings.num_classes,
        "multi_label": int(settings.multi_label),
    }
    for name, value in ours.items():
        if theirs[name] != value:
            yield f"{name}={theirs[name]}, the job asks for {value}"


def _epochs(name: str) -> int:
    match = _PARAMS_FILE.fullmatch(name)
    return int(match[1]) if match else -1


def _image_shape(path: Path) -> ImageShape | None:
    """What the artifact tells of its input, a list of {"name", "shape": [batch, channels, height, width]}."""
    try:
        _, *shape = json.loads(path.read_text(encoding="utf-8", errors="replace"))[0]["shape"]
        channels, height, width = (int(side) for side in shape)
    except (FileNotFoundError, ValueError, TypeError, LookupError):
        return None
    return ImageShape(channels, height, width) if min(channels, height, width) > 0 else None
