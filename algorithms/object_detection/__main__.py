"""The container's entry point: python -m algorithms.object_detection train | serve."""

import argparse
import signal
import sys
from types import FrameType

from algorithms import logs
from processing_scripts import contract


def main() -> int:
    """Do what the container's argument says; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m algorithms.object_detection", description=__doc__)
    parser.add_argument("command", choices=("train", "serve"))
    command = parser.parse_args().command
    logs.start(command)
    # SageMaker stops a job by SIGTERM. Raised as an exception it leaves no half-written file behind.
    signal.signal(signal.SIGTERM, _stop)
    # Imported late: MXNet takes seconds, which a wrong argument need not wait for.
    if command == "train":
        from algorithms.object_detection.training import train

        return contract.run_training(train)
    from algorithms.object_detection.predictor import serve

    return contract.run_training(serve)


def _stop(number: int, _frame: FrameType | None) -> None:
    sys.exit(128 + number)


if __name__ == "__main__":
    sys.exit(main())
