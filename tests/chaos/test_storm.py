"""The short form of `make chaos`."""

import random

from tests.chaos.storm import disturbed, undisturbed


def test_a_run_that_is_killed_again_and_again_ends_as_an_undisturbed_one(tmp_path):
    for name in ("calm", "storm"):
        (tmp_path / name).mkdir()
    reference, seconds = undisturbed(tmp_path / "calm")
    disturbed(tmp_path / "storm", reference, seconds, moments=4, choice=random.Random(11))
