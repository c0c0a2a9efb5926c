"""What packing cannot beat: decoding and encoding alone, of pictures in memory, on as many cores.

    python -m benchmarks.codec_floor LIST ROOT [--threads 2] [--resize 256] [--quality 95]

Prints pictures per second as JSON: of the codec, and of the codec with the resizing between. OpenCV, which
brings libjpeg-turbo, does both here and in im2rec; memory is kept between pictures, as im2rec does.
"""

import argparse
import json
import statistics
import threading
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from processing_scripts.im2rec.lists import read_rows
from processing_scripts.parallel import map_in_order
from processing_scripts.vision.images import resize_shorter_side


def speed(work: Callable[[int], object], count: int, threads: int) -> float:
    """Pictures per second of this work over all pictures."""

    def share(first: int) -> None:
        for position in range(first, count, threads):
            work(position)

    running = [threading.Thread(target=share, args=(first,)) for first in range(threads)]
    start = time.perf_counter()
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    return count / (time.perf_counter() - start)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("list", type=Path)
    parser.add_argument("root", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--resize", type=int, default=256)
    parser.add_argument("--quality", type=int, default=95)
    parser.add_argument("--passes", type=int, default=3)
    options = parser.parse_args()
    files = [np.fromfile(options.root / row.path, np.uint8) for row in read_rows(options.list)]
    decoded = map_in_order(lambda data: cv2.imdecode(data, cv2.IMREAD_COLOR), files, workers=options.threads)
    resized = [resize_shorter_side(pixels, options.resize) for pixels in decoded]
    quality = [cv2.IMWRITE_JPEG_QUALITY, options.quality]

    def codec(position: int) -> object:
        cv2.imdecode(files[position], cv2.IMREAD_COLOR)
        return cv2.imencode(".jpg", resized[position], quality)

    def codec_and_resize(position: int) -> object:
        pixels = cv2.imdecode(files[position], cv2.IMREAD_COLOR)
        return cv2.imencode(".jpg", resize_shorter_side(pixels, options.resize), quality)

    speeds = {
        work.__name__: statistics.median(
            speed(work, len(files), options.threads) for _ in range(options.passes)
        )
        for work in (codec, codec_and_resize)
    }
    print(json.dumps(speeds))


if __name__ == "__main__":
    main()
