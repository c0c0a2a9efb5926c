"""Headers say what Pillow finds in the same files, and nothing of damaged ones."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from processing_scripts.vision.headers import Format, parse_header, read_header


def encoded(mode="RGB", size=(83, 67), kind="JPEG", **options):
    file = io.BytesIO()
    Image.new(mode, size, 7).save(file, kind, **options)
    return file.getvalue()


def exif(orientation, order="<"):
    tags = Image.Exif()
    tags[0x010E] = "a description, so that the orientation is not the first tag"
    tags[0x0112] = orientation
    tags.endian = order
    return tags.tobytes()


PROFILE = bytes(range(256)) * 700  # a colour profile of three segments

FILES = {
    "jpeg": (encoded(), 3, 8),
    "grey": (encoded("L"), 1, 8),
    "cmyk": (encoded("CMYK"), 4, 8),
    "progressive": (encoded(progressive=True), 3, 8),
    "restarts": (encoded(restart_marker_blocks=2), 3, 8),
    "profile": (encoded(icc_profile=PROFILE), 3, 8),
    "comment": (encoded(comment=b"\xff\xd8 and \xff\xc0 in a comment"), 3, 8),
    "png": (encoded(kind="PNG"), 3, 8),
    "png-grey": (encoded("L", kind="PNG"), 1, 8),
    "png-bits": (encoded("1", kind="PNG"), 1, 1),
    "png-16": (encoded("I;16", kind="PNG"), 1, 16),
    "png-transparent": (encoded("RGBA", kind="PNG"), 4, 8),
    "png-grey-transparent": (encoded("LA", kind="PNG"), 2, 8),
    "png-palette": (encoded("P", kind="PNG"), 3, 1),
    "png-profile": (encoded(kind="PNG", icc_profile=PROFILE), 3, 8),
}


@pytest.mark.parametrize("name", FILES)
def test_size_channels_and_bits_are_found(name):
    data, channels, bits = FILES[name]
    header = parse_header(data)
    assert header == read_header(io.BytesIO(data))
    assert (header.width, header.height) == (83, 67)
    assert (header.channels, header.bits, header.orientation) == (channels, bits, 1)
    assert header.format is (Format.PNG if name.startswith("png") else Format.JPEG)
    assert Image.open(io.BytesIO(data)).size == header.upright_size


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("orientation", [*range(1, 9), 0, 9, 70])
def test_the_orientation_is_that_of_exif(kind, order, orientation):
    data = encoded(kind=kind, exif=exif(orientation, order))
    header = parse_header(data)
    wanted = orientation if 1 <= orientation <= 8 else 1
    assert header.orientation == wanted
    assert header.upright_size == ((67, 83) if wanted >= 5 else (83, 67))


def test_a_header_is_read_without_the_picture():
    data = encoded(size=(900, 900), icc_profile=PROFILE)

    class Counting(io.BytesIO):
        count = 0

        def read(self, size=-1):
            found = super().read(size)
            self.count += len(found)
            return found

    short, long = Counting(encoded(size=(900, 900)) + bytes(1 << 20)), Counting(data + bytes(1 << 20))
    assert read_header(short).width == read_header(long).width == 900
    assert short.count == 4096
    assert len(PROFILE) < long.count < 2 * len(PROFILE)


@pytest.mark.parametrize("name", FILES)
def test_a_header_that_is_cut_short_is_none(name):
    data, _, _ = FILES[name]
    end = parse_header(data).end
    assert all(parse_header(data[:length]) is None for length in range(0, end, 7))
    assert all(read_header(io.BytesIO(data[:length])) is None for length in range(0, end, 977))


@given(st.sampled_from([data for data, _, _ in FILES.values()]), st.data())
def test_damaged_bytes_are_a_header_or_none(data, draw):
    damaged = bytearray(data)
    for _ in range(draw.draw(st.integers(1, 4))):
        start = draw.draw(st.integers(0, min(len(damaged), 200)))
        damaged[start : start + draw.draw(st.integers(0, 4))] = draw.draw(st.binary(max_size=4))
    header = parse_header(bytes(damaged))
    assert header == read_header(io.BytesIO(bytes(damaged)))
    if header is not None:
        assert header.width > 0
        assert header.height > 0
        assert 1 <= header.orientation <= 8
        assert 0 < header.end <= len(damaged)
