"""The container's entry point: python -m algorithms.object_detection train | serve."""

import sys
from collections.abc import Callable

from algorithms import entry


def _train() -> Callable[[], None]:
    from algorithms.object_detection.training import train

    return train


def _serve() -> Callable[[], None]:
    from algorithms.object_detection.predictor import serve

    return serve


if __name__ == "__main__":
    sys.exit(entry.run("algorithms.object_detection", {"train": _train, "serve": _serve}))
