"""Whether im2rec needs more memory for longer lists.

    python -m benchmarks.list_memory [--rows 10000 100000 1000000]

Packs one small picture again and again, once scaled and once passed through, and prints the greatest memory
of each process as JSON. Making a list is another matter: it has to mix all names.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np

MEASURED = """
import resource, sys
from processing_scripts.jobs import im2rec
code = im2rec.main(sys.argv[1:])
whose = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
print(max(resource.getrusage(who).ru_maxrss for who in whose), file=sys.stderr)
sys.exit(code)
"""


def peak_mib(arguments: list[str]) -> float:
    """The greatest memory of a run."""
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, *arguments], check=True, capture_output=True, text=True
    )
    return int(done.stderr.split()[-1]) / 1024


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    options = parser.parse_args()
    found: dict[str, dict[int, float]] = {"scaled": {}, "passed through": {}}
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        pixels = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
        cv2.imwrite(str(root / "a.jpg"), cv2.GaussianBlur(pixels, (9, 9), 3))
        for rows in options.rows:
            with (root / "set.lst").open("w") as file:
                file.writelines(f"{row}\t0\ta.jpg\n" for row in range(rows))
            arguments = [str(root / "set"), str(root)]
            found["scaled"][rows] = peak_mib([*arguments, "--resize", "32"])
            found["passed through"][rows] = peak_mib([*arguments, "--pass-through"])
            (root / "set.rec").unlink()
    print(json.dumps({"peak_mib": found}, indent=2))
    growth = {name: by_rows[options.rows[-1]] / by_rows[options.rows[0]] for name, by_rows in found.items()}
    for name, ratio in growth.items():
        print(
            f"{name}: {options.rows[-1] // options.rows[0]} times the rows take {ratio:.2f} times the memory"
        )
    sys.exit(any(ratio > 1.25 for ratio in growth.values()))


if __name__ == "__main__":
    main()
