"""The container's entry point: python -m algorithms.image_classification train | serve."""

import sys
from collections.abc import Callable

from algorithms import entry


def _train() -> Callable[[], None]:
    from algorithms.image_classification.training import train

    return train


def _serve() -> Callable[[], None]:
    from algorithms.image_classification.predictor import serve

    return serve


if __name__ == "__main__":
    sys.exit(entry.run("algorithms.image_classification", {"train": _train, "serve": _serve}))
