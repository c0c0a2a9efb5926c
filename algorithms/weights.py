"""Weights by name, and the files that hold them."""

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from algorithms.engine import mx
from algorithms.graphs import Symbol
from processing_scripts.contract import JobError

Array = Any  # mxnet.nd.NDArray; MXNet has no type information
Initializer = Any  # mxnet.init.Initializer


@dataclass(frozen=True)
class Weights:
    """Learned parameters (`args`) and running statistics of batch normalisation (`aux`), by name."""

    args: Mapping[str, Array]
    aux: Mapping[str, Array]

    def copy(self) -> "Weights":
        """The values as they are now; later updates do not change them."""
        return Weights(_copied(self.args), _copied(self.aux))


NOTHING = Weights({}, {})


def fill(graph: Symbol, target: Weights, given: Weights, initializer: Initializer) -> None:
    """Set the weights of a graph to the given ones by name, and the rest by one of MXNet's initialisers."""
    attributes = graph.attr_dict()
    for arrays, values in ((target.args, given.args), (target.aux, given.aux)):
        for name, array in arrays.items():
            if name in values:
                array[:] = values[name]
            else:
                initializer(mx.init.InitDesc(name, attributes.get(name)), array)


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


def check_fit(graph: Symbol, weights: Weights, inputs: Mapping[str, tuple[int, ...]]) -> None:
    """Refuse weights that lack a parameter of the graph or have another shape than it.

    Raises:
        JobError: names the first such parameter.
    """
    shapes = _shapes(graph, inputs)
    available = {**weights.args, **weights.aux}
    for name, shape in shapes.items():
        if name in inputs:
            continue
        if name not in available:
            raise JobError(
                f"the model's parameter file lacks '{name}', which its graph needs; fetch the model again"
            )
        if available[name].shape != shape:
            raise JobError(
                f"the model's parameter '{name}' has the shape {available[name].shape}, its graph needs "
                f"{shape}"
            )


def _copied(arrays: Mapping[str, Array]) -> dict[str, Array]:
    return {name: array.copy() for name, array in arrays.items()}


def _without_prefix(arrays: Mapping[str, Array], prefix: str) -> dict[str, Array]:
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}


def _shapes(graph: Symbol, inputs: Mapping[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
    args, _, aux = graph.infer_shape(**inputs)
    names: list[Any] = [*graph.list_arguments(), *graph.list_auxiliary_states()]
    return dict(zip(names, [*args, *aux], strict=True))
