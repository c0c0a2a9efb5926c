"""Log lines in the form of SageMaker's MXNet images; the service reads numbers in them."""

import logging
import sys

_FORMAT = "[%(asctime)s %(levelname)s %(thread)d] %(message)s"


def start(argument: str) -> None:
    """Send log records to standard output and write the container's first line.

    Args:
        argument: what the container was started with, train or serve.
    """
    print(f"Docker entrypoint called with argument(s): {argument}", flush=True)  # noqa: T201  # has no prefix there
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(logging.Formatter(_FORMAT, datefmt="%m/%d/%Y %H:%M:%S"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
