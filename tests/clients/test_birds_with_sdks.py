"""The detection notebook in the SageMaker SDKs: from upload to clean-up, with two trainings."""

import pytest

from tests.clients.checks import (
    assert_finds_objects,
    assert_gone,
    assert_trained,
    map_series,
    truth_of,
)
from tests.clients.conftest import run_script

pytestmark = pytest.mark.clients
METRIC = "validation:mAP"
# Epochs of the two trainings.
EPOCHS = {"base": 8, "grown": 3}


@pytest.fixture(scope="module", params=["v2", "v3"])
def finished(request, birds, tmp_path_factory):
    return run_script(request.param, "birds", birds, tmp_path_factory.mktemp("user"))


@pytest.mark.parametrize("training", EPOCHS)
def test_the_final_metric_is_the_last_of_the_log(finished, training):
    known = finished.answer[training]
    series = map_series("\n".join(known["log"]))
    assert_trained(known["job"], series, metric=METRIC, epochs=EPOCHS[training])


def test_the_sdk_shows_the_log_of_both_trainings(finished):
    lines = [line for training in EPOCHS for line in finished.answer[training]["log"]]
    assert map_series(finished.shown) == map_series("\n".join(lines))


def test_a_training_begins_where_the_former_ended(finished):
    base, grown = (finished.answer[training] for training in EPOCHS)
    assert any("Start training from the model in the model channel." in line for line in grown["log"])
    seeds = [
        channel["DataSource"]["S3DataSource"]["S3Uri"]
        for channel in grown["job"]["InputDataConfig"]
        if channel["ChannelName"] == "model"
    ]
    assert seeds == [base["job"]["ModelArtifacts"]["S3ModelArtifacts"]]
    (first, *_), (seeded, *_) = (map_series("\n".join(known["log"])) for known in (base, grown))
    assert seeded > first


@pytest.mark.parametrize("training", EPOCHS)
def test_the_endpoint_finds_what_is_in_pictures(finished, birds, training):
    assert_finds_objects(finished.answer[training]["answers"], truth_of(birds))


@pytest.mark.parametrize("training", EPOCHS)
def test_nothing_is_left_after_the_clean_up(finished, training):
    assert_gone(finished.answer[training]["gone"])
    assert finished.answer["endpoints"] == []


def test_the_artifacts_stay_where_the_jobs_say(finished):
    uris = [finished.answer[training]["job"]["ModelArtifacts"]["S3ModelArtifacts"] for training in EPOCHS]
    keys = [uri.removeprefix("s3://birds-notebook/") for uri in uris]
    assert set(keys) <= set(finished.answer["outputs"])
    assert len(set(keys)) == 2
