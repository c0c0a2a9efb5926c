"""Pictures as the network sees them: the one place for colour order, size and normalisation.

A network input is float32 [3, H, W], channels in the order red, green, blue, values 0 to 255 as decoded. The
network's first layer (bn_data) does the normalising, so that mx.io.ImageRecordIter reads right inputs with no
option but data_shape. In training and validation a picture is cropped to H x W, after its shorter side has
been scaled to `resize` if the job says so; a request's picture is scaled to H x W without keeping its aspect,
as in SageMaker's image.
"""

from collections.abc import Mapping
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from algorithms.image_classification.settings import ImageShape
from processing_scripts.vision.images import Pixels, resize_shorter_side

Floats = NDArray[np.float32]

_BILINEAR = 1
_CROP = {"rand_crop": True, "rand_mirror": True}
_COLOR = {"random_h": 36, "random_s": 50, "random_l": 50}
_TRANSFORM = {"max_rotate_angle": 10, "max_shear_ratio": 0.1, "max_aspect_ratio": 0.25}
# Hyperparameter augmentation_type -> options of mx.io.ImageRecordIter.
AUGMENTATION: Final[Mapping[str | None, Mapping[str, object]]] = {
    None: {},
    "crop": _CROP,
    "crop_color": {**_CROP, **_COLOR},
    "crop_color_transform": {**_CROP, **_COLOR, **_TRANSFORM},
}


def iterator_options(augmentation_type: str | None, resize: int | None) -> dict[str, object]:
    """Options of mx.io.ImageRecordIter for training pictures; without augmentation it crops the centre."""
    scale = {} if resize is None else {"resize": resize}
    return {**AUGMENTATION[augmentation_type], **scale, "inter_method": _BILINEAR}


def centre_input(picture: Pixels, shape: ImageShape, resize: int | None) -> Floats:
    """The input for validation: the centre of a picture [H, W, 3] (blue, green, red), as MXNet cuts it."""
    if resize is not None:
        picture = resize_shorter_side(picture, resize)
    top, left = (picture.shape[0] - shape.height) // 2, (picture.shape[1] - shape.width) // 2
    return _input(picture[top : top + shape.height, left : left + shape.width])


def whole_input(picture: Pixels, shape: ImageShape) -> Floats:
    """The input for a request: the whole of a picture [H, W, 3] (blue, green, red)."""
    return _input(cv2.resize(picture, (shape.width, shape.height), interpolation=cv2.INTER_LINEAR))


def _input(bgr: NDArray[np.generic]) -> Floats:
    return np.ascontiguousarray(bgr[:, :, ::-1].transpose(2, 0, 1), dtype=np.float32)
