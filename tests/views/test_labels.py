import pytest
from PIL import Image

from workflows.views.errors import ViewError
from workflows.views.labels import Classified, Label, draw_label_grid, top_labels

NAMES = ["cactus", "saturn", "umbrella"]


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "picture.jpg"
    Image.new("RGB", (60, 40), (200, 30, 30)).save(path)
    return path


def test_the_most_probable_classes_come_first(picture):
    entry = Classified(image=picture, probabilities=[0.2, 0.7, 0.1])
    assert top_labels(entry, class_names=NAMES, count=2) == [
        Label(class_id=1, name="saturn", probability=0.7),
        Label(class_id=0, name="cactus", probability=0.2),
    ]


def test_every_photograph_is_drawn_with_its_bars(picture, tmp_path):
    entries = [Classified(image=picture, probabilities=p) for p in ([1.0, 0.0, 0.0], [0.0, 1.0, 0.0])]
    found = draw_label_grid(entries, class_names=NAMES, output=tmp_path / "out.png")
    assert [labels[0].name for labels in found] == ["cactus", "saturn"]
    with Image.open(tmp_path / "out.png") as drawn:
        colours = {colour for _, colour in drawn.convert("RGB").getcolors(1 << 20)}
        assert drawn.width > drawn.height
    assert len(colours) > 10


@pytest.mark.parametrize(
    ("probabilities", "told"),
    [
        pytest.param([0.1] * 4, "4 probabilities for 3 class names", id="too-many"),
        pytest.param([float("nan"), 0, 0], "not a number", id="nan"),
    ],
)
def test_an_answer_that_cannot_be_shown_is_refused(picture, tmp_path, probabilities, told):
    entry = Classified(image=picture, probabilities=probabilities)
    with pytest.raises(ViewError, match=told):
        draw_label_grid([entry], class_names=NAMES, output=tmp_path / "out.png")
