import hashlib

import cv2
import numpy as np
import pytest

from processing_scripts.packing import Encoding, Request, Work, encode_pictures
from tests.processing_scripts.job_testing import run_python

ENCODING = Encoding(shorter_side=32, quality=90)


@pytest.fixture
def pictures(tmp_path):
    """Thirty small pictures of falling brightness."""
    paths = [tmp_path / f"{number:02}.png" for number in range(30)]
    for number, path in enumerate(paths):
        cv2.imwrite(str(path), np.full((48, 64, 3), 240 - 8 * number, np.uint8))
    return paths


def test_results_come_in_the_order_of_the_requests(pictures):
    requests = [Request(source=path, work=Work.ENCODE) for path in pictures]
    results = list(encode_pictures(requests, ENCODING, workers=1))
    means = [cv2.imdecode(np.frombuffer(result.original, np.uint8), 1).mean() for result in results]
    assert means == pytest.approx([240 - 8 * number for number in range(30)], abs=2)
    assert all(result.mirrored == b"" for result in results)


def test_a_fault_is_a_result_and_the_others_go_on(pictures):
    pictures[4].write_bytes(b"not a picture")
    cv2.imwrite(str(pictures[7]), np.zeros((2, 5000, 3), np.uint8))
    results = list(
        encode_pictures(
            [Request(source=path, work=Work.ENCODE_WITH_MIRROR) for path in pictures], ENCODING, workers=1
        )
    )
    faults = {number: result.fault for number, result in enumerate(results) if result.fault}
    assert faults == {
        4: "is not a readable JPEG or PNG file",
        7: "5000 x 2 pixels become 80000 x 32, too long for a JPEG file",
    }


def test_checking_finds_what_encoding_finds_and_a_digest_is_taken_of_anything(pictures):
    pictures[4].write_bytes(b"not a picture")
    cv2.imwrite(str(pictures[7]), np.zeros((2, 5000, 3), np.uint8))
    results = {
        work: list(
            encode_pictures([Request(source=path, work=work) for path in pictures], ENCODING, workers=1)
        )
        for work in Work
    }
    faults = {work: [result.fault for result in some] for work, some in results.items()}
    assert faults[Work.CHECK] == faults[Work.ENCODE] == faults[Work.ENCODE_WITH_MIRROR]
    assert [number for number, fault in enumerate(faults[Work.CHECK]) if fault] == [4, 7]
    assert not any(faults[Work.DIGEST])
    assert not any(result.original for work in (Work.CHECK, Work.DIGEST) for result in results[work])
    digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in pictures]
    assert all([result.source_sha256 for result in some] == digests for some in results.values())


KILLED = """
import multiprocessing, sys
from pathlib import Path
from processing_scripts.contract import JobError
from processing_scripts.packing import Encoding, Request, Work, encode_pictures

requests = [Request(source=Path(path), work=Work.ENCODE) for path in sys.argv[1:]] * 20
results = encode_pictures(requests, Encoding(shorter_side=32, quality=90), workers=2)
next(results)
for process in multiprocessing.active_children():
    process.kill()
try:
    list(results)
except JobError as error:
    print(error)
"""


def test_a_killed_worker_is_reported_with_what_to_do(pictures):
    done = run_python("-c", KILLED, *pictures)
    assert done.returncode == 0, done.stderr
    assert (
        "the system ended a worker process, probably because memory ran out; use fewer than 2" in done.stdout
    )
