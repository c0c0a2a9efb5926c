"""Progress of long work as plain lines, for logs that are read while the job runs."""

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

INTERVAL_S = 2.0

Item = TypeVar("Item")


def tell(line: str) -> None:
    """Print a line at once, although the output is a pipe."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def with_progress(
    items: Iterable[Item], *, phase: str, total: int | None = None, unit: str = "pictures"
) -> Iterator[Item]:
    """Hand the items through; say how far they are about every two seconds, and the speed at the end."""
    of_total = "" if total is None else f" of {total}"
    start = last_told = time.monotonic()
    done = 0
    for item in items:
        yield item
        done += 1
        now = time.monotonic()
        if now - last_told >= INTERVAL_S and done != total:
            tell(f"{phase}: {done}{of_total} {unit}")
            last_told = now
    speed = done / max(time.monotonic() - start, 1e-6)
    tell(f"{phase}: {done}{of_total} {unit}, {speed:.0f} {unit}/s")
