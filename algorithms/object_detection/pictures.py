"""Pictures as the network sees them: the one place for colour order, size and normalisation.

A network input is float32 [3, S, S], channels in the order red, green, blue, each minus the mean of ImageNet
(standard deviation 1, as in the networks of MXNet's model gallery). The picture is stretched to the square
without keeping its aspect, by bilinear interpolation. Training takes its pictures from MXNet's own iterator,
which gets the same values from ITERATOR_OPTIONS; validation and serving call `to_input`.
"""

from collections.abc import Mapping
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from processing_scripts.vision.images import Pixels

MEAN_RGB: Final = (123.68, 116.779, 103.939)
ITERATOR_OPTIONS: Final[Mapping[str, object]] = {
    "mean_r": MEAN_RGB[0],
    "mean_g": MEAN_RGB[1],
    "mean_b": MEAN_RGB[2],
    "resize_mode": "force",
    "inter_method": 1,  # bilinear
}

_SIGNATURES = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")


def is_picture(encoded: bytes) -> bool:
    """Whether the bytes begin as a JPEG or PNG file does."""
    return encoded.startswith(_SIGNATURES)


def to_input(picture: Pixels, side: int) -> NDArray[np.float32]:
    """The network's input, [3, side, side], of a decoded picture [H, W, 3] (blue, green, red)."""
    square = cv2.resize(picture, (side, side), interpolation=cv2.INTER_LINEAR)
    rgb = square[:, :, ::-1].astype(np.float32) - np.array(MEAN_RGB, dtype=np.float32)
    return np.ascontiguousarray(rgb.transpose(2, 0, 1))
