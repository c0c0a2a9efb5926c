"""Weights by name, and the files that hold them."""

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from algorithms.engine import mx
from processing_scripts.contract import JobError

Array = Any  # mxnet.nd.NDArray; MXNet has no type information


@dataclass(frozen=True)
class Weights:
    """Learned parameters (`args`) and running statistics of batch normalisation (`aux`), by name."""

    args: Mapping[str, Array]
    aux: Mapping[str, Array]

    def copy(self) -> "Weights":
        """The values as they are now; later updates do not change them."""
        return Weights(_copied(self.args), _copied(self.aux))


NOTHING = Weights({}, {})


def load_weights(path: Path) -> Weights:
    """Read an MXNet .params file as mx.model.save_checkpoint writes it.

    Raises:
        JobError: the file is damaged or holds something else.
    """
    return named_weights(load_arrays(path), path)


def named_weights(arrays: Mapping[str, Array], path: Path) -> Weights:
    """Tell parameters from statistics by MXNet's prefixes `arg:` and `aux:`; other arrays are left out."""
    found = Weights(_without_prefix(arrays, "arg:"), _without_prefix(arrays, "aux:"))
    if not found.args:
        raise JobError(f"{path}: holds no parameters (names that begin with 'arg:')")
    return found


def save_weights(weights: Weights, path: Path) -> None:
    """Write a .params file that appears whole or not at all."""
    save_arrays({**with_prefix("arg:", weights.args), **with_prefix("aux:", weights.aux)}, path)


def with_prefix(prefix: str, arrays: Mapping[str, Array]) -> dict[str, Array]:
    """The arrays under prefixed names."""
    return {prefix + name: array for name, array in arrays.items()}


def load_arrays(path: Path) -> dict[str, Array]:
    """Read named arrays.

    Raises:
        JobError: the file is damaged or holds arrays without names.
    """
    try:
        arrays = mx.nd.load(str(path))
    except mx.base.MXNetError:
        raise JobError(f"{path}: damaged, or not an MXNet parameter file; fetch it again") from None
    if not isinstance(arrays, dict):
        raise JobError(f"{path}: holds arrays without names; expected a parameter file of MXNet's Module")
    return arrays


def save_arrays(arrays: Mapping[str, Array], path: Path) -> None:
    """Write named arrays to a file that appears whole or not at all.

    Raises:
        JobError: the disk is full.
    """
    # MXNet writes to a path only. Beside the target, because a rename does not cross file systems.
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, partial = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".partial")
    os.close(handle)
    try:
        mx.nd.save(partial, dict(arrays))
        Path(partial).chmod(0o644)  # mkstemp makes files that only their owner reads
        Path(partial).replace(path)
    except mx.base.MXNetError:
        raise JobError(f"{path}: cannot be written; is the volume full?") from None
    finally:
        Path(partial).unlink(missing_ok=True)


def _copied(arrays: Mapping[str, Array]) -> dict[str, Array]:
    return {name: array.copy() for name, array in arrays.items()}


def _without_prefix(arrays: Mapping[str, Array], prefix: str) -> dict[str, Array]:
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
