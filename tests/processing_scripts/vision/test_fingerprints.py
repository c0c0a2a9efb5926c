"""Fingerprints and the copies that they find, on drawn pictures."""

import cv2
import numpy as np
import pytest

from processing_scripts.vision.copies import find_copies
from processing_scripts.vision.fingerprints import Fingerprints, grey_cells
from processing_scripts.vision.images import ImageError, decode_image, encode_jpeg, mirror_image


def of(files):
    return Fingerprints.of([grey_cells(data, source="picture")[0] for data in files])


def scaled(pixels, by):
    return cv2.resize(pixels, None, fx=by, fy=by, interpolation=cv2.INTER_AREA if by < 1 else cv2.INTER_CUBIC)


def plain(grey, seed=0):
    noise = np.random.default_rng(seed).integers(-3, 4, (240, 320, 3))
    return np.clip(grey + noise, 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def drawn(drawn_birds, drawn_things):
    """Files of drawn pictures, no two alike."""
    return [path.read_bytes() for root in (drawn_birds, drawn_things) for path in sorted(root.rglob("*.jpg"))]


@pytest.fixture(scope="module")
def pixels(drawn):
    return [decode_image(data, source="drawn") for data in drawn[::3]]


ALTERATIONS = [
    pytest.param(lambda picture: encode_jpeg(picture, quality=40), id="encoded-again"),
    pytest.param(lambda picture: encode_jpeg(scaled(picture, 0.5)), id="half-the-size"),
    pytest.param(lambda picture: encode_jpeg(scaled(picture, 0.9)), id="a-little-smaller"),
    pytest.param(lambda picture: encode_jpeg(scaled(picture, 1.4)), id="larger"),
    pytest.param(lambda picture: encode_jpeg(cv2.add(picture, np.full_like(picture, 10))), id="brighter"),
    pytest.param(lambda picture: encode_jpeg(cv2.GaussianBlur(picture, (5, 5), 0)), id="blurred"),
    pytest.param(lambda picture: cv2.imencode(".png", picture)[1].tobytes(), id="as-png"),
]


@pytest.mark.parametrize("alter", ALTERATIONS)
def test_an_altered_copy_is_found_among_other_pictures(drawn, pixels, alter):
    copies = find_copies(of([alter(picture) for picture in pixels]), of(drawn))
    assert [copy.original for copy in copies] == [3 * position for position in range(len(pixels))]


@pytest.mark.parametrize("alter", ALTERATIONS)
def test_an_altered_mirror_image_is_found_where_it_is_asked_for(drawn, pixels, alter):
    altered = of([alter(mirror_image(picture)) for picture in pixels])
    assert find_copies(altered, of(drawn)) == []
    copies = find_copies(altered, of(drawn), mirrored=True)
    assert [copy.original for copy in copies] == [3 * position for position in range(len(pixels))]


def test_different_pictures_are_no_copies_of_each_other(drawn):
    for half in (0, 1):
        for mirrored in (False, True):
            assert find_copies(of(drawn[half::2]), of(drawn[1 - half :: 2]), mirrored=mirrored) == []


def test_plain_pictures_are_no_copies():
    skies = of([encode_jpeg(plain(grey, seed=grey)) for grey in (120, 121, 122)])
    assert skies.are_plain().all()
    assert find_copies(skies, skies) == []


def test_the_nearest_of_several_copies_is_named(pixels):
    picture = pixels[0]
    originals = of([encode_jpeg(scaled(picture, 0.5), quality=30), encode_jpeg(picture)])
    (copy,) = find_copies(of([encode_jpeg(picture)]), originals)
    assert (copy.original, copy.distance) == (1, 0)
    assert copy.correlation == pytest.approx(1)


def test_one_copy_is_found_for_each_of_many_pictures_that_are_the_same(pixels):
    same = of([encode_jpeg(pixels[0])] * 200)
    assert [copy.position for copy in find_copies(same, same)] == list(range(200))


def test_no_pictures_have_no_copies():
    assert find_copies(of([]), of([])) == []


@pytest.mark.parametrize(
    "size", [(1, 1), (31, 7), (255, 300), (256, 341), (257, 2051), (40, 20_000)], ids=str
)
def test_cells_are_means_of_the_areas_below_them(size):
    height, width = size
    # A picture that is bright on the left and dark on the right, and its mean grey in each column of cells.
    ramp = np.linspace(250, 5, width).round()
    file = encode_jpeg(np.repeat(np.tile(ramp, (height, 1))[:, :, None], 3, axis=2).astype(np.uint8))
    cells, found = grey_cells(file, source="ramp")
    edges = np.linspace(0, width, 33)
    cumulative = np.interp(edges, np.arange(width + 1), np.concatenate([[0], np.cumsum(ramp)]))
    expected = np.diff(cumulative) / np.diff(edges)
    assert found == (width, height)
    np.testing.assert_allclose(cells, np.tile(expected, (32, 1)), atol=4)


def test_a_damaged_picture_is_refused_as_it_is_when_it_is_decoded_whole(drawn):
    rng = np.random.default_rng(0)
    refused = 0
    for data in drawn[:12]:
        for _ in range(12):
            damaged = bytearray(data)
            # Most of them in the header: hardly any byte of the scan stops a decoder.
            for place in rng.integers(2, 700, 2).tolist() + rng.integers(700, len(data), 2).tolist():
                damaged[place] = int(rng.integers(256))
            verdicts = [_is_refused(look, bytes(damaged)) for look in (_decoded, _fingerprinted)]
            assert len(set(verdicts)) == 1
            refused += verdicts[0]
    assert 20 < refused < 130


@pytest.mark.parametrize(
    ("spoil", "fault"),
    [
        pytest.param(lambda data: data[: len(data) // 2], "is cut short", id="truncated-scan"),
        pytest.param(lambda data: data[:100], "is not a readable JPEG or PNG file", id="header-alone"),
        pytest.param(lambda data: b"GIF89a" + data, "is not a readable JPEG or PNG file", id="gif"),
        pytest.param(lambda data: data[:0], "is not a readable JPEG or PNG file", id="empty"),
        pytest.param(
            lambda data: data[:2] + b"\xff\xd9", "is not a readable JPEG or PNG file", id="no-frame"
        ),
    ],
)
def test_what_is_no_whole_picture_is_refused(drawn, spoil, fault):
    with pytest.raises(ImageError, match=fault):
        grey_cells(spoil(drawn[0]), source="picture")


def test_a_picture_that_claims_to_be_huge_is_refused_before_it_is_decoded(drawn):
    frame = drawn[0].index(b"\xff\xc0")
    huge = drawn[0][: frame + 5] + b"\xff\xdc\xff\xdc" + drawn[0][frame + 9 :]
    with pytest.raises(ImageError, match="pixels"):
        grey_cells(huge, source="picture")


def _decoded(data):
    decode_image(data, source="picture")


def _fingerprinted(data):
    grey_cells(data, source="picture")


def _is_refused(look, data):
    try:
        look(data)
    except ImageError:
        return True
    return False
