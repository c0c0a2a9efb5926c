"""Fingerprints of pictures: copies have nearly the same, in whatever size, quality and brightness.

A fingerprint is made of the picture's grey values, averaged over a square of few cells. Its hash is the
perceptual hash by the discrete cosine transform: 64 bits, each telling whether one of the lowest frequencies
is above their median. Hashes are searched fast; what they find is confirmed by the cells themselves.

The limits below come from benchmarks/copies_found.py, on 900 drawn pictures. Of copies encoded again at
quality 75 and 40, scaled by 0.5, 0.8 and 1.5, brightened by 15 grey values, blurred, with noise or
mirrored, hashes differ in at most 8 bits and cells correlate with 0.984 or more: all are found. So are 96 %
of those with 15 % more contrast, 69 % of those without 2 % of each side, and none without 5 %. Of 404,550
pairs of different pictures, 24 are within 8 bits, and none of these correlates with more than 0.92.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Self

import cv2
import numpy as np
from numpy.typing import NDArray

from processing_scripts.vision.headers import Format
from processing_scripts.vision.images import ImageError, imdecode, whole_header

# Cells on each side of the square that a picture is averaged over, and of the one that is remembered.
SIDE, REMEMBERED = 32, 16
FREQUENCIES = 8  # on each side: 64 bits
MAX_DISTANCE = 8  # bits
MIN_CORRELATION = 0.98
# A plain picture, such as the sky alone, has hardly more than noise in its hash: standard deviation of the
# remembered cells, of 256 grey values.
MIN_CONTRAST = 4.0

# The decoder makes a picture smaller for nearly nothing, but not below the cells.
_SHRINKS = {
    8: cv2.IMREAD_REDUCED_GRAYSCALE_8,
    4: cv2.IMREAD_REDUCED_GRAYSCALE_4,
    2: cv2.IMREAD_REDUCED_GRAYSCALE_2,
}
# A hostile picture is a pixel high and a million wide, and a hostile data set has every size.
_LONG_SIDE = 2048  # pixels, decoded
_SIZES_KEPT = 256  # each has 256 KB at most

Cells = NDArray[np.uint8]  # [32, 32], grey
Hashes = NDArray[np.uint64]


@dataclass(frozen=True, kw_only=True)
class Fingerprints:
    """Those of N pictures."""

    hashes: Hashes  # [N]
    mirrored: Hashes  # [N], those of the mirror images
    cells: Cells  # [N, 16, 16], grey

    @classmethod
    def of(cls, cells: Sequence[Cells]) -> Self:
        """The fingerprints of pictures by their 32 x 32 cells; there may be none."""
        stack = np.stack([*cells]) if cells else np.empty((0, SIDE, SIDE), np.uint8)
        frequencies = _COSINES @ stack.astype(np.float32) @ _COSINES.T  # [N, 8, 8]
        pairs = stack.reshape(len(stack), REMEMBERED, 2, REMEMBERED, 2)
        return cls(
            hashes=_hashes(frequencies),
            # Mirroring a picture turns the sign of every odd horizontal frequency.
            mirrored=_hashes(frequencies * np.where(np.arange(FREQUENCIES) % 2, -1, 1)),
            cells=np.rint(pairs.mean(axis=(2, 4), dtype=np.float32)).astype(np.uint8),
        )

    @classmethod
    def joined(cls, parts: Sequence["Fingerprints"]) -> "Fingerprints":
        """Several as one; there may be none."""
        parts = [*parts] or [cls.of([])]
        return cls(
            hashes=np.concatenate([part.hashes for part in parts]),
            mirrored=np.concatenate([part.mirrored for part in parts]),
            cells=np.concatenate([part.cells for part in parts]),
        )

    def are_plain(self) -> NDArray[np.bool_]:
        """[N], whether there is too little in a picture to tell it from others."""
        deviations = self.cells.reshape(-1, REMEMBERED**2).std(axis=1, dtype=np.float32)
        return np.asarray(deviations < MIN_CONTRAST, np.bool_)


def grey_cells(data: bytes, *, source: str) -> tuple[Cells, tuple[int, int]]:
    """A picture's grey values averaged over 32 x 32 cells; and its width and height in pixels.

    A JPEG file is decoded at an eighth of each side, if it is large enough. The decoder reads every byte all
    the same, and so stops where a full decode would.

    Args:
        data: a JPEG or PNG file.
        source: its name in messages.

    Raises:
        ImageError: the one that `decode_image` raises.
    """
    header = whole_header(data, source=source)
    width, height = header.width, header.height
    shrink = 1
    # OpenCV decodes other files whole, and then takes every n-th pixel, which is no average.
    if header.format is Format.JPEG:
        shrink = next((by for by in _SHRINKS if min(width, height) >= by * SIDE), 1)
    mode = _SHRINKS.get(shrink, cv2.IMREAD_GRAYSCALE) | cv2.IMREAD_IGNORE_ORIENTATION
    grey = imdecode(data, mode, source)
    if grey.shape != (-(-height // shrink), -(-width // shrink)):
        raise ImageError(source, f"says {width} x {height} pixels, and has more or fewer")
    return _averaged(grey.astype(np.uint8, copy=False), height / shrink, width / shrink), (width, height)


def _averaged(grey: NDArray[np.uint8], height: float, width: float) -> Cells:
    """The cells of a decoded picture; of its last row and column a part may lie outside the picture."""
    if max(grey.shape) > _LONG_SIDE:
        height, width = (min(side, _LONG_SIDE) for side in grey.shape)
        grey = cv2.resize(grey, (width, height), interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    rows, columns = _weights(height, grey.shape[0]), _weights(width, grey.shape[1])
    cells = rows @ grey.astype(np.float32) @ columns.T
    return np.asarray(np.rint(cells), np.uint8)


def correlations(left: Cells, right: Cells) -> NDArray[np.float32]:
    """[N], how the cells of two pictures go together: 1 if they differ in brightness and contrast at most.

    Args:
        left, right: [N, 16, 16] each, none of them plain.
    """
    normal = [_normal(cells) for cells in (left, right)]
    return np.asarray(np.einsum("ij,ij->i", *normal), np.float32)


def _normal(cells: Cells) -> NDArray[np.float32]:
    rows = cells.reshape(len(cells), -1).astype(np.float32)
    rows -= rows.mean(axis=1, keepdims=True)
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


@lru_cache(maxsize=_SIZES_KEPT)
def _weights(side: float, pixels: int) -> NDArray[np.float32]:
    """[32, pixels], what each decoded pixel of a side counts in each cell.

    The last pixel may lie in the picture in part only, and any pixel in a cell in part only: without that,
    copies of different size would not have the same cells.
    """
    edges = np.arange(SIDE + 1) * (side / SIDE)
    starts = np.arange(pixels)
    covered = np.minimum(edges[1:, None], starts + 1) - np.maximum(edges[:-1, None], starts)
    weights = np.clip(covered, 0, None)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), np.float32)


def _cosines() -> NDArray[np.float32]:
    """[8, 32], the first rows of the orthonormal discrete cosine transform (DCT-II)."""
    frequency, cell = np.arange(FREQUENCIES)[:, None], np.arange(SIDE)
    waves = np.cos(np.pi / SIDE * (cell + 0.5) * frequency) * np.sqrt(2 / SIDE)
    waves[0] /= np.sqrt(2)
    return np.asarray(waves, np.float32)


_COSINES = _cosines()
_BITS = np.uint64(1) << np.arange(FREQUENCIES**2, dtype=np.uint64)


def _hashes(frequencies: NDArray[np.float32]) -> Hashes:
    """[N], from the frequencies [N, 8, 8]."""
    rows = frequencies.reshape(-1, FREQUENCIES**2)
    # The first is the mean, far above the others.
    above = rows > np.median(rows[:, 1:], axis=1, keepdims=True)
    return np.asarray((above * _BITS).sum(axis=1, dtype=np.uint64))
