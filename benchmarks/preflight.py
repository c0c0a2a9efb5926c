"""How long a check takes: all pipelines without data, with the service's model loaded once.

    python -m benchmarks.preflight

Prints lines and JSON; exit code 1 where a figure is worse than its limit.
"""

import json
import statistics
import sys
import time
from pathlib import Path

from workflows.preflight.checking import Question, check
from workflows.preflight.prices import read_prices
from workflows.preflight.service import sagemaker

ROUNDS = 10
LIMIT_S = 0.5  # of both pipelines that train from the beginning
PIPELINES = ("birds-detection", "caltech-classification")

_GOLDEN = Path(__file__).parents[1] / "tests" / "golden"


def seconds(text: str) -> float:
    """Median time of a check."""
    question = Question(text=text, prices=read_prices())
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        check(question)
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def main() -> int:
    """Measure, print, and return the exit code."""
    start = time.perf_counter()
    sagemaker()
    loaded = time.perf_counter() - start
    each = {name: seconds((_GOLDEN / f"{name}.json").read_text(encoding="utf-8")) for name in PIPELINES}
    figures = {
        "model_s": round(loaded, 3),
        **{f"{name}_s": round(value, 4) for name, value in each.items()},
        "together_s": round(sum(each.values()), 4),
    }
    print(f"loading the service's model once: {loaded:.3f} s")
    for name, value in each.items():
        print(f"{name}: {value * 1000:.1f} ms, median of {ROUNDS}")
    print(json.dumps(figures))
    return int(figures["together_s"] > LIMIT_S)


if __name__ == "__main__":
    sys.exit(main())
