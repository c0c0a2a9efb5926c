"""How many altered copies of pictures are found, and how many different ones are mistaken for copies.

    python -m benchmarks.copies_found [--images 60]

The pictures are drawn: birds of five species and things of twelve classes, `--images` of each. The limits in
processing_scripts/vision/fingerprints.py rest on these figures. Prints a table and JSON; exit code 1 where a
picture is mistaken for another's copy.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from processing_scripts.vision.copies import find_copies
from processing_scripts.vision.fingerprints import MAX_DISTANCE, Fingerprints, correlations, grey_cells
from processing_scripts.vision.images import Pixels, decode_image, encode_jpeg, mirror_image
from samples import birds, caltech

Alter = Callable[[Pixels], bytes]


def scaled(by: float, quality: int = 90) -> Alter:
    """Another size."""
    method = cv2.INTER_AREA if by < 1 else cv2.INTER_CUBIC
    return lambda pixels: encode_jpeg(
        cv2.resize(pixels, None, fx=by, fy=by, interpolation=method), quality=quality
    )


def exposed(change: Callable[[np.ndarray], np.ndarray]) -> Alter:
    """Other grey values, cut where they leave the range."""
    return lambda pixels: encode_jpeg(np.clip(change(pixels.astype(float)), 0, 255).astype(np.uint8))


def cropped(share: float) -> Alter:
    """Without a strip of that share of the side at every edge."""

    def crop(pixels: Pixels) -> bytes:
        top, left = (round(share * side) for side in pixels.shape[:2])
        return encode_jpeg(np.ascontiguousarray(pixels[top:-top, left:-left]))

    return crop


def noisy(pixels: np.ndarray) -> np.ndarray:
    """Noise of 8 grey values in every channel."""
    return pixels + np.random.default_rng(0).normal(0, 8, pixels.shape)


ALTERATIONS: dict[str, Alter] = {
    "JPEG quality 75": lambda pixels: encode_jpeg(pixels, quality=75),
    "JPEG quality 40": lambda pixels: encode_jpeg(pixels, quality=40),
    "half the size": scaled(0.5),
    "0.8 of the size": scaled(0.8),
    "1.5 of the size": scaled(1.5),
    "15 grey values brighter": exposed(lambda pixels: pixels + 15),
    "15 % more contrast": exposed(lambda pixels: pixels * 1.15),
    "gamma 0.8": exposed(lambda pixels: 255 * (pixels / 255) ** 0.8),
    "blurred": lambda pixels: encode_jpeg(cv2.GaussianBlur(pixels, (5, 5), 0)),
    "noise": exposed(noisy),
    "cropped by 2 %": cropped(0.02),
    "cropped by 5 %": cropped(0.05),
    "mirrored": lambda pixels: encode_jpeg(mirror_image(pixels)),
    "mirrored, 0.8 of the size": lambda pixels: scaled(0.8, 75)(mirror_image(pixels)),
}


def fingerprints(files: list[bytes]) -> Fingerprints:
    """Those of encoded pictures."""
    return Fingerprints.of([grey_cells(data, source="drawn")[0] for data in files])


def some(prints: Fingerprints, part: slice) -> Fingerprints:
    """Part of them."""
    return Fingerprints(hashes=prints.hashes[part], mirrored=prints.mirrored[part], cells=prints.cells[part])


def compare(altered: Fingerprints, originals: Fingerprints, *, mirrored: bool) -> dict[str, float]:
    """How many of the copies, which stand in the order of their originals, are found; and the least alike."""
    hashes, cells = altered.hashes, altered.cells
    if mirrored:
        hashes, cells = altered.mirrored, cells[:, :, ::-1]
    distances = np.array([int(bits).bit_count() for bits in hashes ^ originals.hashes])
    right = [copy.position == copy.original for copy in find_copies(altered, originals, mirrored=mirrored)]
    return {
        "found": round(sum(right) / len(hashes), 4),
        "by_hash_alone": round(float((distances <= MAX_DISTANCE).mean()), 4),
        "most_bits": int(distances.max()),
        "least_correlation": round(float(correlations(cells, originals.cells).min()), 4),
    }


def different(prints: Fingerprints) -> dict[str, float]:
    """Of all pairs of different pictures: within the limit by their hash, and mistaken for copies."""
    left, right = np.triu_indices(len(prints.hashes), 1)
    distances = np.array([int(bits).bit_count() for bits in prints.hashes[left] ^ prints.hashes[right]])
    is_near = distances <= MAX_DISTANCE
    alike = correlations(prints.cells[left[is_near]], prints.cells[right[is_near]])
    halves = [some(prints, slice(0, None, 2)), some(prints, slice(1, None, 2))]
    return {
        "pairs": len(left),
        "near_by_hash": int(is_near.sum()),
        "largest_correlation_of_these": round(float(alike.max(initial=0)), 4),
        "mistaken": sum(len(find_copies(*halves, mirrored=mirrored)) for mirrored in (False, True)),
        "fewest_bits_of_own_mirror_image": min(
            int(bits).bit_count() for bits in prints.hashes ^ prints.mirrored
        ),
    }


def draw(folder: Path, images: int) -> list[bytes]:
    """Encoded pictures, no two alike."""
    birds.publish(folder / "birds", images_per_species=images, seed=0)
    caltech.publish(folder / "things", classes=12, images_per_class=images, seed=0)
    return [path.read_bytes() for path in sorted(folder.rglob("*.jpg"))]


def main() -> int:
    """Measure, print, and return the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=60)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        files = draw(Path(folder), options.images)
    originals = fingerprints(files)
    pictures = [decode_image(data, source="drawn") for data in files]
    figures = {
        name: compare(
            fingerprints([alter(pixels) for pixels in pictures]), originals, mirrored="mirrored" in name
        )
        for name, alter in ALTERATIONS.items()
    }
    others = different(originals)
    for name, each in figures.items():
        print(
            f"{name:26} found {each['found']:7.2%}  by hash alone {each['by_hash_alone']:7.2%}  "
            f"at most {each['most_bits']:2} bits  correlation {each['least_correlation']:.4f} or more"
        )
    print(json.dumps({"pictures": len(files), "copies": figures, "different": others}))
    return int(others["mistaken"] > 0)


if __name__ == "__main__":
    sys.exit(main())
