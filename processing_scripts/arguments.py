"""Command lines of jobs. A pipeline hands every parameter over as a string."""

import argparse
import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from processing_scripts.contract import JobError


@dataclass(frozen=True)
class ImageShape:
    """What a classification network takes, in the words of the algorithm's hyperparameter."""

    channels: int
    height: int  # pixels
    width: int

    def __str__(self) -> str:
        return f"{self.channels},{self.height},{self.width}"

    def fits_into(self, *, width: int, height: int) -> bool:
        """Whether it can be cut out of a picture of this size."""
        return width >= self.width and height >= self.height


class JobParser(argparse.ArgumentParser):
    """Reports a wrong argument as a JobError, so that it reaches the job's exit message."""

    def error(self, message: str) -> NoReturn:
        """Called by argparse for every fault."""
        raise JobError(f"{message}; {self.format_usage().strip()}")


def add_packing_arguments(parser: JobParser) -> None:
    """What every job that packs pictures takes, whatever the data set."""
    parser.add_argument("--quality", type=jpeg_quality, default=95, help="JPEG quality")
    parser.add_argument(
        "--keep-unchanged", action="store_true", help="pack JPEG files that have the size already as they are"
    )
    parser.add_argument("--max-unreadable-share", type=share, default=0.0)
    parser.add_argument("--workers", type=positive, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--timings", type=Path, metavar="FILE", help="where the time went, as JSON")


def whole_number(text: str) -> int:
    """0, 1, 2 ..."""
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f"{text} is below 0")
    return number


def positive(text: str) -> int:
    """1, 2, 3 ..."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is below 1")
    return number


def jpeg_quality(text: str) -> int:
    """1 to 100."""
    number = positive(text)
    if number > 100:
        raise argparse.ArgumentTypeError(f"{text} is above 100")
    return number


def share(text: str) -> float:
    """A number from 0 to 1."""
    number = float(text)
    if not (math.isfinite(number) and 0 <= number <= 1):
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 1")
    return number


def image_shape(text: str) -> ImageShape:
    """Such as 3,224,224: channels, height, width."""
    parts = [int(part) for part in text.split(",")]
    if len(parts) != 3 or min(parts) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not of the form channels,height,width")
    if parts[0] != 3:
        raise argparse.ArgumentTypeError(
            f"'{text}' has {parts[0]} channels; the records hold colour pictures, 3"
        )
    return ImageShape(*parts)
