import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from processing_scripts.contract import JobError
from processing_scripts.datasets.annotations import annotate
from processing_scripts.datasets.classes import ClassNames
from processing_scripts.datasets.detection import Chosen, DetectionSet
from processing_scripts.datasets.tables import Places
from processing_scripts.unreadable import Unreadable

SIZES = [(500, 333), (400, 300), (333, 500), (96, 64)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Pictures of several sizes; their content does not matter here."""
    folder = tmp_path_factory.mktemp("cub")
    (folder / "images").mkdir()
    for width, height in SIZES:
        Image.new("L", (width, height)).save(folder / "images" / f"{width}x{height}.jpg")
    return folder


def chosen(folder, sizes, boxes):
    """A bird in every picture, with this box."""
    objects = pd.DataFrame(boxes, columns=["left", "top", "width", "height"], dtype=np.float64)
    objects = objects.assign(picture=range(len(boxes)), class_id=1, class_number=0, file=0, number=1)
    pictures = pd.DataFrame({"path": [f"{width}x{height}.jpg" for width, height in sizes]})
    pictures = pictures.assign(is_training=1, width=0, height=0, file=0, number=1)
    places = Places(files=[folder], unit="row")
    data = DetectionSet(
        format="cub", folder=folder / "images", class_names=ClassNames.numbered(["Bird"], ""),
        pictures=pictures, objects=objects, picture_places=places, object_places=places, inputs={},
    )  # fmt: skip
    return Chosen(data=data, class_ids=[0], pictures=pictures, objects=objects)


@st.composite
def side(draw, length):
    """Start and extent in tenths of a pixel, often up to the border itself."""
    start = draw(st.integers(0, 10 * length - 1))
    extent = draw(st.just(10 * length - start) | st.integers(1, 10 * length - start))
    return start / 10, extent / 10


@st.composite
def pictures_with_boxes(draw):
    sizes = draw(st.lists(st.sampled_from(SIZES), min_size=1, max_size=5))
    boxes = []
    for width, height in sizes:
        (left, box_width), (top, box_height) = draw(side(width)), draw(side(height))
        boxes.append((left, top, box_width, box_height))
    return sizes, boxes


@settings(max_examples=150, deadline=None)
@given(pictures_with_boxes())
def test_rows_are_those_of_plain_arithmetic_to_the_letter(folder, given_pictures):
    sizes, boxes = given_pictures
    annotations = annotate(chosen(folder, sizes, boxes), Unreadable(pictures=len(sizes), max_share=0))
    assert annotations.clipped_boxes == 0
    for index, ((width, height), box, entry) in enumerate(
        zip(sizes, boxes, annotations.entries, strict=True)
    ):
        left, top, box_width, box_height = box
        for row, start, number, suffix in [
            (entry.original, left, index, ""),
            (entry.flipped, width - box_width - left, index + len(sizes), "_flip"),
        ]:
            corners = [start / width, top / height, (start + box_width) / width, (top + box_height) / height]
            numbers = "\t".join(format(corner, ".4f") for corner in corners)
            assert row.line() == f"{number}\t2\t5\t0.0000\t{numbers}\t{width}x{height}{suffix}.jpg\n"


def test_the_allowed_share_of_unreadable_pictures_is_exact():
    unreadable = Unreadable(pictures=100, max_share=0.29)
    for number in range(29):
        unreadable.add(f"{number}.jpg", "is cut short")
    with pytest.raises(JobError, match=r"29\.jpg: is cut short; 30 of 100 pictures cannot be used"):
        unreadable.add("29.jpg", "is cut short")
