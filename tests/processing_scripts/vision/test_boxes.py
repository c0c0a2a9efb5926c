import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from processing_scripts.vision.boxes import (
    AnnotationError,
    clip_to_image,
    intersection_over_union,
    mirror,
    pixels_outside,
    to_corner_fractions,
)

tenths = st.integers(0, 4000).map(lambda number: number / 10)
pixel_boxes = st.lists(st.tuples(tenths, tenths, tenths, tenths), max_size=6).map(
    lambda rows: np.array(rows, dtype=np.float64).reshape(-1, 4)
)


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        pytest.param((10, 20, 40, 60), (0.1, 0.1, 0.5, 0.4), id="inside"),
        pytest.param((0, 0, 100, 200), (0, 0, 1, 1), id="whole-picture"),
        pytest.param((90, 180, 40, 60), (0.9, 0.9, 1.3, 1.2), id="not-clipped"),
    ],
)
def test_pixel_boxes_become_corner_fractions(box, expected):
    got = to_corner_fractions(np.array([box], dtype=float), width=100, height=200)
    assert_allclose(got, [expected], rtol=1e-12)


def test_every_box_may_have_its_own_picture_size():
    boxes = np.array([[10.0, 10, 10, 10], [10, 10, 10, 10]])
    got = to_corner_fractions(boxes, width=np.array([100.0, 50]), height=np.array([20.0, 40]))
    assert_allclose(got, [[0.1, 0.5, 0.2, 1], [0.2, 0.25, 0.4, 0.5]])


@pytest.mark.parametrize(
    "side", [pytest.param(0, id="zero"), pytest.param(-3, id="negative"), pytest.param(np.nan, id="nan")]
)
def test_a_box_without_area_is_refused_with_its_row(side):
    with pytest.raises(AnnotationError, match="box 1: has no area") as raised:
        to_corner_fractions(np.array([[1, 1, 5, 5], [1, 1, side, 5]], dtype=float), width=10, height=10)
    assert raised.value.row == 1


@pytest.mark.parametrize(
    ("box", "outside", "clipped"),
    [
        pytest.param((10.3, 20.1, 40.2, 60.7), 0, (10.3, 20.1, 40.2, 60.7), id="inside-unchanged"),
        pytest.param((-1, 20, 40, 60), 1, (0, 20, 39, 60), id="left"),
        pytest.param((10, -2.5, 40, 60), 2.5, (10, 0, 40, 57.5), id="top"),
        pytest.param((90, 190, 11, 12), 2, (90, 190, 10, 10), id="right-and-bottom"),
        pytest.param((-5, -5, 200, 300), 95, (0, 0, 100, 200), id="all-around"),
        pytest.param((100.5, 5, 10, 10), 10.5, (100.5, 5, -0.5, 10), id="wholly-outside"),
    ],
)
def test_boxes_are_cut_off_at_the_border(box, outside, clipped):
    boxes = np.array([box], dtype=float)
    assert_allclose(pixels_outside(boxes, width=100, height=200), [outside])
    assert_allclose(clip_to_image(boxes, width=100, height=200), [clipped])


@given(pixel_boxes)
def test_clipping_leaves_nothing_outside_and_the_inside_exact(boxes):
    clipped = clip_to_image(boxes, width=300, height=200)
    alive = (clipped[:, 2:] > 0).all(axis=1)
    assert (pixels_outside(clipped[alive], width=300, height=200) < 1e-9).all()
    inside = pixels_outside(boxes, width=300, height=200) == 0
    assert_array_equal(clipped[inside], boxes[inside])


def test_mirroring_counts_from_the_other_side():
    got = mirror(np.array([[10.0, 20, 30, 40]]), width=100)
    assert_array_equal(got, [[60, 20, 30, 40]])


@given(pixel_boxes)
def test_mirroring_twice_gives_the_box_back(boxes):
    assert_allclose(mirror(mirror(boxes, width=500), width=500), boxes, atol=1e-9)


def overlap_by_counting(first, second):
    """Whole-number boxes, cell by cell."""
    cells = [
        {(x, y) for x in range(box[0], box[2]) for y in range(box[1], box[3])} for box in (first, second)
    ]
    union = cells[0] | cells[1]
    return len(cells[0] & cells[1]) / len(union) if union else 0.0


corners = st.tuples(*[st.integers(0, 6)] * 4).map(
    lambda four: (min(four[0], four[2]), min(four[1], four[3]), max(four[0], four[2]), max(four[1], four[3]))
)


@given(st.lists(corners, max_size=4), st.lists(corners, max_size=4))
def test_overlap_agrees_with_counting_cells(first, second):
    got = intersection_over_union(
        np.array(first, dtype=float).reshape(-1, 4), np.array(second, dtype=float).reshape(-1, 4)
    )
    assert got.shape == (len(first), len(second))
    expected = [[overlap_by_counting(one, other) for other in second] for one in first]
    assert_allclose(got, np.array(expected).reshape(got.shape))
