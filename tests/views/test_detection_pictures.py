"""Detections drawn onto photographs, and pictures that must not be opened."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from workflows.views.canvas import MAX_PIXELS, class_colour
from workflows.views.errors import ViewError
from workflows.views.pictures import Detection, Scored, draw_detection_grid, draw_detections

NAMES = ["Cardinal", "Blue Jay"]
RED, BLUE = class_colour(0), class_colour(1)
GREY = (128, 128, 128)


@pytest.fixture
def photograph(tmp_path):
    path = tmp_path / "photograph.png"
    Image.new("RGB", (200, 100), GREY).save(path)
    return path


@pytest.fixture
def drawn(photograph, tmp_path):
    def draw(rows, threshold=0.5, names=NAMES, image=photograph):
        output = tmp_path / "out" / "drawn.png"
        found = draw_detections(image, rows, class_names=names, threshold=threshold, output=output)
        return found, np.asarray(Image.open(output))

    return draw


def test_rows_at_and_above_the_threshold_are_drawn_the_surest_first(drawn):
    rows = [
        (0, 0.5, 0.1, 0.2, 0.5, 0.8),
        (1, 0.9, 0.25, 0.5, 0.75, 1.0),
        (1, 0.49, 0, 0, 1, 1),
        (-1, 0.99, 0, 0, 1, 1),
    ]
    assert drawn(rows)[0] == [
        Detection(class_id=1, name="Blue Jay", score=0.9, box=(50, 50, 150, 100)),
        Detection(class_id=0, name="Cardinal", score=0.5, box=(20, 20, 100, 80)),
    ]


def test_a_box_is_drawn_in_its_class_colour_and_only_its_edge(drawn):
    _, pixels = drawn([(1, 0.9, 0.25, 0.5, 0.75, 0.9)])
    # 200 x 100 pixels: columns 50 to 149, rows 50 to 89.
    assert [tuple(pixels[y, x]) for y, x in [(70, 50), (70, 149), (50, 140), (89, 100)]] == [BLUE] * 4
    assert [tuple(pixels[y, x]) for y, x in [(70, 100), (70, 48), (70, 151), (92, 100)]] == [GREY] * 4


def test_boxes_are_clipped_to_the_picture(drawn):
    found, _ = drawn([(0, 0.9, -0.5, 0.5, 2.0, 1.5)])
    assert found[0].box == (0, 50, 200, 100)


@pytest.mark.parametrize(
    "box",
    [
        pytest.param((0.5, 0.1, 0.5, 0.9), id="no-width"),
        pytest.param((0.1, 0.9, 0.9, 0.1), id="upside-down"),
        pytest.param((1.5, 0.1, 1.9, 0.9), id="outside"),
    ],
)
def test_a_box_without_area_is_not_drawn(drawn, box):
    found, pixels = drawn([(0, 0.9, *box)])
    assert found == []
    assert (pixels == GREY).all()


@pytest.mark.parametrize("background", ["black", "white", "grey"])
@pytest.mark.parametrize("class_id", range(12))
def test_a_label_stands_out_on_any_background(tmp_path, background, class_id):
    path, output = tmp_path / "a.png", tmp_path / "b.png"
    Image.new("RGB", (300, 300), background).save(path)
    names = [f"bird {number}" for number in range(12)]
    draw_detections(
        path, [(class_id, 0.9, 0.2, 0.5, 0.9, 0.9)], class_names=names, threshold=0.5, output=output
    )
    # The label: from the box's left upper corner upwards.
    label = np.asarray(Image.open(output).convert("L"), dtype=float)[138:149, 62:120]
    assert label.max() - label.min() > 100


@pytest.mark.parametrize(
    "box",
    [
        pytest.param((0.0, 0.0, 0.3, 0.3), id="upper-left"),
        pytest.param((0.9, 0.9, 1.0, 1.0), id="lower-right"),
        pytest.param((0.95, 0.0, 1.0, 0.1), id="upper-right"),
    ],
)
def test_a_label_stays_inside_the_picture(drawn, box):
    _, pixels = drawn([(0, 0.9, *box)])
    left, top, right, bottom = ImageDraw.Draw(Image.new("L", (1, 1))).textbbox(
        (0, 0), "Cardinal 0.90", font=ImageFont.load_default(12)
    )
    coloured = (pixels == RED).all(axis=2).sum()
    assert coloured > 0.4 * (right - left) * (bottom - top)


def test_colours_of_the_first_hundred_classes_are_distinct():
    assert len({class_colour(number) for number in range(100)}) == 100


def test_the_orientation_tag_is_ignored(tmp_path, drawn):
    path = tmp_path / "turned.jpg"
    image = Image.new("RGB", (200, 100), GREY)
    exif = image.getexif()
    exif[0x0112] = 6  # to be turned by 90 degrees for display
    image.save(path, exif=exif)
    found, pixels = drawn([(0, 0.9, 0, 0, 1, 1)], image=path)
    assert pixels.shape == (100, 200, 3)
    assert found[0].box == (0, 0, 200, 100)


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "1", "CMYK"])
def test_any_kind_of_picture_becomes_a_colour_picture(tmp_path, drawn, mode):
    path = tmp_path / ("picture.jpg" if mode == "CMYK" else "picture.png")
    Image.new(mode, (50, 50)).save(path)
    assert drawn([(0, 0.9, 0, 0, 1, 1)], image=path)[1].shape == (50, 50, 3)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        pytest.param((0, 0.9, 0, 0, 1), "detection 0: has 5 numbers", id="too-short"),
        pytest.param((2, 0.9, 0, 0, 1, 1), "is of class 2, but there are 2 class names", id="unnamed-class"),
        pytest.param((0, 0.9, float("nan"), 0, 1, 1), "not a number", id="nan-corner"),
        pytest.param((0, float("inf"), 0, 0, 1, 1), "not a number", id="infinite-score"),
    ],
)
def test_a_malformed_row_is_named(drawn, row, message):
    with pytest.raises(ViewError, match=message):
        drawn([row])


def png_header(width, height):
    """A PNG file that claims a size and holds no pixels."""
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body))
    # The size is looked at once the first pixels are announced.
    return b"\x89PNG\r\n\x1a\n" + chunk + struct.pack(">I", 1000) + b"IDAT"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(b"", "not a readable JPEG or PNG", id="empty"),
        pytest.param(b"GIF89a" + bytes(40), "not a readable JPEG or PNG", id="other-format"),
        pytest.param(png_header(10, 10), "not a readable JPEG or PNG", id="header-only"),
        pytest.param(png_header(10_000, 8_001), f"more than {MAX_PIXELS}", id="just-too-large"),
        pytest.param(png_header(10_000, 9_000), f"more than {MAX_PIXELS}", id="pillow-warns"),
        pytest.param(png_header(60_000, 60_000), f"more than {MAX_PIXELS}", id="pillow-refuses"),
    ],
)
def test_a_hostile_picture_is_refused_and_nothing_is_written(tmp_path, content, message):
    path, output = tmp_path / "hostile.png", tmp_path / "out.png"
    path.write_bytes(content)
    with pytest.raises(ViewError, match=message):
        draw_detections(path, [], class_names=NAMES, threshold=0.5, output=output)
    assert list(tmp_path.iterdir()) == [path]


def test_every_truncation_of_a_picture_is_refused_or_read(tmp_path):
    path, output = tmp_path / "cut.jpg", tmp_path / "out.png"
    noise = np.random.default_rng(0).integers(0, 255, (24, 24, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    whole = path.read_bytes()
    refused = 0
    for length in range(0, len(whole) - 2, 7):
        path.write_bytes(whole[:length])
        try:
            draw_detections(path, [], class_names=NAMES, threshold=0.5, output=output)
        except ViewError:
            refused += 1
    assert refused > len(whole) // 7 * 0.9


def test_a_missing_picture_is_named(tmp_path):
    with pytest.raises(ViewError, match=r"absent\.png: there is no such picture"):
        draw_detections(
            tmp_path / "absent.png", [], class_names=NAMES, threshold=0.5, output=tmp_path / "out.png"
        )


def test_an_output_that_cannot_be_written_is_named(photograph):
    with pytest.raises(ViewError, match="cannot be written"):
        draw_detections(
            photograph, [], class_names=NAMES, threshold=0.5, output=photograph / "below-a-file.png"
        )


def test_a_failed_drawing_leaves_the_earlier_file(photograph, tmp_path):
    output = tmp_path / "out.png"
    draw_detections(photograph, [], class_names=NAMES, threshold=0.5, output=output)
    before = output.read_bytes()
    photograph.write_bytes(b"broken")
    with pytest.raises(ViewError):
        draw_detections(photograph, [], class_names=NAMES, threshold=0.5, output=output)
    assert output.read_bytes() == before


def test_a_grid_shows_each_photograph_with_its_boxes(photograph, tmp_path):
    output = tmp_path / "grid.png"
    scored = [
        Scored(image=photograph, detections=[(0, 0.9, 0.25, 0.2, 0.75, 0.9)]),
        Scored(image=photograph, detections=[]),
        Scored(image=photograph, detections=[(1, 0.8, 0.0, 0.2, 0.5, 0.9), (0, 0.1, 0, 0, 1, 1)]),
    ]
    found = draw_detection_grid(
        scored, class_names=NAMES, threshold=0.5, output=output, columns=2, cell_px=100
    )
    # Boxes of the photograph, although each is drawn at half its size.
    assert [[one.box for one in entry] for entry in found] == [[(50, 20, 150, 90)], [], [(0, 20, 100, 90)]]
    pixels = np.asarray(Image.open(output))
    assert pixels.shape == (2 * 108 + 8, 2 * 108 + 8, 3)
    has = [
        ((cell == RED).all(axis=2).any(), (cell == BLUE).all(axis=2).any())
        for cell in (pixels[8:108, 8:108], pixels[8:108, 116:216], pixels[116:216, 8:108])
    ]
    assert has == [(True, False), (False, False), (False, True)]


@pytest.mark.parametrize(
    ("count", "options", "message"),
    [
        pytest.param(0, {}, "no picture", id="nothing"),
        pytest.param(1, {"columns": 0}, "nothing to see", id="no-columns"),
        pytest.param(1, {"cell_px": 10_000}, "too large", id="too-large"),
    ],
)
def test_an_impossible_grid_is_refused(photograph, tmp_path, count, options, message):
    with pytest.raises(ViewError, match=message):
        draw_detection_grid(
            [Scored(image=photograph, detections=[])] * count,
            class_names=NAMES,
            threshold=0.5,
            output=tmp_path / "grid.png",
            **options,
        )
