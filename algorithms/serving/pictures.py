"""Requests that carry one picture."""

from algorithms.serving.server import UnusableRequest
from processing_scripts.vision.images import ImageError, Pixels, decode_image

CONTENT_TYPES = frozenset({"image/jpeg", "image/png", "application/x-image"})


def decode_body(body: bytes) -> Pixels:
    """The picture in a request, [height, width, 3], blue, green, red.

    Raises:
        UnusableRequest: the body is no picture that can be decoded.
    """
    try:
        return decode_image(body, source="the request's body")
    except ImageError as error:
        raise UnusableRequest(str(error)) from None
