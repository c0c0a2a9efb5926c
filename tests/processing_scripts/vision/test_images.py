import io
import struct
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from processing_scripts.vision.images import (
    MAX_PIXELS,
    ImageError,
    check_image,
    decode_image,
    encode_jpeg,
    read_size,
    resize_shorter_side,
)


def saved(image, kind="JPEG", **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def gradient(width, height):
    """Red grows to the right, green downwards."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[..., 2] = np.linspace(0, 255, width)[None, :]
    pixels[..., 1] = np.linspace(0, 255, height)[:, None]
    return pixels


def picture(width=60, height=40):
    return Image.fromarray(gradient(width, height)[..., ::-1].copy())


def png_header(width, height):
    """A PNG file that claims a size and holds nothing."""
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)), (b"IEND", b"")]
    body = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + body


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(saved(picture()), id="jpeg"),
        pytest.param(saved(picture(), progressive=True), id="progressive-jpeg"),
        pytest.param(saved(picture(), "PNG"), id="png"),
        pytest.param(saved(picture().quantize(256), "PNG"), id="palette-png"),
        pytest.param(saved(picture()) + b"bytes behind the end", id="bytes-behind-the-end"),
    ],
)
def test_pictures_become_three_channels_of_the_size_in_their_header(data):
    pixels = decode_image(data, source="a.jpg")
    assert pixels.dtype == np.uint8
    assert read_size(io.BytesIO(data), source="a.jpg") == check_image(data, source="a.jpg") == (60, 40)
    assert pixels.shape == (40, 60, 3)
    assert np.abs(pixels.astype(int) - gradient(60, 40)).mean() < 8


@pytest.mark.parametrize("mode", [pytest.param("L", id="grey"), pytest.param("CMYK", id="cmyk")])
def test_other_colour_models_become_blue_green_red(mode):
    converted = picture().convert(mode)
    pixels = decode_image(saved(converted, quality=95), source="a.jpg")
    expected = np.asarray(converted.convert("RGB"))[..., ::-1].astype(int)
    assert pixels.shape == (40, 60, 3)
    assert np.abs(pixels - expected).mean() < 6


def test_an_orientation_tag_turns_neither_pixels_nor_size():
    exif = Image.Exif()
    exif[0x0112] = 6  # "turn by 90 degrees for display"
    data = saved(picture(), exif=exif)
    assert cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR).shape == (60, 40, 3)
    assert read_size(io.BytesIO(data), source="a.jpg") == (60, 40)
    assert decode_image(data, source="a.jpg").shape == (40, 60, 3)


def with_thumbnail(data):
    """A picture whose header carries a whole JPEG file, end marker included."""
    exif = b"Exif\x00\x00" + saved(picture(16, 16))
    return data[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + data[2:]


def without_segment(data, marker):
    """A JPEG file whose first segment of a kind is left out."""
    start = data.index(bytes([0xFF, marker]))
    return data[:start] + data[start + 2 + int.from_bytes(data[start + 2 : start + 4], "big") :]


JPEG = saved(picture(300, 200), quality=95)
PNG = saved(picture(300, 200), "PNG")


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        pytest.param(b"", "is not a readable JPEG or PNG file", id="empty"),
        pytest.param(b"<html>not found</html>", "is not a readable JPEG or PNG file", id="web-page"),
        pytest.param(saved(picture(), "BMP"), "is not a readable JPEG or PNG file", id="other-format"),
        pytest.param(JPEG[: len(JPEG) * 2 // 3], "is cut short", id="truncated-jpeg"),
        pytest.param(with_thumbnail(JPEG)[:-900], "is cut short", id="truncated-jpeg-with-thumbnail"),
        pytest.param(JPEG[:-2], "is cut short", id="jpeg-without-end-marker"),
        pytest.param(PNG[: len(PNG) // 2], "is cut short", id="truncated-png"),
        pytest.param(
            png_header(60_000, 60_000),
            f"has 60000 x 60000 pixels, more than {MAX_PIXELS}",
            id="decompression-bomb",
        ),
        pytest.param(png_header(9_000, 9_000), "has 9000 x 9000 pixels, more than", id="just-too-large"),
        pytest.param(png_header(200, 100), "cannot be decoded", id="png-without-data"),
        pytest.param(without_segment(JPEG, 0xDB), "cannot be decoded", id="jpeg-without-quantisation"),
    ],
)
@pytest.mark.parametrize(
    "read", [pytest.param(decode_image, id="decode"), pytest.param(check_image, id="check")]
)
def test_what_is_not_a_whole_picture_is_refused_with_its_name(read, data, fault):
    with pytest.raises(ImageError) as raised:
        read(data, source="folder/a.jpg")
    assert str(raised.value).startswith(f"folder/a.jpg: {fault}")


WHOLE = [
    saved(picture(83, 67).convert(mode), **options)
    for mode in ("RGB", "L", "CMYK")
    for options in ({}, {"progressive": True}, {"restart_marker_blocks": 3}, {"subsampling": 0})
] + [saved(picture(83, 67).convert(mode), "PNG") for mode in ("RGB", "L", "P", "RGBA")]


@st.composite
def damaged_pictures(draw):
    """Whole files with some bytes changed, taken out, or put in, mostly in the header."""
    data = bytearray(draw(st.sampled_from(WHOLE)))
    for _ in range(draw(st.integers(1, 3))):
        last = len(data) - 1
        start = draw(st.integers(0, min(last, 640)) | st.integers(0, last))
        end = draw(st.integers(start, start + 8))
        marker = st.integers(0xC0, 0xFE).map(lambda code: bytes([0xFF, code]))
        data[start:end] = draw(st.binary(max_size=8) | marker)
    return bytes(data)


def fault_of(read, data):
    try:
        read(data, source="a.jpg")
    except ImageError as error:
        return error.fault
    return None


@settings(max_examples=400, deadline=None)
@given(damaged_pictures())
def test_checking_finds_the_faults_that_decoding_finds(data):
    assert fault_of(check_image, data) == fault_of(decode_image, data)


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        pytest.param((500, 333), (384, 256), id="landscape"),  # 500 * 256 // 333 = 384
        pytest.param((333, 500), (256, 384), id="portrait"),
        pytest.param((400, 400), (256, 256), id="square"),
        pytest.param((100, 50), (512, 256), id="enlarged"),
    ],
)
def test_the_shorter_side_is_set_and_the_other_rounded_down(size, expected):
    resized = resize_shorter_side(gradient(*size), 256)
    assert (resized.shape[1], resized.shape[0]) == expected


def test_a_picture_too_long_for_jpeg_is_refused():
    with pytest.raises(ValueError, match="4000 x 2 pixels become 512000 x 256"):
        resize_shorter_side(np.zeros((2, 4000, 3), np.uint8), 256)


def test_encoding_keeps_the_picture():
    pixels = gradient(80, 50)
    decoded = decode_image(encode_jpeg(pixels, quality=95), source="a.jpg")
    assert np.abs(decoded.astype(int) - pixels).mean() < 3
    assert len(encode_jpeg(pixels, quality=20)) < len(encode_jpeg(pixels, quality=95))


def test_a_mirrored_view_is_encoded_like_a_copy():
    pixels = gradient(80, 50)
    assert encode_jpeg(pixels[:, ::-1]) == encode_jpeg(pixels[:, ::-1].copy())
