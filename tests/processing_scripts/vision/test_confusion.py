import numpy as np
import pytest

from processing_scripts.vision.confusion import draw_confusion


def drawn(classes, name="class {}"):
    counts = 10 * np.eye(classes, dtype=np.int64)
    counts[0, classes - 1] = 30
    return np.asarray(draw_confusion(counts, [name.format(number) for number in range(classes)])).astype(int)


def is_blue(pixels):
    return (pixels[..., 2] - pixels[..., 0]) > 40


@pytest.mark.parametrize("classes", [pytest.param(2, id="two"), pytest.param(30, id="thirty")])
def test_few_classes_have_names_on_both_sides(classes):
    pixels = drawn(classes)
    left = top = 26 + 150
    dark = pixels.sum(axis=2) < 300
    side = min(72, 780 // classes) * classes
    for number in range(classes):
        start = number * side // classes
        assert dark[top + start :][: side // classes, 20 : left - 4].any()
        assert dark[26 : top - 4, left + start :][:, : side // classes].any()


def test_many_classes_become_a_heat_map_without_names():
    pixels = drawn(257)
    # 780 // 257 = 3 pixels a class, at a small distance from the titles.
    matrix = pixels[42 : 42 + 771, 42 : 42 + 771]
    cells = is_blue(matrix[1::3, 1::3])
    assert cells.shape == (257, 257)
    expected = np.eye(257, dtype=bool)
    expected[0, 256] = True
    assert (cells == expected).all()
    # Three quarters of the first class were taken for the last one.
    assert matrix[1, 1 + 3 * 256].sum() < matrix[1, 1].sum()
    assert pixels.shape[0] < 900


def test_a_long_name_does_not_reach_into_the_matrix():
    short, long = drawn(5), drawn(5, "a very long name of a class, number {}")
    assert (short[177:, 177:] == long[177:, 177:]).all()
