from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from processing_scripts.contract import JobError
from processing_scripts.datasets.folders import ClassFolder, SplitRule, class_name, draw_split, scan

SIXTY = SplitRule(training_per_class=60, train_ratio=0.0, seed=0)


def classes_of(**counts):
    return [
        ClassFolder(folder=folder, pictures=tuple(f"{number:04d}.jpg" for number in range(count)))
        for folder, count in counts.items()
    ]


def real_counts():
    """257 classes with 30,607 pictures in all; the smallest has 80, as in Caltech-256."""
    counts = [80] * 257
    counts[256], counts[250] = 827, 800
    rest = 30_607 - sum(counts)
    for number in range(250):
        counts[number] += rest // 250 + (number < rest % 250)
    return counts


def test_caltechs_counts_give_15420_training_pictures_and_15187_others():
    counts = real_counts()
    assert (len(counts), sum(counts), min(counts)) == (257, 30_607, 80)
    pictures = draw_split(
        [
            ClassFolder(folder=f"{label + 1:03d}.x{label}", pictures=tuple(map(str, range(count))))
            for label, count in enumerate(counts)
        ],
        SIXTY,
    )
    training = np.array([picture.is_training for picture in pictures])
    labels = np.array([picture.label for picture in pictures])
    assert (training.sum(), (~training).sum()) == (15_420, 15_187)
    assert np.bincount(labels[training]).tolist() == [60] * 257
    assert [picture.index for picture in pictures] == list(range(30_607))


@given(
    st.lists(st.integers(2, 40), min_size=1, max_size=5),
    st.integers(1, 39),
    st.sampled_from([0.0, 0.3, 0.5, 0.9]),
    st.integers(0, 5),
)
def test_a_split_loses_nothing_and_is_the_asked_size_or_an_error(counts, per_class, ratio, seed):
    classes = classes_of(**{f"c{number}": count for number, count in enumerate(counts)})
    rule = SplitRule(training_per_class=per_class, train_ratio=ratio, seed=seed)
    wanted = [round(count * ratio) if ratio else per_class for count in counts]
    if not all(0 < asked < count for asked, count in zip(wanted, counts, strict=True)):
        with pytest.raises(JobError):
            draw_split(classes, rule)
        return
    pictures = draw_split(classes, rule)
    assert [picture.path for picture in pictures] == [
        f"{single.folder}/{name}" for single in classes for name in single.pictures
    ]
    for label, asked in enumerate(wanted):
        assert sum(picture.is_training for picture in pictures if picture.label == label) == asked


def test_the_split_of_a_class_depends_on_its_name_and_the_seed_alone():
    alone = draw_split(classes_of(cat=100), SIXTY)
    among_others = draw_split(classes_of(ant=90, cat=100, dog=80), SIXTY)
    chosen = {picture.path for picture in alone if picture.is_training}
    assert chosen == {p.path for p in among_others if p.is_training and p.path.startswith("cat/")}
    other_seed = draw_split(classes_of(cat=100), SplitRule(training_per_class=60, train_ratio=0.0, seed=1))
    assert chosen != {picture.path for picture in other_seed if picture.is_training}
    other_name = draw_split(classes_of(dog=100), SIXTY)
    assert {path[4:] for path in chosen} != {p.path[4:] for p in other_name if p.is_training}


def test_every_picture_has_the_same_chance():
    drawn = np.zeros(10)
    for seed in range(400):
        rule = SplitRule(training_per_class=5, train_ratio=0.0, seed=seed)
        drawn += [picture.is_training for picture in draw_split(classes_of(cat=10), rule)]
    # 200 expected, a standard deviation of 10
    assert (abs(drawn - 200) < 45).all()


def test_all_classes_that_are_too_small_stand_in_one_error():
    with pytest.raises(JobError) as error:
        draw_split(classes_of(ant=59, bee=60, cat=61, dog=0), SIXTY)
    assert str(error.value) == (
        "--training-per-class 60 and at least one picture for validation need 61 pictures a class; too few "
        "in: ant (59), bee (60), dog (0); add pictures, or leave these classes out"
    )
    with pytest.raises(
        JobError, match=r"too few in: bee \(7\), cat \(9\); use --training-per-class 6 or fewer"
    ):
        draw_split(classes_of(bee=7, cat=9), SIXTY)


def test_a_long_list_of_classes_is_cut_so_that_the_remedy_stays():
    many = classes_of(**{f"class_with_a_long_name_{number}": 3 for number in range(300)})
    with pytest.raises(JobError, match=r"class_with_a_long_name_7 \(3\) and 292 more; use --train") as error:
        draw_split(many, SIXTY)
    assert len(str(error.value)) < 600


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        pytest.param("025.cactus", "cactus", id="caltech"),
        pytest.param("251.airplanes-101", "airplanes-101", id="number-behind"),
        pytest.param("cat", "cat", id="plain"),
        pytest.param("7", "7", id="number-alone"),
        pytest.param("7.", "7.", id="nothing-behind-the-dot"),
        pytest.param("v1.2", "v1.2", id="dot-later"),
    ],
)
def test_a_number_before_a_dot_is_no_part_of_the_name(folder, name):
    assert class_name(folder) == name


def make(root: Path, *paths: str) -> Path:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()
    return root


def test_only_pictures_directly_in_a_class_folder_count(tmp_path):
    make(
        tmp_path, "a/1.jpg", "a/2.JPEG", "a/3.PNG", "a/4.gif", "a/._1.jpg", "a/deep/er/5.jpg", "b/1.png",
        "readme.txt", "loose.jpg", ".hidden/1.jpg",
    )  # fmt: skip
    (tmp_path / "b" / "empty").mkdir()
    (tmp_path / "b" / "folder.jpg").mkdir()
    tree = scan(tmp_path)
    assert [(single.folder, single.pictures) for single in tree.classes] == [
        ("a", ("1.jpg", "2.JPEG", "3.PNG")),
        ("b", ("1.png",)),
    ]
    assert tree.strays == (
        ".hidden", "a/._1.jpg", "a/4.gif", "a/deep/er/5.jpg", "b/empty", "b/folder.jpg", "loose.jpg",
        "readme.txt",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("paths", "fault"),
    [
        pytest.param(
            ["012.cat/1.jpg", "034.cat/1.jpg"],
            "the folders 012.cat and 034.cat are both the class 'cat'; rename one",
            id="same-name",
        ),
        pytest.param(["cat/1.jpg"], "holds 1 class folders, and a classifier needs two", id="one-class"),
        pytest.param(["cat/1\t2.jpg", "dog/1.jpg"], "cat/1\\t2.jpg': rename it; unprintable", id="tab"),
        pytest.param(["cat/1\n.jpg", "dog/1.jpg"], "cat/1\\n.jpg': rename it; unprintable", id="newline"),
        pytest.param(["c\\at/1.jpg", "dog/1.jpg"], "rename it; unprintable", id="backslash"),
        pytest.param(["cat/\udcff.jpg", "dog/1.jpg"], "rename it; unprintable", id="not-utf8"),
    ],
)
def test_a_tree_that_makes_no_lists_is_refused(tmp_path, paths, fault):
    with pytest.raises(JobError) as error:
        scan(make(tmp_path, *paths))
    assert fault in str(error.value)
    str(error.value).encode()


def test_a_stray_whose_name_is_not_utf8_can_be_reported(tmp_path):
    tree = scan(make(tmp_path, "a/1.jpg", "b/1.jpg", "b/\udcff.txt"))
    assert tree.strays == ("b/\\udcff.txt",)
