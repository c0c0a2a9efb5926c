"""What MXNet needs before anything imports it."""

import os

import numpy
import pytest

# The default graph of MXNet 1.9.1 can keep stale fused weights: the same checkpoint, other outputs.
os.environ["MXNET_SUBGRAPH_BACKEND"] = "NONE"
# Tests run side by side, and threads spin while they wait for each other: one a process is half the work.
os.environ["OMP_NUM_THREADS"] = "1"
# MXNet still uses the name that numpy 1.24 removed.
numpy.bool = bool


def pytest_configure(config: pytest.Config) -> None:
    """Let the two warnings pass that importing MXNet raises; every other warning stays an error."""
    config.addinivalue_line("filterwarnings", "ignore:In accordance with NEP 32:DeprecationWarning")
    config.addinivalue_line("filterwarnings", "ignore:distutils Version classes:DeprecationWarning")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the one long file: where files are spread over processes, nobody waits for it at the end."""
    items.sort(key=lambda item: "end_to_end" not in item.path.parts)
