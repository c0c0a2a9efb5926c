"""The container's entry point: IMAGE train | serve."""

import argparse
import os
import signal
import sys
from collections.abc import Callable, Mapping
from types import FrameType

from algorithms import logs
from processing_scripts import contract


def run(program: str, commands: Mapping[str, Callable[[], Callable[[], None]]]) -> int:
    """Do what the container's argument says; returns the exit code.

    Args:
        program: the module, for the help text.
        commands: argument -> gives the job to run. It imports what the job needs, because MXNet takes
            seconds, which a wrong argument need not wait for.
    """
    parser = argparse.ArgumentParser(prog=f"python -m {program}", description=__doc__)
    parser.add_argument("command", choices=sorted(commands, reverse=True))
    command = parser.parse_args().command
    logs.start(command)
    if command == "serve":
        # OpenMP's threads wait for each other by spinning. One picture has little to share out between two,
        # and beside other work on the same cores they made one answer take 400 ms instead of 5.
        os.environ.setdefault("OMP_NUM_THREADS", "1")
    # SageMaker stops a job by SIGTERM. Raised as an exception it leaves no half-written file behind.
    signal.signal(signal.SIGTERM, _stop)
    return contract.run_training(commands[command]())


def _stop(number: int, _frame: FrameType | None) -> None:
    sys.exit(128 + number)
