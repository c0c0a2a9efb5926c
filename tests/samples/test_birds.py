import subprocess
import sys
from collections import Counter

import cv2
import numpy as np
import pytest
from PIL import Image

from samples.birds import draw, main, plan


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    folder = tmp_path_factory.mktemp("birds")
    assert main(["--output", str(folder), "--images-per-species", "9"]) == 0
    return folder / "CUB_200_2011"


def rows(path):
    return [line.split(" ") for line in path.read_text().splitlines()]


def test_the_tables_have_the_layout_of_cub(drawn):
    assert rows(drawn / "classes.txt") == [
        ["17", "017.Cardinal"],
        ["36", "036.Northern_Flicker"],
        ["47", "047.American_Goldfinch"],
        ["68", "068.Ruby_throated_Hummingbird"],
        ["73", "073.Blue_Jay"],
    ]
    ids = [str(number) for number in range(1, 46)]
    for name in ("images", "image_class_labels", "bounding_boxes", "train_test_split"):
        assert [row[0] for row in rows(drawn / f"{name}.txt")] == ids
    names = dict(rows(drawn / "classes.txt"))
    labels = dict(rows(drawn / "image_class_labels.txt"))
    for image_id, path in rows(drawn / "images.txt"):
        assert path.startswith(f"{names[labels[image_id]]}/")
        assert (drawn / "images" / path).is_file()
    flags = dict(rows(drawn / "train_test_split.txt"))
    assert Counter((labels[image_id], flag) for image_id, flag in flags.items()) == {
        (label, flag): count for label in names for flag, count in (("1", 6), ("0", 3))
    }


def test_boxes_lie_in_their_pictures_and_have_a_sensible_size(drawn):
    paths = dict(rows(drawn / "images.txt"))
    for image_id, *numbers in rows(drawn / "bounding_boxes.txt"):
        left, top, width, height = map(float, numbers)
        with Image.open(drawn / "images" / paths[image_id]) as picture:
            assert left >= 0
            assert top >= 0
            assert left + width <= picture.width
            assert top + height <= picture.height
            assert 0.02 < width * height / (picture.width * picture.height) < 0.9


def test_the_box_is_tight_around_the_bird(tmp_path):
    """A cardinal that has not faded is redder than all around it, so its extent can be seen."""
    judged = 0
    for picture in plan(12, 1)[:12]:
        (tmp_path / picture.path).parent.mkdir(exist_ok=True)
        box = draw(picture, tmp_path)
        pixels = cv2.imread(str(tmp_path / picture.path)).astype(int)
        left, top, width, height = (round(side) for side in (box.left, box.top, box.width, box.height))
        blue, green, red = np.moveaxis(pixels[top : top + height, left : left + width], 2, 0)
        bird = (red > 60) & (red > 2 * green) & (red > 2 * blue)
        if bird.mean() < 0.25:
            continue
        columns, lines = np.flatnonzero(bird.any(axis=0)), np.flatnonzero(bird.any(axis=1))
        # The beak is orange and the feet are grey, so a little room is left to them.
        assert columns[-1] - columns[0] > 0.8 * width
        assert lines[-1] - lines[0] > 0.75 * height
        judged += 1
    assert judged >= 4


def test_the_same_seed_draws_the_same_bytes_and_another_one_others(drawn, tmp_path):
    for seed, folder in ((0, tmp_path / "same"), (1, tmp_path / "other")):
        assert main(["--output", str(folder), "--images-per-species", "9", "--seed", str(seed)]) == 0
    again, other = tmp_path / "same" / "CUB_200_2011", tmp_path / "other" / "CUB_200_2011"
    files = [path.relative_to(drawn) for path in drawn.rglob("*") if path.is_file()]
    assert len(files) == 51
    assert all((drawn / file).read_bytes() == (again / file).read_bytes() for file in files)
    pictures = [file for file in files if file.suffix == ".jpg"]
    assert not any((drawn / file).read_bytes() == (other / file).read_bytes() for file in pictures)


def test_pictures_vary_in_size_and_two_are_grey(drawn):
    sizes, modes = Counter(), Counter()
    for path in (drawn / "images").rglob("*.jpg"):
        with Image.open(path) as picture:
            sizes[picture.size] += 1
            modes[picture.mode] += 1
    assert modes == {"RGB": 43, "L": 2}
    assert len(sizes) >= 5
    assert any(width < height for width, height in sizes)


def test_birds_face_both_ways(tmp_path):
    # A cardinal's beak is the one orange thing on it: it lies in the left or in the right part of the box.
    sides = Counter()
    for picture in plan(12, 2)[:12]:
        (tmp_path / picture.path).parent.mkdir(exist_ok=True)
        box = draw(picture, tmp_path)
        pixels = cv2.imread(str(tmp_path / picture.path)).astype(int)
        blue, green, red = pixels[..., 0], pixels[..., 1], pixels[..., 2]
        orange = (red > 150) & (green > 0.35 * red) & (green < 0.6 * red) & (blue < 0.35 * red)
        columns = np.flatnonzero(orange[:, int(box.left) : int(box.left + box.width)].any(axis=0))
        sides["right" if np.median(columns) > box.width / 2 else "left"] += 1
    assert min(sides["left"], sides["right"]) >= 2


def test_the_readme_says_that_the_pictures_are_drawn(drawn):
    assert "THESE PICTURES ARE DRAWN BY A PROGRAM. They are not photographs" in (drawn / "README").read_text()


def test_a_folder_with_something_else_is_refused(tmp_path, capsys):
    (tmp_path / "thesis.txt").write_text("mine")
    assert main(["--output", str(tmp_path), "--images-per-species", "2"]) == 1
    assert (
        f"{tmp_path}: is there already and holds something else; name a new or empty folder"
        in capsys.readouterr().err
    )
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_drawing_the_same_again_does_nothing(drawn, capsys):
    before = {path: path.stat().st_mtime_ns for path in drawn.rglob("*")}
    assert main(["--output", str(drawn.parent), "--images-per-species", "9"]) == 0
    assert "45 pictures were there already" in capsys.readouterr().out
    assert before == {path: path.stat().st_mtime_ns for path in drawn.rglob("*")}
    assert main(["--output", str(drawn.parent), "--images-per-species", "8"]) == 1


def test_nothing_is_left_when_drawing_is_interrupted(tmp_path):
    """A limit on file sizes stands in for any fault half way through."""
    limited = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (9000, 9000));"
        "from samples.birds import main; main(sys.argv[1:])"
    )
    done = subprocess.run(
        [sys.executable, "-c", limited, "--output", tmp_path / "new", "--images-per-species", "4"],
        capture_output=True,
    )
    assert done.returncode != 0
    assert not list((tmp_path / "new").iterdir())
