"""Where an interrupted training goes on: one file in /opt/ml/checkpoints, replaced after every epoch.

One file, because SageMaker copies the folder to S3 file by file while the job runs, and two files of
different epochs would fit each other in form and not in content.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from algorithms.engine import mx
from algorithms.graphs import Symbol
from algorithms.weights import (
    Array,
    Weights,
    load_arrays,
    named_weights,
    save_arrays,
    with_prefix,
)
from processing_scripts.contract import JobError

_STATE = "state"


@dataclass(frozen=True)
class Progress:
    """How far a training has come."""

    scores: tuple[float, ...]  # the validation score of every finished epoch
    updates: int  # of the weights

    @property
    def best(self) -> float | None:
        """The best score so far."""
        return max(self.scores, default=None)


@dataclass(frozen=True)
class Checkpoint:
    """Everything that later epochs depend on."""

    progress: Progress
    last: Weights
    best: Weights
    optimizer: Mapping[str, Array]


def identity(graph: Symbol, optimizer: str) -> str:
    """What a training must have in common with a checkpoint to go on from it."""
    return hashlib.sha256(f"{optimizer}\n{graph.tojson()}".encode()).hexdigest()


def save(path: Path, checkpoint: Checkpoint, training: str) -> None:
    """Write the checkpoint of the training with this identity over the one before."""
    state = json.dumps({**asdict(checkpoint.progress), "training": training}).encode()
    arrays = {
        _STATE: _as_array(state),
        **_prefixed("last/", checkpoint.last),
        **_prefixed("best/", checkpoint.best),
        **with_prefix("optimizer/", checkpoint.optimizer),
    }
    save_arrays(arrays, path)


def load(path: Path, training: str) -> Checkpoint | None:
    """The checkpoint to go on from, None if there is none.

    Raises:
        JobError: it is damaged, or of another training.
    """
    if not path.is_file():
        return None
    arrays = load_arrays(path)
    progress, found = _state(arrays, path)
    if found != training:
        raise JobError(
            f"{path}: belongs to a training of another network or optimizer; give the job a "
            f"CheckpointConfig.S3Uri of its own"
        )
    return Checkpoint(
        progress,
        last=named_weights(_below("last/", arrays), path),
        best=named_weights(_below("best/", arrays), path),
        optimizer=_below("optimizer/", arrays),
    )


def _as_array(content: bytes) -> Array:
    # Not mx.nd.array(), which asks SciPy for a name that SciPy is about to drop.
    array = mx.nd.empty(len(content), dtype=np.uint8)
    array[:] = np.frombuffer(content, np.uint8)
    return array


def _state(arrays: Mapping[str, Array], path: Path) -> tuple[Progress, str]:
    try:
        state = json.loads(arrays[_STATE].asnumpy().tobytes())
        return Progress(tuple(map(float, state["scores"])), int(state["updates"])), str(state["training"])
    except (KeyError, TypeError, ValueError):
        raise JobError(f"{path}: is no checkpoint of this algorithm; empty the folder") from None


def _prefixed(prefix: str, weights: Weights) -> dict[str, Array]:
    return with_prefix(prefix + "arg:", weights.args) | with_prefix(prefix + "aux:", weights.aux)


def _below(prefix: str, arrays: Mapping[str, Array]) -> dict[str, Array]:
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
