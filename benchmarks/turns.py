"""Measures training speeds side by side, and compares the first side with the second."""

import json
import statistics
import time
from collections.abc import Callable, Mapping

TARGET = 0.9


def pictures_per_s(epoch: Callable[[], int]) -> float:
    """The speed of one epoch."""
    started = time.perf_counter()
    pictures = epoch()
    return pictures / (time.perf_counter() - started)


def measure(sides: Mapping[str, Callable[[], int]], rounds: int) -> dict[str, list[float]]:
    """The speeds of every side, one for each round; the sides take turns."""
    for epoch in sides.values():
        epoch()  # the first pass chooses convolution kernels and allocates
    speeds: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, epoch in sides.items():
            speeds[name].append(pictures_per_s(epoch))
    return speeds


def verdict(speeds: Mapping[str, list[float]]) -> int:
    """Print the speeds of `ours`, `bare` and others as JSON and in one line; exit code 1 below the target."""
    medians = {name: round(statistics.median(values), 1) for name, values in speeds.items()}
    # Round by round, since a busy machine changes its speed from one round to the next.
    ratio = statistics.median(a / b for a, b in zip(speeds["ours"], speeds["bare"], strict=True))
    print(json.dumps({"pictures_per_s": medians, "ratio": round(ratio, 3), "target": TARGET}))
    print(f"ours {medians['ours']} pictures/s, bare MXNet {medians['bare']}: {ratio:.2f} of its speed")
    return 0 if ratio >= TARGET else 1
