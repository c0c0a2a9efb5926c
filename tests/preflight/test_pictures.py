"""What decoding every picture adds to a check: planted faults, the job's report on them, and findings."""

import json

import cv2
import numpy as np
import pytest

from processing_scripts.jobs import inspect_records
from tests.preflight.definitions import report
from tests.preflight.test_data import CLASSIFICATION, TRAIN, VALIDATION, write
from workflows.preflight.data.inspection import BadReport, read_inspection

IDENTIFIERS = {
    "data-undecodable",
    "data-near-duplicate",
    "data-flipped-copy",
    "data-unreadable",
    "data-same-picture",
}


def scene(seed):
    """Large soft spots and fine grain, as photographs have; no two alike."""
    rng = np.random.default_rng(seed)
    spots = cv2.resize(rng.integers(0, 256, (6, 8, 3), np.uint8), (320, 240), interpolation=cv2.INTER_CUBIC)
    return cv2.add(spots, rng.integers(0, 12, spots.shape, np.uint8))


def jpeg(pixels, quality=95):
    return cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


SCENES = [scene(seed) for seed in range(8)]
TRAINING, HELD_OUT = [jpeg(each) for each in SCENES[:4]], [jpeg(each) for each in SCENES[4:]]
SMALLER = cv2.resize(SCENES[2], (300, 225), interpolation=cv2.INTER_AREA)


@pytest.fixture
def found(tmp_path, monkeypatch):
    """Writes both channels, runs the job, and returns what a check finds in the pictures."""

    def look(training, held_out, flipped=()):
        write(tmp_path / "data" / "train", [0.0, 1.0] * (len(training) // 2), training)
        write(tmp_path / "data" / "validation", [0.0, 1.0] * (len(held_out) // 2), held_out)
        if flipped:
            write(tmp_path / "data" / "train_flipped", [0.0] * len(flipped), flipped)
        monkeypatch.setenv("OPT_ML", str(tmp_path / "opt-ml"))
        arguments = ["--input", str(tmp_path / "data"), "--output", str(tmp_path / "out"), "--workers", "1"]
        assert inspect_records.main(arguments) == 0
        inspection = read_inspection(tmp_path / "out" / "inspection.json")
        findings = report(CLASSIFICATION, data=tmp_path / "data", inspection=inspection).findings
        return [each for each in findings if each.identifier in IDENTIFIERS]

    return look


def test_nothing_is_found_in_pictures_that_are_all_different(found):
    assert found(TRAINING, HELD_OUT) == []


def test_a_truncated_scan_in_the_middle_of_a_file_is_found(found):
    (finding,) = found([TRAINING[0], TRAINING[1][:-200], *TRAINING[2:]], HELD_OUT)
    assert (finding.identifier, finding.pointer) == ("data-undecodable", TRAIN)
    assert "train/train.rec: 1 of 4 pictures cannot be decoded: record 1 is cut short" in finding.text


def test_what_is_no_picture_at_all_is_told_once(found):
    (finding,) = found(TRAINING, [b"no picture", *HELD_OUT[1:]])
    assert (finding.identifier, finding.pointer) == ("data-unreadable", VALIDATION)


@pytest.mark.parametrize(
    ("copy", "identifier", "pair"),
    [
        pytest.param(
            jpeg(SCENES[2], 60), "data-near-duplicate", "record 1 and record 2 of train", id="re-encoded"
        ),
        pytest.param(
            jpeg(SMALLER), "data-near-duplicate", "record 1 and record 2 of train", id="a-little-smaller"
        ),
        pytest.param(
            jpeg(SCENES[3][:, ::-1]), "data-flipped-copy", "record 1 and record 3 of train", id="mirrored"
        ),
    ],
)
def test_a_copy_on_the_other_side_is_found(found, copy, identifier, pair):
    (finding,) = found(TRAINING, [HELD_OUT[0], copy, *HELD_OUT[2:]])
    assert (finding.identifier, finding.pointer) == (identifier, VALIDATION)
    assert finding.text.startswith("1 picture is ")
    assert pair in finding.text


def test_equal_bytes_are_told_as_such_alone(found):
    (finding,) = found(TRAINING, [*HELD_OUT[:3], TRAINING[1]])
    assert finding.identifier == "data-same-picture"


def test_a_copy_of_what_the_preparation_has_mirrored_is_told_once(found):
    flipped = [jpeg(each[:, ::-1]) for each in SCENES[:4]]
    (finding,) = found(TRAINING, [flipped[0], *HELD_OUT[1:]], [*TRAINING, *flipped])
    assert finding.identifier == "data-flipped-copy"
    assert "record 0 and record 0 of train (" in finding.text


def test_an_undecodable_mirror_image_is_found(found):
    (finding,) = found(TRAINING, HELD_OUT, [TRAINING[0][:-100], TRAINING[1]])
    assert (finding.identifier, finding.pointer) == ("data-undecodable", TRAIN)
    assert finding.text.startswith("train_flipped/train_flipped.rec: 1 of 2")


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"channels": [], "copies": []}', '{"channels": {"train": 1}, "copies": []}'],
    ids=["empty", "list", "nothing-in-it", "list-of-channels", "number-for-a-channel"],
)
def test_what_is_no_report_is_refused(tmp_path, text):
    (tmp_path / "inspection.json").write_text(text)
    with pytest.raises(BadReport, match=r"inspection\.json"):
        read_inspection(tmp_path / "inspection.json")


def test_both_sides_agree_on_the_report(tmp_path):
    # The names are written twice, as neither side imports the other.
    report = {"channels": {}, "copies": []}
    (tmp_path / inspect_records.REPORT).write_text(json.dumps(report))
    assert read_inspection(tmp_path / "inspection.json").copies == ()
