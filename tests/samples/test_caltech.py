import subprocess
import sys
from collections import Counter

import cv2
import numpy as np
import pytest
from PIL import Image

from samples.caltech import main, plan
from samples.thing_scenes import choose_place, draw_scene
from samples.thing_shapes import THINGS

FOLDERS = [
    "025.cactus", "056.dog", "087.goldfish", "107.hot-air-balloon", "147.mushroom", "177.saturn",
    "198.spider", "204.sunflower-101",
]  # fmt: skip


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    folder = tmp_path_factory.mktemp("things")
    assert main(["--output", str(folder), "--images-per-class", "6"]) == 0
    return folder / "256_ObjectCategories"


def test_the_layout_is_that_of_caltech_with_its_strays(drawn):
    assert sorted(path.name for path in drawn.iterdir()) == [*FOLDERS, "README"]
    files = {path.relative_to(drawn).as_posix() for path in drawn.rglob("*") if path.is_file()}
    pictures = {f"{folder}/{folder[:3]}_{number:04d}.jpg" for folder in FOLDERS for number in range(1, 7)}
    assert files == pictures | {"198.spider/RENAME2", "README"}
    assert (drawn / "056.dog" / "greg" / "vision309").is_dir()


@pytest.mark.parametrize("count", [pytest.param(2, id="two"), pytest.param(10, id="all")])
def test_the_classes_with_the_strays_are_among_the_first(tmp_path, count):
    arguments = ["--classes", str(count), "--images-per-class", "2"]
    assert main(["--output", str(tmp_path / "new"), *arguments]) == 0
    folders = {path.parent.name for path in (tmp_path / "new").rglob("*.jpg")}
    assert len(folders) == count
    assert {"056.dog", "198.spider"} <= folders


def test_pictures_vary_in_size_and_two_are_grey(drawn):
    sizes, modes = Counter(), Counter()
    for path in drawn.rglob("*.jpg"):
        with Image.open(path) as picture:
            sizes[picture.size] += 1
            modes[picture.mode] += 1
    assert modes == {"RGB": 46, "L": 2}
    assert len(sizes) >= 6
    assert any(width < height for width, height in sizes)
    assert 200 < np.median([max(size) for size in sizes.elements()]) < 400


def colour_of_the_middle(thing, number):
    """Hue, saturation and brightness of the part of a picture that shows the thing."""
    pixels = draw_scene(thing, np.random.default_rng([1, number]))
    height, width = pixels.shape[:2]
    middle = pixels[height // 3 : 2 * height // 3, width // 3 : 2 * width // 3]
    return middle.reshape(-1, 3).mean(axis=0)


def test_classes_can_be_told_apart_by_colour_better_than_by_chance():
    """The nearest mean colour of a third of the picture; a network sees much more."""
    samples = np.array(
        [[colour_of_the_middle(thing, number) for number in range(30)] for thing in THINGS[:8]]
    )  # [8, 30, 3]
    means = samples[:, :20].mean(axis=1)
    held_out = samples[:, 20:].reshape(-1, 3)
    nearest = np.linalg.norm(held_out[:, None] - means[None], axis=2).argmin(axis=1)
    right = (nearest == np.repeat(np.arange(8), 10)).mean()
    # Neither as hard as guessing, which is right once in eight, nor done by colour alone.
    assert 0.25 < right < 0.8


def test_a_thing_is_whole_in_the_square_that_is_cut_out_of_the_middle():
    """Its outline, that is, up to a few pixels at the border."""
    for thing in THINGS:
        for number in range(20):
            rng = np.random.default_rng([2, number])
            outline = np.concatenate([shape.outline for shape in thing.shapes(rng)])
            points = choose_place(300, 200, rng).to_pixels(outline)
            inside = (points > [50 - 20, -20]) & (points < [250 + 20, 220])
            assert inside.all(axis=1).mean() > 0.85


def test_the_same_seed_draws_the_same_bytes_and_another_one_others(drawn, tmp_path):
    for seed, folder in ((0, tmp_path / "same"), (1, tmp_path / "other")):
        assert main(["--output", str(folder), "--images-per-class", "6", "--seed", str(seed)]) == 0
    again, other = (tmp_path / name / "256_ObjectCategories" for name in ("same", "other"))
    files = [path.relative_to(drawn) for path in drawn.rglob("*") if path.is_file()]
    assert len(files) == 50
    assert all((drawn / file).read_bytes() == (again / file).read_bytes() for file in files)
    pictures = [file for file in files if file.suffix == ".jpg"]
    assert not any((drawn / file).read_bytes() == (other / file).read_bytes() for file in pictures)


def test_more_pictures_leave_the_first_ones_as_they_were(drawn, tmp_path):
    assert main(["--output", str(tmp_path / "more"), "--images-per-class", "7", "--classes", "9"]) == 0
    more = tmp_path / "more" / "256_ObjectCategories"
    assert all(
        path.read_bytes() == (more / path.relative_to(drawn)).read_bytes() for path in drawn.rglob("*.jpg")
    )


def test_by_default_there_are_eight_classes_of_ninety():
    assert Counter(picture.thing.folder for picture in plan(8, 90, 0)) == dict.fromkeys(FOLDERS, 90)


def test_the_readme_says_that_the_pictures_are_drawn(drawn):
    readme = (drawn / "README").read_text()
    assert "THESE PICTURES ARE DRAWN BY A PROGRAM. They are not photographs" in readme
    assert "--classes 8 --images-per-class 6 --seed 0" in readme


def test_drawing_the_same_again_does_nothing(drawn, capsys):
    before = {path: path.stat().st_mtime_ns for path in drawn.rglob("*")}
    assert main(["--output", str(drawn.parent), "--images-per-class", "6"]) == 0
    assert "48 pictures were there already" in capsys.readouterr().out
    assert before == {path: path.stat().st_mtime_ns for path in drawn.rglob("*")}
    assert main(["--output", str(drawn.parent), "--images-per-class", "5"]) == 1
    assert "is there already and holds something else" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["--classes", "1"], id="one-class"),
        pytest.param(["--classes", "11"], id="eleven-classes"),
        pytest.param(["--images-per-class", "1"], id="one-picture"),
        pytest.param(["--seed", "-1"], id="seed"),
    ],
)
def test_what_cannot_be_drawn_is_refused(tmp_path, arguments):
    with pytest.raises(SystemExit):
        main(["--output", str(tmp_path / "new"), *arguments])
    assert not (tmp_path / "new").exists()


def test_nothing_is_left_when_drawing_is_interrupted(tmp_path):
    """A limit on file sizes stands in for any fault half way through."""
    limited = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (9000, 9000));"
        "from samples.caltech import main; main(sys.argv[1:])"
    )
    done = subprocess.run(
        [sys.executable, "-c", limited, "--output", tmp_path / "new", "--images-per-class", "4"],
        capture_output=True,
    )
    assert done.returncode != 0
    assert not list((tmp_path / "new").iterdir())


def test_every_picture_can_be_decoded(drawn):
    assert all(cv2.imread(str(path)) is not None for path in drawn.rglob("*.jpg"))
